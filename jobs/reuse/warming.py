"""Around the asking of a row: of rows that begin alike the first goes alone, and warms the cache.

Providers keep the beginning of what they read, from about 1,024 tokens on, and ask less for what
they have already; requests that are sent at the same moment find nothing there yet.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ..model import Request, Result, Row
from ..ports import Clock, Seat, Worker

LENGTH = 4096
"""Characters that rows must have in common: about 1,024 tokens of English."""

KEPT = 240.0
"""Seconds after its last use for which a provider is trusted to have a beginning still."""

MOST = 1024
"""Beginnings that are known to be warm."""

_encode = msgspec.json.Encoder().encode


class Beginnings:
    """Says how a row begins, as a number: tools, then messages, as they are sent."""

    __slots__ = ("_last", "_of_last", "_text", "_tools")

    def __init__(self) -> None:
        self._last: Row | None = None  # whoever reads a row asks, and then whoever sends it
        self._of_last: int | None = None
        self._tools: Any = None  # those of the last row: mostly the job's own
        self._text = ""

    def __call__(self, row: Row) -> int | None:
        """None for a row that is shorter, or whose endpoint keeps nothing."""
        if row is not self._last:
            self._of_last = self._of(row)
            self._last = row
        return self._of_last

    def _of(self, row: Row) -> int | None:
        if not isinstance(row, Request) or _is_short(row):
            return None
        if row.endpoint == "chat":
            first, messages = None, row.messages
        elif row.endpoint == "responses":
            first, messages = row.params.get("instructions"), row.input
        else:
            return None
        pieces = [self._of_tools(row)]
        length = len(pieces[0])
        for item in (first, *([messages] if isinstance(messages, str) else messages or ())):
            if length >= LENGTH:
                break
            text = _text(item, LENGTH - length)
            length += len(text)
            pieces.append(text)
        if length < LENGTH:
            return None
        return hash((row.model, "\n".join(pieces)[:LENGTH]))

    def _of_tools(self, row: Request) -> str:
        tools = row.extra.get("tools", row.params.get("tools"))
        if tools is None:
            return ""
        if tools is not self._tools:
            self._tools, self._text = tools, _json(tools)
        return self._text

    def __repr__(self) -> str:
        return f"<Beginnings of {LENGTH} characters>"


class _Lead(Struct):
    """Who goes first: ``sent`` once it was, and who waits for its first token."""

    beginning: int
    sent: bool = False
    waiting: asyncio.Future[None] | None = None


class Warmth:
    """Which beginnings are warm, and which row warms one now."""

    __slots__ = ("_clock", "_leads", "_rows", "_warm")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._warm: OrderedDict[int, float] = OrderedDict()
        self._leads: dict[int, _Lead] = {}
        self._rows: dict[str, _Lead] = {}

    def heard(self, row: Request, text: str | None) -> bool:
        """Where the row goes first: its first token is there, or it is tried once more.

        True where nothing depends on what else comes.
        """
        lead = self._rows.get(row.id)
        if lead is None:
            return True
        if text is None and not lead.sent:
            lead.sent = True
            return False
        self.ended(row, lead, warm=text is not None)
        return True

    async def turn(self, row: Row, beginning: int, seat: Seat) -> _Lead | None:
        """Wait until the row may be sent; what is returned is to be ended with the row."""
        while not self._is_warm(beginning):
            lead = self._leads.get(beginning)
            if lead is None:
                self._leads[beginning] = self._rows[row.id] = lead = _Lead(beginning)
                return lead
            if lead.waiting is None:
                lead.waiting = asyncio.get_running_loop().create_future()
            with seat:
                await asyncio.shield(lead.waiting)
        return None

    def ended(self, row: Row, lead: _Lead, *, warm: bool = False) -> None:
        """The row does not go first any more. Safe to call twice."""
        if warm:
            self._use(lead.beginning)
        if self._rows.get(row.id) is lead:
            del self._rows[row.id]
            del self._leads[lead.beginning]
            if lead.waiting is not None and not lead.waiting.done():
                lead.waiting.set_result(None)

    def _is_warm(self, beginning: int) -> bool:
        used = self._warm.get(beginning)
        if used is None or self._clock.now() - used > KEPT:
            return False
        self._use(beginning)
        return True

    def _use(self, beginning: int) -> None:
        self._warm[beginning] = self._clock.now()
        self._warm.move_to_end(beginning)
        if len(self._warm) > MOST:
            self._warm.popitem(last=False)

    def __repr__(self) -> str:
        return f"<Warmth: {len(self._warm)} warm, {len(self._leads)} being warmed>"


class Warming:
    """A worker that sends the first row of a beginning alone, until its first token came.

    The others wait without a place of their own in the engine. Where the first one fails, the next
    one goes first.
    """

    __slots__ = ("_beginning", "_warmth", "_worker")

    def __init__(self, worker: Worker, warmth: Warmth, beginning: Beginnings) -> None:
        self._worker = worker
        self._warmth = warmth
        self._beginning = beginning

    async def __call__(self, row: Row, seat: Seat) -> Result:
        """How the row ended; raises what the worker raises."""
        beginning = self._beginning(row)
        if beginning is None:
            return await self._worker(row, seat)
        lead = await self._warmth.turn(row, beginning, seat)
        if lead is None:
            return await self._worker(row, seat)
        try:
            result = await self._worker(row, seat)
            self._warmth.ended(row, lead, warm=result.error is None)
            return result
        finally:
            self._warmth.ended(row, lead)

    def __repr__(self) -> str:
        return f"<Warming {self._warmth!r} around {self._worker!r}>"


def _is_short(row: Request) -> bool:
    """Whether a glance tells that it is; most rows are."""
    if row.endpoint != "chat" or "tools" in row.params or row.extra:
        return False
    length = 0
    for message in row.messages:
        content = message.get("content")
        if not isinstance(content, str) or len(message) != 2:
            return False
        length += len(content) + 20  # its role and what is between them
    return length < LENGTH


def _text(item: Any, most: int) -> str:
    """One message or item, or a text of its own; of a long text the first ``most`` characters."""
    if item is None:
        return ""
    if isinstance(item, str):
        return item[:most]
    content = item.get("content") if isinstance(item, Mapping) else None
    if isinstance(content, str) and len(item) == 2:
        return f"{item.get('role')}\t{content[:most]}"
    return _json(item)


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (ValueError, TypeError, RecursionError):  # a lone surrogate, nested too deep
        return repr(value)
