"""What is kept of a finished row until its spans are sent: little, and without its text."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from ..events import RowFinished
from ..model import Metrics, Request, Usage
from ..reuse.copies import reuse
from . import names
from .attributes import Value
from .content import Content
from .labels import label, word


class Record(Struct, frozen=True, kw_only=True):
    """A row that has its end. ``ended_at`` is when that was heard of, in seconds since the epoch.

    ``asked`` are attributes that tell what was asked for. ``content`` is set where the text may
    leave.
    """

    line: int
    status: str
    endpoint: str
    provider: str | None
    model: str | None
    fallbacks: int
    finish_reason: str | None
    usage: Usage | None
    cost_usd: float | None
    metrics: Metrics | None
    error: str | None
    http_status: int | None
    reused: str | None
    piece: Mapping[str, int]
    asked: Mapping[str, Value]
    ended_at: float
    content: Content | None = None

    @property
    def spans(self) -> int:
        """How many spans this row is."""
        metrics = self.metrics
        if metrics is None or self.reused is not None or self.provider is None:
            return 1
        return 1 + (len(metrics.tried) if metrics.tried else 1)

    @property
    def size(self) -> int:
        """Bytes of its text, about."""
        return 0 if self.content is None else self.content.size


def record_of(event: RowFinished, *, streams: bool, content: bool) -> Record:
    """What is to be kept of a row."""
    result, row = event.result, event.row
    endpoint = result.endpoint or "chat"
    return Record(
        line=result.line,
        status=result.status,
        endpoint=endpoint,
        provider=result.provider,
        model=result.model,
        fallbacks=result.fallbacks,
        finish_reason=None if result.finish_reason is None else word(result.finish_reason),
        usage=result.usage,
        cost_usd=result.cost_usd,
        metrics=result.metrics,
        error=None if result.error is None else result.error.type,
        http_status=None if result.error is None else result.error.http_status,
        reused=reuse(result),
        piece=_piece(event),
        asked=_asked(row if isinstance(row, Request) else None, endpoint, streams=streams),
        ended_at=time.time(),
        content=Content.of(result, row) if content else None,
    )


def _piece(event: RowFinished) -> Mapping[str, int]:
    """Which chunk or fold of an analysis it is."""
    chunk, fold = event.result.chunk, event.result.fold
    if chunk:
        return {names.CHUNK: chunk.number}
    if fold:
        return {names.FOLD_LEVEL: fold.level, names.FOLD_NUMBER: fold.number}
    return {}


def _asked(row: Request | None, endpoint: str, *, streams: bool) -> Mapping[str, Value]:
    found: dict[str, Value] = {}
    if streams and endpoint != "embeddings":
        found[names.REQUEST_STREAM] = True
    if row is None or not (row.params or row.extra):
        return found
    params = {**row.params, **row.extra}
    for name, key in names.REQUEST_NUMBERS.items():
        value = params.get(name)
        if isinstance(value, (int, float)):
            with suppress(OverflowError):  # JSON has whole numbers that no float holds
                found[key] = float(value)
    if row.max_tokens is not None:
        found[names.REQUEST_MAX_TOKENS] = row.max_tokens
    if isinstance(seed := params.get("seed"), int):
        found[names.REQUEST_SEED] = seed
    if "response_format" in params:
        kind = params["response_format"]
        named = kind.get("type") if isinstance(kind, Mapping) else None
        found[names.OUTPUT_TYPE] = "text" if named == "text" else "json"
    return found


def route_of(provider: str | None, model: str | None) -> str:
    """The label of who was asked."""
    return label(f"{provider}/{model}")


def texts(values: Sequence[str]) -> tuple[str, ...]:
    """Names as labels."""
    return tuple(map(label, values))
