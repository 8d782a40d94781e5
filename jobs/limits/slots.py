"""What may be in flight at once: a number that can change, and a line, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque

from ..ports import TurnedAway


class Slots:
    """``width`` slots, ``free`` of them not taken (below 0 after :meth:`resize` took some away).

    Whoever has a slot is ``coming`` until he calls :meth:`arrived`. While ``open``, any number may
    come at once; else ``abreast``: one, so that what he still has to wait for is waited for in
    turn, or some, where they wait in another line. A slot that is given back goes straight to the
    first in line, so that nobody who comes later can take it before him: a slot is for the taking,
    with ``free -= 1``, only where ``free`` is above 0 and nobody is coming.
    """

    __slots__ = ("_line", "abreast", "coming", "free", "open", "width")

    def __init__(self, width: int) -> None:
        self.width = self.free = width
        self.coming = 0
        self.open = True
        self.abreast = 1
        self._line: deque[asyncio.Future[bool]] = deque()

    @property
    def full(self) -> bool:
        """Whether all slots are in use, but for the first who is held up on his way."""
        held = 0 if self.open else max(0, self.coming - 1)
        return self.free + held <= 0

    def set_open(self, value: bool) -> None:
        """Whether those who have a slot have nothing more to wait for."""
        self.open = value
        if value and self._line:
            self._wake()

    async def take(self) -> None:
        """Return when a slot is ours; we are coming from then on.

        Raises :class:`..ports.TurnedAway` where that happens instead.
        """
        if self.free > 0 and self.coming < self.abreast:
            self.free -= 1
            self.coming += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        self._wake()
        try:
            ours = await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():  # handed over in the same moment
                self.give_up()
            raise
        if not ours:
            raise TurnedAway

    def turn_away(self) -> None:
        """Nobody in line gets a slot."""
        line, self._line = self._line, deque()
        for turn in line:
            if not turn.done():  # else he was cancelled
                turn.set_result(False)

    def arrived(self) -> None:
        """Whoever was coming is in."""
        self.coming -= 1
        if self._line:
            self._wake()

    def give_up(self) -> None:
        """Whoever was coming has gone away."""
        self.coming -= 1
        self.release()

    def release(self) -> None:
        """Give a slot back."""
        self.free += 1
        if self._line:
            self._wake()

    def resize(self, width: int) -> None:
        """Have ``width`` slots from now on; who is in flight stays there."""
        self.free += width - self.width
        self.width = width
        if self._line:
            self._wake()

    def _wake(self) -> None:
        line = self._line
        while line and self.free > 0 and (self.open or self.coming < self.abreast):
            turn = line.popleft()
            if not turn.done():  # else he was cancelled
                self.free -= 1
                self.coming += 1
                turn.set_result(True)

    def __repr__(self) -> str:
        return f"<Slots: {self.free} of {self.width} free, {len(self._line)} waiting>"
