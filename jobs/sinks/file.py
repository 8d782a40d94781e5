"""Results into a file: one append a result, on the disk within a second, resumable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from ..errors import SinkError
from ..model import Result, Row, Status, Tidied
from ..records import decode
from ..reuse.copies import shareable
from .held import HeldFile
from .outputlines import TidyLines
from .tidy import InputOrder, tidy

SYNC_AFTER = 0.5
"""Seconds from the first line that is not on the disk yet to the sync that puts it there."""


class FileSink:
    """Appends each result as soon as its row ends, whatever the order.

    With ``order`` the finished file is put in the input's order by :meth:`finish`: until then
    nothing that was answered waits in memory, where a crash would lose it.
    ``skipped`` counts the rows that were done already by their status.
    """

    __slots__ = (
        "_closed",
        "_encode",
        "_file",
        "_order",
        "_problem",
        "_resting",
        "_syncing",
        "_tidying",
        "_timer",
        "_unsynced",
        "index",
        "skipped",
    )

    def __init__(
        self,
        file: HeldFile,
        index: TidyLines,
        encode: Callable[[Result], bytes],
        order: InputOrder | None = None,
    ) -> None:
        self._file = file
        self._encode = encode
        self._order = order
        self._unsynced = False
        self._timer: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Future[None] | None = None
        self._problem: SinkError | None = None
        self._resting = False
        self._tidying: asyncio.Future[Tidied] | None = None
        self._closed = False
        self.index = index
        self.skipped: Counter[Status] = Counter()

    async def expect(self, row: Row) -> Status | None:
        """A row was read: the status of the answer it has already, or None where it is to run."""
        found = self.index.take(row.id, row.fingerprint)
        if found is None:
            if self._order is not None:
                self._order.expect(row.id)
            return None
        status, line = found
        self.skipped[status] += 1
        if self._order is not None:
            self._order.place(row.id, line)
        return status

    def take_all(self, rows: Sequence[tuple[str, str]]) -> list[Status | None]:
        """As :meth:`expect` for rows that come one after the other: their ids and fingerprints.

        Who gets None for a row calls :meth:`expect` when it is read in full.
        """
        found = self.index.take_all(rows)
        statuses = [None if taken is None else taken[0] for taken in found]
        self.skipped.update(status for status in statuses if status is not None)
        if self._order is not None:
            for (row_id, _), taken in zip(rows, found, strict=True):
                if taken is None:
                    self._order.expect(row_id)
                else:
                    self._order.place(row_id, taken[1])
        return statuses

    async def write(self, result: Result) -> None:
        """Returns when the line is with the operating system. Raises SinkError."""
        if self._problem is not None:
            raise SinkError(str(self._problem))
        file, index = self._file, self.index
        start = file.size
        file.append(self._encode(result))
        if self._order is not None:
            self._order.place(result.id, index.append())
        if index.asked is not None and (result.status == "ok" or shareable(result)):
            index.asked.put(hash(result.fingerprint), start)
        self.index.account.add(result)
        if not self._unsynced:
            self._unsynced = True
            self._sync_later()

    def recall(self, fingerprint: str) -> Result | None:
        """The answer to that request, read back, where the file has one that others may share."""
        asked = self.index.asked
        if asked is None:
            return None
        for start, end in asked.find(hash(fingerprint)):
            try:
                lines = self._file.lines_with(fingerprint.encode(), start, end)
                found = [decode(line) for line in lines]
            except (OSError, ValueError, RecursionError):  # somebody changed the file: ask again
                continue
            for answer in reversed(found):
                if answer.fingerprint == fingerprint and shareable(answer):
                    return answer
        return None

    def keep(self, result: Result) -> None:
        """Every answer is remembered when it is written."""

    async def finish(self) -> Tidied:
        """The job is done: leave each id once in the file. Raises SinkError; nothing is lost."""
        if self._tidying is not None:
            raise RuntimeError("finished already")
        await self._rest()
        loop = asyncio.get_running_loop()
        self._tidying = loop.run_in_executor(None, tidy, self._file, self.index, self._order)
        return await asyncio.shield(self._tidying)

    async def aclose(self) -> None:
        """Sync and release. Safe to call twice. Raises SinkError where a sync failed."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._rest()
            if self._tidying is not None:  # cancelled: its thread has the file still
                await asyncio.wait([self._tidying])
                self._tidying.exception()
            await asyncio.get_running_loop().run_in_executor(None, self._let_go)
            if self._problem is not None:
                raise self._problem
        finally:
            self._file.close()

    def _let_go(self) -> None:
        try:
            if self._unsynced:
                self._file.sync()
            else:
                self._file.check()
        finally:
            if self._file.astray:
                self._file.rescue()

    async def _rest(self) -> None:
        """Until no thread has the file, and no timer will give it to one."""
        self._resting = True
        if self._timer is not None:
            self._timer.cancel()
        if self._syncing is not None:
            await asyncio.wait([self._syncing])

    def _sync_later(self) -> None:
        if self._timer is None and self._syncing is None and not self._resting:
            self._timer = asyncio.get_running_loop().call_later(SYNC_AFTER, self._sync)

    def _sync(self) -> None:
        self._timer = None
        self._unsynced = False
        loop = asyncio.get_running_loop()
        self._syncing = loop.run_in_executor(None, self._file.sync)
        self._syncing.add_done_callback(self._synced)

    def _synced(self, done: asyncio.Future[None]) -> None:
        self._syncing = None
        error = None if done.cancelled() else done.exception()
        if isinstance(error, SinkError):
            self._problem = error
        elif self._unsynced:
            self._sync_later()

    def __repr__(self) -> str:
        return f"<FileSink {self._file.path}, {self._file.size} bytes>"
