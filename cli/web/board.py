"""The list of jobs: those of this user that run on this host, and those that ended in the folder.

It is kept only while somebody looks at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from msgspec import structs

from llmbatch.jobs.browsing.folder import Listing, ResultsFile
from llmbatch.jobs.watching.client import running
from llmbatch.jobs.watching.listing import listed
from llmbatch.jobs.watching.place import pid_of
from llmbatch.jobs.watching.snapshot import Entry

from .replies import as_line
from .shelf import Shelf

RUNNING_S = 1.0
"""Seconds between two looks at the jobs that run."""

FOLDER_S = 3.0
"""Seconds between two looks at the folder."""

ENDED = 300
"""Jobs that have ended which are listed, the youngest."""


class Board:
    """Who looks at it is told the whole list whenever it has changed."""

    def __init__(self, shelf: Shelf, environ: Mapping[str, str]) -> None:
        self._shelf = shelf
        self._environ = environ
        self._lookers: set[Callable[[str], None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        self._line = ""
        self._names: dict[tuple[str, int | None], str] = {}

    def __repr__(self) -> str:
        return f"<Board, {len(self._lookers)} lookers>"

    def add(self, tell: Callable[[str], None]) -> None:
        """Tell this one the list, now and whenever it changes."""
        self._lookers.add(tell)
        if self._task is None or self._task.done():
            self._line = ""
            self._task = asyncio.create_task(self._keep())
        elif self._line:
            tell(self._line)

    async def remove(self, tell: Callable[[str], None]) -> None:
        """With the last one who looks, looking ends."""
        self._lookers.discard(tell)
        if not self._lookers and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def changed(self) -> None:
        """A job began or ended: look at once."""
        self._again.set()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        listing, next_folder, names = Listing([]), 0.0, set[str]()
        jobs: Sequence[Entry] = ()
        while True:
            jobs = await self._running(jobs)
            now = {job.job for job in jobs}
            if loop.time() >= next_folder or now != names:
                listing = await self._shelf.listing()
                next_folder, names = loop.time() + FOLDER_S, now
                # One whose manifest was found has its socket by now: it goes by its own name.
                jobs = await self._running(jobs)
            self._tell(self._all(jobs, listing.files))
            self._again.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(RUNNING_S):
                    await self._again.wait()
                next_folder = 0.0

    async def _running(self, before: Sequence[Entry]) -> Sequence[Entry]:
        """The jobs that run; as they were where no descriptor is left to look."""
        try:
            return await running(self._environ)
        except OSError:
            return before

    def _tell(self, jobs: Sequence[Entry]) -> None:
        line = as_line({"type": "jobs", "jobs": jobs})
        if line == self._line:
            return
        self._line = line
        for tell in self._lookers:
            tell(line)

    def _all(self, jobs: Sequence[Entry], files: Sequence[ResultsFile]) -> list[Entry]:
        """One that was seen running keeps its name when it has ended."""
        found = listed(jobs, files, str(self._shelf.folder.root))
        alive = {job.job for job in jobs}
        for job in found:
            if job.job in alive and job.file:
                self._names[job.file, pid_of(job.job)] = job.job
        named = [
            job if job.job in alive else structs.replace(job, job=self._name(job)) for job in found
        ]
        return named[: len(alive) + ENDED]

    def _name(self, job: Entry) -> str:
        return self._names.get((job.file or "", pid_of(job.job)), job.job)
