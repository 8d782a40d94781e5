"""The job's side of what its workers tell of their requests and answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from ..ports import NamedHeard
from ..pulse import LimitUse, Pulse
from ..workers.messages import Flying, FromWorker, Look, Spoken
from ..workers.process import Hand


class _Row(Struct, frozen=True):
    id: str
    line: int


class FlowDesk:
    """A :class:`..ports.Flow` of several processes; ``limits`` says how far those are used."""

    TAKES = (Flying, Spoken)

    elsewhere = True

    def __init__(self, limits: Callable[[], Sequence[LimitUse]]) -> None:
        self._limits = limits
        self._flying: dict[Hand, int] = {}
        self._heard: NamedHeard | None = None

    def pulse(self) -> Pulse:
        """As it was within the last second."""
        return Pulse(sum(self._flying.values()), self._limits())

    def listen(self, heard: NamedHeard | None) -> None:
        """Have the workers tell of some answers, or stop that."""
        before, self._heard = self._heard, heard
        if (before is None) != (heard is None):
            for hand in self._flying:
                hand.channel.send(Look(heard is not None))

    def came(self, hand: Hand) -> None:
        """There is another worker."""
        self._flying[hand] = 0
        if self._heard is not None:
            hand.channel.send(Look(True))

    def left(self, hand: Hand) -> None:
        """A worker is gone, and what it had in flight with it."""
        self._flying.pop(hand, None)

    def take(self, hand: Hand, message: FromWorker) -> None:
        """A worker tells something."""
        match message:
            case Flying():
                self._flying[hand] = message.count
            case Spoken() if self._heard is not None:
                text = None if message.text is None else _text(message.text)
                self._heard(_Row(_text(message.id), message.line), text)

    def __repr__(self) -> str:
        return f"<FlowDesk of {len(self._flying)} workers>"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
