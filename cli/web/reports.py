"""The figures of a results file: made in a process of their own, kept while it stays as it is."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from llmbatch.jobs.browsing.below import NotThere
from llmbatch.jobs.browsing.folder import Folder

KEPT = 20
AT_ONCE = 2

_Mark = tuple[str, int, int, int]


class Reports:
    """Reports as JSON, each made once."""

    def __init__(self, folder: Folder, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = dict(environ)
        self._made: dict[_Mark, asyncio.Task[bytes]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"<Reports, {len(self._made)} made>"

    async def of(self, file: str) -> bytes:
        """What `llmbatch report --format json` says of that file. Raises NotThere."""
        mark = await asyncio.to_thread(self._mark, file)
        task = self._made.pop(mark, None)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(self._make(file))
        self._made[mark] = task
        while len(self._made) > KEPT:
            self._made.pop(next(iter(self._made))).cancel()
        return await asyncio.shield(task)  # another page may wait for the same

    async def aclose(self) -> None:
        """End those that are being made."""
        tasks = [task for task in self._made.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _mark(self, file: str) -> _Mark:
        fd = self._folder.open(file)
        try:
            status = os.fstat(fd)
        finally:
            os.close(fd)
        return file, status.st_ino, status.st_size, status.st_mtime_ns

    async def _make(self, file: str) -> bytes:
        path = str(self._folder.root / file)
        # Nothing is imported from where we are: there may be a json.py among somebody's results.
        python = (sys.executable, "-P", "-m", "llmbatch.cli.main")
        command = (*python, "report", "--format", "json", path)
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environ,
            )
            try:
                made, said = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode:
            told = said.decode(errors="replace").strip().removeprefix("llmbatch: error: ")
            raise NotThere(told or f"the report of {file!r} could not be made")
        return made
