"""What may be in flight at once: a counter and a line, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A slot is taken with ``free -= 1`` where ``free`` is not 0, else with :meth:`wait`.

    A slot given back goes straight to the first who waits, so that nobody who comes later can take
    it before him: ``free`` is more than 0 only while nobody waits.
    """

    __slots__ = ("_line", "free")

    def __init__(self, count: int) -> None:
        self.free = count
        self._line: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Return when a slot is ours; for use when none is free."""
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.release()  # it had been handed over in the same moment
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def release(self) -> None:
        """Give a slot back; wakes one waiter, or none where nobody waits."""
        line = self._line
        while line:
            turn = line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1

    def __repr__(self) -> str:
        return f"<Slots: {self.free} free, {len(self._line)} waiting>"
