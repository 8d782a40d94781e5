"""What rules are judged by: counts, costs and latencies of rows, of all of them or the latest."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Mapping
from math import fsum
from typing import get_args

from msgspec import UNSET, Struct

from ..model import GOOD, Result, Status
from .rule import Metric

_REFUSED = frozenset({"refused", "filtered"})


def _counted_as(status: Status) -> tuple[Metric, ...]:
    found: list[Metric] = [] if status in GOOD else ["failed"]
    if status in _REFUSED:
        found.append("refused")
    elif status == "truncated" or status == "invalid_output":
        found.append(status)
    return tuple(found)


METRICS_OF: Mapping[Status, tuple[Metric, ...]] = {
    status: _counted_as(status) for status in get_args(Status)
}
"""The metrics that count a row which ended so. A row that was invalid has failed, too."""


class Ended(Struct, frozen=True):
    """The end of a row; cost in USD and latency in seconds, None where it has none of its own."""

    status: Status
    cost: float | None = None
    latency: float | None = None

    @classmethod
    def of(cls, result: Result) -> Ended:
        """An answer out of the cache, or another row's, tells nothing of cost and latency."""
        metrics = result.metrics
        if metrics is None or metrics.cached is True or metrics.same_as is not UNSET:
            return cls(result.status)
        return cls(result.status, result.cost_usd, metrics.latency_s)


class Measured:
    """Rows that have ended: all of them, or with ``size`` the latest so many.

    Of costs and latencies there are the latest so many as well, of the rows that have them.
    """

    __slots__ = ("_costs", "_latencies", "_rows", "_size", "_sorted", "counts")

    def __init__(self, size: int | None = None) -> None:
        self._size = size
        self._rows: deque[Status] = deque()
        self._costs: deque[float] = deque(maxlen=size)
        self._latencies: deque[float] = deque()
        self._sorted: list[float] = []
        self.counts: Counter[Metric] = Counter()

    @property
    def rows(self) -> int:
        return len(self._rows)

    @property
    def costs(self) -> int:
        """How many of them have a cost."""
        return len(self._costs)

    @property
    def latencies(self) -> int:
        """How many of them have a latency."""
        return len(self._latencies)

    @property
    def mean_cost(self) -> float:
        """USD a row; 0 where none has a cost."""
        return fsum(self._costs) / len(self._costs) if self._costs else 0.0

    @property
    def p95(self) -> float:
        """Seconds that 95 of 100 rows did not exceed (the nearest rank); 0 where there is none."""
        rank = -(-95 * len(self._sorted) // 100)
        return self._sorted[rank - 1] if rank else 0.0

    def add(self, row: Ended) -> None:
        """A row has ended; the oldest makes room for it."""
        self._rows.append(row.status)
        for metric in METRICS_OF[row.status]:
            self.counts[metric] += 1
        if len(self._rows) - 1 == self._size:
            for metric in METRICS_OF[self._rows.popleft()]:
                self.counts[metric] -= 1
        if row.cost is not None:
            self._costs.append(row.cost)
        if row.latency is not None:
            self._latencies.append(row.latency)
            insort(self._sorted, row.latency)
            if len(self._latencies) - 1 == self._size:
                del self._sorted[bisect_left(self._sorted, self._latencies.popleft())]

    def __repr__(self) -> str:
        return f"<Measured {self.rows} rows, {dict(self.counts)}>"
