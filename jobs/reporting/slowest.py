"""The slowest rows of a file, and what each of them spent its time on."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from msgspec import UNSET, Struct

from ..metrics import Try
from .groups import LONGEST, model_of
from .line import Line

TRIES = 50
"""The most attempts of a row that are kept, its first ones."""


class Slow(Struct, frozen=True, kw_only=True):
    """A row, on ``line`` of the file. Times as in the file, in seconds.

    ``tries`` are its attempts, with seconds from the first send; ``more_tries`` are left out.
    """

    id: str
    line: int
    status: str
    error: str | None
    model: str
    started_at: str
    queue_s: float
    limiter_s: float
    ttft_s: float | None
    latency_s: float
    attempts: int
    output_tokens: int | None
    cost_usd: float | None
    tries: Sequence[Try]
    more_tries: int = 0


class Slowest:
    """Keeps the ``most`` rows with the greatest latency; of equal ones the first."""

    __slots__ = ("_heap", "_most", "threshold")

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Slow]] = []
        self.threshold = -1.0 if most else float("inf")
        """Seconds; faster rows need not be added."""

    def add(self, row: Line, number: int) -> None:
        """The row on that line; it has metrics."""
        metrics = row.metrics
        if metrics is None or metrics.latency_s <= self.threshold:
            return
        entry = (metrics.latency_s, -number, _slow(row, number))
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heapreplace(self._heap, entry)
        if len(self._heap) == self._most:
            self.threshold = self._heap[0][0]

    def figures(self) -> list[Slow]:
        """The slowest first."""
        return [slow for _, _, slow in sorted(self._heap, reverse=True)]


def _slow(row: Line, number: int) -> Slow:
    metrics = row.metrics
    assert metrics is not None  # noqa: S101 - only rows with times get here
    label = model_of(row)[:LONGEST]
    error = None if row.error is None else row.error.type[:LONGEST]
    if metrics.tried is UNSET:
        tries = [Try(0.0, metrics.latency_s, label, error)] if metrics.attempts == 1 else []
    else:
        tries = [
            Try(one.at_s, one.took_s, one.route[:LONGEST], one.error and one.error[:LONGEST])
            for one in metrics.tried[:TRIES]
        ]
    more = 0 if metrics.tried is UNSET else len(metrics.tried) - len(tries)
    return Slow(
        id=row.id[:LONGEST],
        line=number,
        status=row.status,
        error=error,
        model=label,
        started_at=metrics.started_at[:40],
        queue_s=metrics.queue_s,
        limiter_s=metrics.limiter_s,
        ttft_s=metrics.ttft_s,
        latency_s=metrics.latency_s,
        attempts=metrics.attempts,
        output_tokens=None if row.usage is None else row.usage.output_tokens,
        cost_usd=row.cost_usd,
        tries=tries,
        more_tries=more,
    )
