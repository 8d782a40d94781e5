"""``--order input`` where what is written can't be moved any more: a bounded buffer."""

from __future__ import annotations

import asyncio
from collections import deque

from ..model import Result, Row, Status, Tidied
from .stream import StreamSink


class OrderedSink:
    """Writes results in the order in which :meth:`expect` was told of their rows.

    At most ``room`` rows are between their reading and their writing: :meth:`expect` waits for
    the first of them, which is with the worker already, so that this never waits for itself.
    """

    __slots__ = ("_finished", "_pushing", "_room", "_rows", "_sink", "_space")

    def __init__(self, sink: StreamSink, room: int) -> None:
        self._sink = sink
        self._room = room
        self._rows: deque[str] = deque()
        self._finished: dict[str, Result] = {}
        self._pushing = False
        self._space = asyncio.Event()

    async def expect(self, row: Row) -> Status | None:
        """A row was read; returns when there is room for it."""
        while len(self._rows) >= self._room:
            self._space.clear()
            await self._space.wait()
        self._rows.append(row.id)
        return await self._sink.expect(row)

    async def write(self, result: Result) -> None:
        """Take the result in, and write all whose turn it is. Raises SinkError.

        Returns at once where it is not this one's turn.
        """
        self._finished[result.id] = result
        if self._pushing:  # whoever is writing goes on with this one
            return
        self._pushing = True
        try:
            while self._rows and (first := self._finished.pop(self._rows[0], None)) is not None:
                self._rows.popleft()
                self._space.set()
                await self._sink.write(first)
        finally:
            self._pushing = False

    async def finish(self) -> Tidied:
        """The job is done, and so is the order."""
        return await self._sink.finish()

    async def aclose(self) -> None:
        """Write what waited for a row that never ended, still in order, and release."""
        try:
            while self._rows:
                result = self._finished.pop(self._rows.popleft(), None)
                if result is not None:
                    await self._sink.write(result)
            while self._finished:
                await self._sink.write(self._finished.pop(next(iter(self._finished))))
        finally:
            await self._sink.aclose()

    def __repr__(self) -> str:
        return f"<OrderedSink {len(self._finished)} of {len(self._rows)} waiting, {self._sink!r}>"
