"""The folder's results, for all who ask at once: whatever blocks is done beside the loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from llmbatch.jobs.browsing.asked import Asked, asked
from llmbatch.jobs.browsing.folder import Folder, Listing
from llmbatch.jobs.browsing.rows import Browser, Rows, line_at
from llmbatch.jobs.browsing.selection import Wanted
from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.manifest.manifest import Manifest

T = TypeVar("T")

FRESH_S = 0.5
"""Seconds for which a listing is as good as a new one."""

AT_ONCE_S = 0.2
READING_S = 1.0
"""Seconds of reading for one answer: of the first one about a file, and of those after it."""

OPEN = 4
"""Files whose rows are remembered, the last used: some forty bytes a row."""


class Shelf:
    """The results files below one folder."""

    def __init__(self, root: Path, config: JobConfig, environ: Mapping[str, str]) -> None:
        self.folder = Folder(root)
        self._config = config
        self._environ = environ
        self._listing: Listing | None = None
        self._listed_at = 0.0
        self._looking = asyncio.Lock()
        self._open: dict[str, _Open] = {}

    def __repr__(self) -> str:
        return f"Shelf({self.folder!r})"

    async def listing(self) -> Listing:
        """The files that are there by now."""
        loop = asyncio.get_running_loop()
        if self._listing is None or loop.time() - self._listed_at > FRESH_S:
            self._listing = await _alone(self._looking, self.folder.results)
            self._listed_at = loop.time()
        return self._listing

    async def rows(self, file: str, wanted: Wanted, first: int, count: int) -> Rows:
        """A page of that file. Raises NotThere."""
        opened = self._open.pop(file, None)
        seconds = AT_ONCE_S if opened is None else READING_S
        if opened is None:
            opened = _Open(Browser(self.folder, file))
        self._open[file] = opened
        while len(self._open) > OPEN:
            del self._open[next(iter(self._open))]
        page = opened.browser.page
        return await _alone(opened.lock, lambda: page(wanted, first, count, seconds))

    async def line(self, file: str, at: int) -> bytes:
        """The line that begins there. Raises NotThere and Changed."""
        return await asyncio.to_thread(line_at, self.folder, file, at)

    async def manifest(self, file: str) -> Manifest | None:
        """What stands beside that file. Raises NotThere where the file is none of ours."""
        return await asyncio.to_thread(self._manifest, file)

    def _manifest(self, file: str) -> Manifest | None:
        os.close(self.folder.open(file))
        return self.folder.manifest(file)

    async def asked(self, file: str, line: bytes) -> Asked:
        """What that line answers."""
        return await asyncio.to_thread(asked, self.folder, file, line, self._environ, self._config)


async def _alone(lock: asyncio.Lock, work: Callable[[], T]) -> T:
    """Work in a thread that no other may do meanwhile, also where nobody waits for it any more."""
    await lock.acquire()
    working = asyncio.get_running_loop().run_in_executor(None, work)
    working.add_done_callback(lambda _: lock.release())
    return await asyncio.shield(working)


class _Open:
    __slots__ = ("browser", "lock")

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.lock = asyncio.Lock()
