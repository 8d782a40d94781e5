"""The page's data over HTTP: results files, their rows, one row, a job that ended."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast, get_args

from aiohttp import web
from aiohttp.typedefs import Handler

from llmbatch.jobs.browsing.below import NotThere
from llmbatch.jobs.browsing.folder import ResultsFile
from llmbatch.jobs.browsing.index import STATUSES
from llmbatch.jobs.browsing.rows import Changed
from llmbatch.jobs.browsing.selection import Column, Wanted, decoded

from .replies import Unclear, refused, replied
from .reports import Reports
from .shelf import Shelf

PAGE, MOST = 100, 1_000
"""Rows of one answer: how many unless told, and at most."""

FARTHEST = 1 << 53
"""A number that JavaScript can count to."""


class Api:
    """What can be asked about the results below one folder."""

    def __init__(self, shelf: Shelf, reports: Reports) -> None:
        self._shelf = shelf
        self._reports = reports

    def __repr__(self) -> str:
        return f"Api({self._shelf!r})"

    def routes(self) -> Mapping[str, Handler]:
        """By path."""
        return {
            "/api/files": self.files,
            "/api/rows": self.rows,
            "/api/row": self.row,
            "/api/report": self.report,
            "/api/job": self.job,
        }

    async def files(self, _: web.Request) -> web.StreamResponse:
        listing = await self._shelf.listing()
        files = [_described(each) for each in listing.files]
        return replied({"files": files, "note": listing.note})

    async def rows(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        first = _number(asked, "from", 0, FARTHEST)
        count = min(MOST, _number(asked, "count", PAGE, FARTHEST))
        return replied(await self._shelf.rows(_file(asked), _wanted(asked), first, count))

    async def row(self, request: web.Request) -> web.StreamResponse:
        file, at = _file(request.query), _number(request.query, "at", None, FARTHEST)
        try:
            line = await self._shelf.line(file, at)
        except Changed as error:
            return refused(409, str(error))
        value = await asyncio.to_thread(decoded, line)
        if not isinstance(value, dict):
            raise NotThere(f"the line at byte {at:,} of {file!r} is no result")
        asked = await self._shelf.asked(file, line)
        return replied({"result": value, "request": asked.request, "why": asked.why})

    async def report(self, request: web.Request) -> web.StreamResponse:
        made = await self._reports.of(_file(request.query))
        return web.Response(body=made, content_type="application/json", charset="utf-8")

    async def job(self, request: web.Request) -> web.StreamResponse:
        file = _file(request.query)
        manifest = await self._shelf.manifest(file)
        if manifest is None:
            raise NotThere(f"there is no manifest beside {file!r}")
        return replied({"manifest": manifest})


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


def _file(asked: Mapping[str, str]) -> str:
    if not asked.get("file"):
        raise Unclear("file is missing: name one of /api/files")
    return asked["file"]


def _wanted(asked: Mapping[str, str]) -> Wanted:
    statuses = [each for each in asked.get("status", "").split(",") if each]
    if wrong := set(statuses) - set(STATUSES):
        raise Unclear(
            f"status: there is no {min(wrong)[:40]!r}; it is one of {', '.join(STATUSES)}"
        )
    sort = asked.get("sort") or "file"
    column = sort.removeprefix("-")
    if column not in get_args(Column):
        raise Unclear(f"sort: must be one of {', '.join(get_args(Column))}, - before it or not")
    return Wanted(
        statuses=frozenset(statuses) or None,
        min_latency=_bound(asked, "min_latency"),
        max_latency=_bound(asked, "max_latency"),
        min_cost=_bound(asked, "min_cost"),
        max_cost=_bound(asked, "max_cost"),
        text=asked.get("q", ""),
        case=asked.get("case", "") not in ("", "0"),
        sort=cast(Column, column),
        descending=sort.startswith("-"),
    )


def _bound(asked: Mapping[str, str], name: str) -> float | None:
    text = asked.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise Unclear(f"{name}: must be a number")
    return value


def _number(asked: Mapping[str, str], name: str, default: int | None, most: int) -> int:
    text = asked.get(name, "")
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise Unclear(f"{name}: must be a whole number, 0 or more")
    return int(text)
