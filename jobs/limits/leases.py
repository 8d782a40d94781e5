"""The limits of a job whose workers are processes: one owner, whom all of them ask."""

from __future__ import annotations

from collections.abc import Sequence

from ..pulse import LimitUse
from ..workers.limits import (
    Accepted,
    Heard,
    Pay,
    Refused,
    Sent,
    Settled,
    Waived,
)
from ..workers.messages import FromWorker
from .line import Hand, Line, Word


class Leases:
    """The lanes of a job, in the order in which its routes are asked."""

    TAKES = (Pay, Waived, Settled, Refused, Accepted, Heard, Sent)

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    def came(self, hand: Hand) -> None:
        """There is another worker."""
        for line in self._lines:
            line.came(hand)

    def take(self, hand: Hand, message: FromWorker) -> None:
        """A worker asks or tells."""
        assert isinstance(message, Word)  # noqa: S101 - it takes nothing else
        self._lines[message.lane].take(hand, message)

    def use(self) -> list[LimitUse]:
        """How far each lane's limits are used."""
        return [line.use() for line in self._lines]

    def left(self, hand: Hand) -> None:
        """A worker is gone; what it was granted may have been sent, and counts."""
        for line in self._lines:
            line.left(hand)

    def __repr__(self) -> str:
        return f"<Leases {self._lines!r}>"
