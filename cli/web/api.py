"""The page's data over HTTP: results files, their rows, one row, a job that ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from llmbatch.jobs.browsing.folder import ResultsFile

from .replies import replied
from .shelf import Shelf


class Api:
    """What can be asked about the results below one folder."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def __repr__(self) -> str:
        return f"Api({self._shelf!r})"

    def routes(self) -> Mapping[str, Handler]:
        return {"/api/files": self.files}

    async def files(self, _: web.Request) -> web.StreamResponse:
        listing = await self._shelf.listing()
        files = [_described(each) for each in listing.files]
        return replied({"files": files, "note": listing.note})


def _described(found: ResultsFile) -> dict[str, Any]:
    manifest = found.manifest
    return {
        "file": found.file,
        "bytes": found.bytes,
        "modified": iso(found.mtime),
        "running": found.running,
        "job": None if manifest is None else manifest.job,
    }


def iso(seconds: float) -> str:
    """A time of the epoch as results have it: UTC, to the millisecond."""
    stamp = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return stamp.removesuffix("+00:00") + "Z"
