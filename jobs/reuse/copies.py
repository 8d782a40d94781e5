"""When an answer may stand for another row that asks the same, and that row's result then. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from msgspec import UNSET, structs

from ..errors import PermanentError
from ..model import GOOD, Metrics, Request, Result, Usage

ANSWERED = frozenset({"ok", "truncated", "refused", "filtered"})
"""Statuses with which somebody answered the row, for good."""


def _types(kind: type[PermanentError]) -> set[str]:
    return {kind.type}.union(*(_types(sub) for sub in kind.__subclasses__()))


_LASTING = _types(PermanentError)


def shareable(result: Result) -> bool:
    """Whether another row that asks the same would end the same way.

    So does one that was answered, or that the first route will never answer; what passes, such as
    an outage or a broken stream, is each row's own.
    """
    if result.status in ANSWERED:
        return True
    error = result.error
    return (
        error is not None
        and result.status in ("error", "invalid_output")
        and not result.fallbacks
        and error.type in _LASTING
    )


def storable(result: Result) -> bool:
    """Whether the answer may be kept for other jobs: a good one, of the route that was asked."""
    return result.status in GOOD and not result.fallbacks


def reuse(result: Result) -> Literal["same", "cached"] | None:
    """Whose answer it is: another row's of the job, or another job's; None where it was asked."""
    metrics = result.metrics
    if metrics is None:
        return None
    if metrics.same_as is not UNSET:
        return "same"
    return "cached" if metrics.cached is True else None


def of_twin(row: Request, answer: Result, now: float, wall: float) -> Result:
    """The result of a row whose answer is that of another row of the job. It cost nothing.

    ``now`` is the clock's time, ``wall`` seconds since the epoch.
    """
    metrics = answer.metrics
    asked = answer.id if metrics is None or metrics.same_as is UNSET else metrics.same_as
    return _as(row, answer, structs.replace(_unasked(row, now, wall), same_as=asked))


def of_cached(row: Request, answer: Result, now: float, wall: float) -> Result:
    """The same for an answer that another job got."""
    return _as(row, answer, structs.replace(_unasked(row, now, wall), cached=True))


def _as(row: Request, answer: Result, metrics: Metrics) -> Result:
    return structs.replace(
        answer,
        id=row.id,
        line=row.line,
        fingerprint=row.fingerprint,
        usage=Usage(),
        cost_usd=0.0,
        metrics=metrics,
        metadata=row.metadata,
        chunk=row.chunk,
        fold=row.fold,
        quotes=UNSET,
    )


def _unasked(row: Request, now: float, wall: float) -> Metrics:
    """The metrics of a row that was not sent: all it did was to wait for another."""
    began = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    return Metrics(
        started_at=began[:-6] + "Z",
        queue_s=round(now - row.read_at, 6),
        limiter_s=0.0,
        ttft_s=None,
        itl_mean_s=None,
        itl_max_s=None,
        latency_s=0.0,
        output_tokens_per_s=None,
        attempts=0,
        retried=[],
    )
