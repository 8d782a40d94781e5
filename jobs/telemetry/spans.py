"""Finished rows as spans of OTLP: one for the row, one below it for each attempt.

They are written as bytes at once: OpenTelemetry's own way from a span to bytes takes ten times as
long, and holds the interpreter from the event loop meanwhile (docs/telemetry.md).
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from msgspec import Struct

from ..model import Metrics, Try
from . import names
from .labels import label, provider_name
from .record import Record, route_of, texts
from .wire import BYTES, FIXED64, Attribute, chunk, number, tag

TRACE_ID, SPAN_ID, STATE, PARENT, NAME, KIND, START, END, ATTRIBUTES, STATUS, FLAGS = (
    *range(1, 10), 15, 16,
)  # fmt: skip
"""Fields of a Span (opentelemetry/proto/trace/v1/trace.proto)."""

INTERNAL, CLIENT = 1, 3
ERROR = 2
ROW, TRY = "llmbatch row", "llmbatch attempt"
KNOWN, REMOTE = 0x100, 0x200
"""Flags: it is known whether the parent is of another process, and it is."""
GOOD = frozenset({"ok", "truncated"})


class Trace(Struct, frozen=True):
    """The trace of a job, and its own span; ``parent`` is one elsewhere that this is below."""

    id: bytes
    span: bytes
    parent: bytes | None
    state: str
    flags: int

    @property
    def hex(self) -> str:
        return self.id.hex()

    @property
    def head(self) -> bytes:
        """What all spans of the trace begin with."""
        state = chunk(STATE, self.state.encode()) if self.state else b""
        flags = tag(FLAGS, 5) + struct.pack("<I", self.flags | KNOWN)
        return chunk(TRACE_ID, self.id) + state + flags


def new_span_id() -> bytes:
    """Eight bytes, never all 0."""
    return (random.getrandbits(64) or 1).to_bytes(8, "big")


class Spans:
    """Writes the spans of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._head = trace.head
        self._job = trace.span

    def of(self, record: Record) -> Iterator[bytes]:
        """The row's own span first."""
        metrics = record.metrics
        if metrics is None or record.reused is not None or record.provider is None:
            yield self._unasked(record)
            return
        began, span = nanos(metrics.started_at), new_span_id()
        yield b"".join(
            (
                self._times(span, self._job, began, metrics.latency_s),
                _who(record.endpoint, record.provider, record.model or ""),
                *(_ATTRIBUTE[name].any(value) for name, value in record.asked.items()),
                *_used(record),
                *_timed(metrics, record),
                *_ended(record),
            )
        )
        for place, attempt in enumerate(_tries(metrics, record), 1):
            yield self._attempt(attempt, place, span, began)

    def _unasked(self, record: Record) -> bytes:
        """A row that nobody was asked about: its span has no length."""
        head = self._times(new_span_id(), self._job, round(record.ended_at * 1e9), 0.0)
        reused = () if record.reused is None else (_REUSED.text(record.reused),)
        return b"".join((head, _UNASKED, *reused, *_ended(record)))

    def _attempt(self, attempt: Try, place: int, row: bytes, began: int) -> bytes:
        start = began + round(attempt.at_s * 1e9)
        head = self._times(new_span_id(), row, start, attempt.took_s)
        failed = b"" if attempt.error is None else _failed(attempt.error)
        return head + _TRY + _ATTEMPT.integer(place) + _route(attempt.route) + failed

    def _times(self, span: bytes, parent: bytes, began: int, seconds: float) -> bytes:
        ended = began + round(seconds * 1e9)
        return self._head + _TIMES.pack(_SPAN, span, _PARENT, parent, _START, began, _END, ended)


def _attribute(name: str) -> Attribute:
    return Attribute(ATTRIBUTES, name)


_ATTRIBUTE = {
    name: _attribute(name)
    for name in (
        *names.REQUEST_NUMBERS.values(),
        names.REQUEST_STREAM,
        names.REQUEST_MAX_TOKENS,
        names.REQUEST_SEED,
        names.OUTPUT_TYPE,
        names.CHUNK,
        names.FOLD_LEVEL,
        names.FOLD_NUMBER,
    )
}
_INPUT, _OUTPUT = _attribute(names.INPUT_TOKENS), _attribute(names.OUTPUT_TOKENS)
_CACHE_READ, _CACHE_WRITE = map(_attribute, (names.CACHE_READ_TOKENS, names.CACHE_WRITE_TOKENS))
_REASONING, _COST = _attribute(names.REASONING_TOKENS), _attribute(names.COST)
_FINISH, _QUEUE = _attribute(names.FINISH_REASONS), _attribute(names.QUEUE)
_LIMITER, _ATTEMPTS = _attribute(names.LIMITER), _attribute(names.ATTEMPTS)
_RETRIED, _FALLBACKS = _attribute(names.RETRIED), _attribute(names.FALLBACKS)
_FIRST_CHUNK = _attribute(names.TIME_TO_FIRST_CHUNK)
_GAP_MEAN, _GAP_MAX = _attribute(names.GAP_MEAN), _attribute(names.GAP_MAX)
_STATUS, _LINE = _attribute(names.STATUS), _attribute(names.LINE)
_ERROR, _HTTP = _attribute(names.ERROR_TYPE), _attribute(names.HTTP_STATUS)
_ID, _ASKED = _attribute(names.ROW_ID), _attribute(names.INPUT_MESSAGES)
_ANSWERED, _REUSED = _attribute(names.OUTPUT_MESSAGES), _attribute(names.REUSED)
_ATTEMPT, _ROUTE = _attribute(names.ATTEMPT), _attribute(names.ROUTE)
_TIMES = struct.Struct("<2s8s2s8s1sQ1sQ")
_SPAN, _PARENT = (tag(field, BYTES) + b"\x08" for field in (SPAN_ID, PARENT))
_START, _END = (tag(field, FIXED64) for field in (START, END))
_UNASKED = chunk(NAME, ROW.encode()) + number(KIND, INTERNAL)
_TRY = chunk(NAME, TRY.encode()) + number(KIND, CLIENT)


@lru_cache(maxsize=256)
def _who(endpoint: str, provider: str, model: str) -> bytes:
    operation = names.OPERATIONS[endpoint]
    asked = {
        names.OPERATION: operation,
        names.PROVIDER: provider_name(provider),
        names.REQUEST_MODEL: label(model),
    }
    name = f"{operation} {label(model)}"
    told = (_attribute(key).text(value) for key, value in asked.items())
    return chunk(NAME, name.encode()) + number(KIND, CLIENT) + b"".join(told)


@lru_cache(maxsize=256)
def _route(name: str) -> bytes:
    return _ROUTE.text(label(name))


@lru_cache(maxsize=64)
def _failed(error: str) -> bytes:
    return _ERROR.text(label(error)) + chunk(STATUS, number(3, ERROR))


@lru_cache(maxsize=16)
def _status(status: str) -> bytes:
    return _STATUS.text(status)


@lru_cache(maxsize=64)
def _finish(reason: str) -> bytes:
    return _FINISH.texts((reason,))


def _used(record: Record) -> Iterator[bytes]:
    usage = record.usage
    if usage is not None:
        yield _INPUT.integer(usage.input_tokens)
        yield _OUTPUT.integer(usage.output_tokens)
        if usage.cached_tokens:
            yield _CACHE_READ.integer(usage.cached_tokens)
        if usage.cache_write_tokens:
            yield _CACHE_WRITE.integer(usage.cache_write_tokens)
        if usage.reasoning_tokens:
            yield _REASONING.integer(usage.reasoning_tokens)
    if record.cost_usd is not None:
        yield _COST.double(record.cost_usd)
    if record.finish_reason is not None:
        yield _finish(record.finish_reason)


def _timed(metrics: Metrics, record: Record) -> Iterator[bytes]:
    yield _QUEUE.double(metrics.queue_s)
    yield _LIMITER.double(metrics.limiter_s)
    yield _ATTEMPTS.integer(metrics.attempts)
    if metrics.retried:
        yield _RETRIED.texts(texts(metrics.retried))
    if record.fallbacks:
        yield _FALLBACKS.integer(record.fallbacks)
    if metrics.ttft_s is not None and names.REQUEST_STREAM in record.asked:
        yield _FIRST_CHUNK.double(metrics.ttft_s)
    if metrics.itl_mean_s is not None and metrics.itl_max_s is not None:
        yield _GAP_MEAN.double(metrics.itl_mean_s)
        yield _GAP_MAX.double(metrics.itl_max_s)


def _ended(record: Record) -> Iterator[bytes]:
    yield _status(record.status)
    if record.piece:
        yield from (_ATTRIBUTE[name].integer(value) for name, value in record.piece.items())
    else:
        yield _LINE.integer(record.line)
    if record.error is not None or record.status not in GOOD:
        yield _failed(record.error or record.status)
    if record.http_status is not None:
        yield _HTTP.integer(record.http_status)
    content = record.content
    if content is not None:
        yield _ID.text(content.id)
        if content.asked is not None:
            yield _ASKED.text(content.asked)
        if content.answered is not None:
            yield _ANSWERED.text(content.answered)
        if content.error is not None:  # a second status is merged with the first
            yield chunk(STATUS, chunk(2, content.error.encode()))


def _tries(metrics: Metrics, record: Record) -> Sequence[Try]:
    """Every attempt; of a single one the row's own times are the times."""
    if metrics.tried:
        return metrics.tried
    route = route_of(record.provider, record.model)
    error = record.error if record.status in ("error", "partial") else None
    return (Try(0.0, metrics.latency_s, route, error),)


def nanos(stamp: str) -> int:
    """A time in ISO 8601 as nanoseconds since the epoch."""
    return round(datetime.fromisoformat(stamp).timestamp() * 1000) * 1_000_000
