"""Two asks of one row as one result: what both cost, and how long both took. Pure."""

from __future__ import annotations

from msgspec import structs

from ..errors import InvalidOutput
from ..model import Metrics, Result, Try, Usage


def added(first: Result, second: Result) -> Result:
    """The second result with the usage, cost and metrics of both.

    The first one ended with an answer that does not fit; the second began its wait (``queue_s``)
    where that had ended. A cost that is not known for an ask with usage is not known for both.
    """
    return structs.replace(
        second,
        usage=_usage(first.usage, second.usage),
        cost_usd=_cost(first, second),
        metrics=_metrics(first, second),
    )


def _usage(one: Usage | None, other: Usage | None) -> Usage | None:
    if one is None or other is None:
        return one or other
    return one + other


def _cost(first: Result, second: Result) -> float | None:
    if second.usage is None and second.cost_usd is None:
        return first.cost_usd  # it failed, and nobody says that it cost anything
    if first.cost_usd is None or second.cost_usd is None:
        return None
    return first.cost_usd + second.cost_usd


def _metrics(one: Result, other: Result) -> Metrics | None:
    """From the first send to the last byte; the gaps and the speed are those of the last answer."""
    first, second = one.metrics, other.metrics
    if first is None or second is None:  # one of them was never sent
        return first or second
    return structs.replace(
        second,
        started_at=first.started_at,
        queue_s=first.queue_s,
        limiter_s=round(first.limiter_s + second.limiter_s, 6),
        ttft_s=first.ttft_s,
        latency_s=round(first.latency_s + second.queue_s + second.latency_s, 6),
        attempts=first.attempts + second.attempts,
        retried=[*first.retried, InvalidOutput.type, *second.retried],
        tried=[
            *_tried(one, first, 0.0, InvalidOutput.type),
            *_tried(other, second, first.latency_s + second.queue_s, _error(other)),
        ],
    )


def _error(result: Result) -> str | None:
    return None if result.error is None else result.error.type


def _tried(result: Result, metrics: Metrics, after: float, error: str | None) -> list[Try]:
    """The attempts of one ask that began so many seconds ``after`` the first; how it ended."""
    tried = metrics.tried or [
        Try(0.0, metrics.latency_s, f"{result.provider}/{result.model}", None)
    ]
    *earlier, last = [structs.replace(one, at_s=round(after + one.at_s, 6)) for one in tried]
    return [*earlier, structs.replace(last, error=last.error or error)]
