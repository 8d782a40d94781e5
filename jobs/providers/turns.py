"""How much all streams of a route read in one turn of the event loop.

Where more comes than can be read, every stream has something in every turn, and a turn is as long
as reading all of them: with 10,000 that was 0.3 to 0.8 s, in which no timer comes and no signal.
So a turn has a share, and who comes when it is used up waits in line for a later turn, with its
connection held: what comes for it meanwhile is read in one go.
"""

from __future__ import annotations

import asyncio
from collections import deque

SHARE = 400
"""Reads of a turn, each of at most one :data:`BLOCK`: some 10 ms."""

BLOCK = 1024
"""Bytes; a read of more counts as several."""

NOTICED = 64
"""Of the share, what is used before a new turn is looked for: few streams never need one."""


class Turns:
    """A line of streams, first come first served."""

    __slots__ = ("_counting", "_left", "_line", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._left = SHARE
        self._counting = False
        self._line: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"Turns({len(self._line)} in line)"

    def over(self, size: int) -> bool:
        """Count a read of so many bytes; whether this turn's share had been used up before."""
        used_up = self._left <= 0
        self._left -= 1 + size // BLOCK
        if self._left <= max(0, SHARE - NOTICED):
            self._look_for_the_next()
        return used_up

    async def later(self) -> None:
        """Wait in line for a turn with a share."""
        place = self._loop.create_future()
        self._line.append(place)
        self._look_for_the_next()
        await place

    def _look_for_the_next(self) -> None:
        if not self._counting:
            self._counting = True
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        """A new turn: its share goes to those in line, and what is left to whoever comes."""
        self._left = SHARE
        line = self._line
        while line and self._left:
            place = line.popleft()
            if not place.done():  # else it was cancelled
                place.set_result(None)
                self._left -= 1
        self._counting = False
        if line or self._left < SHARE:
            self._look_for_the_next()
