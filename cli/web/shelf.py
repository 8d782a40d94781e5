"""The folder's results, for all who ask at once: whatever blocks is done beside the loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

from llmbatch.jobs.browsing.folder import Folder, Listing

FRESH_S = 0.5
"""Seconds for which a listing is as good as a new one."""


class Shelf:
    """The results files below one folder."""

    def __init__(self, root: Path) -> None:
        self.folder = Folder(root)
        self._listing: Listing | None = None
        self._listed_at = 0.0
        self._looking = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Shelf({self.folder!r})"

    async def listing(self) -> Listing:
        """The files that are there by now."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if self._listing is None or loop.time() - self._listed_at > FRESH_S:
                self._listing = await asyncio.to_thread(self.folder.results)
                self._listed_at = loop.time()
            return self._listing
