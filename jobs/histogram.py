"""Percentiles of a million values in a few kilobytes."""

from __future__ import annotations

import math

from msgspec import Struct

WIDTH = math.log(1.02)
"""Neighbouring buckets are 2 % apart, so a percentile is off by 1 % at most."""

SMALLEST = 1e-6
"""Smaller values, in seconds, count as this one."""

_log = math.log


class Percentiles(Struct, frozen=True):
    """In seconds; None where there was no value."""

    p50: float | None
    p95: float | None
    p99: float | None = None


class Histogram:
    """Counts positive values in logarithmic buckets."""

    __slots__ = ("_buckets", "count")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0

    def add(self, value: float) -> None:
        bucket = int(_log(value / SMALLEST) / WIDTH) if value > SMALLEST else 0
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1

    def percentile(self, percent: float) -> float | None:
        """The value that ``percent`` of all values do not exceed; None when there are none."""
        wanted = self.count * percent / 100
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return SMALLEST * math.exp((bucket + 0.5) * WIDTH)
        return None

    @property
    def percentiles(self) -> Percentiles:
        return Percentiles(*map(self.percentile, (50, 95, 99)))

    def bars(self, most: int) -> list[tuple[float, float, int]]:
        """At most so many bars of equal width on a logarithmic scale: from, to, how many."""
        if not self._buckets:
            return []
        first, last = min(self._buckets), max(self._buckets)
        width = -(-(last - first + 1) // most)
        counts = [0] * -(-(last - first + 1) // width)
        for bucket, count in self._buckets.items():
            counts[(bucket - first) // width] += count
        edges = [_edge(first + width * i) for i in range(len(counts) + 1)]
        return list(zip(edges, edges[1:], counts, strict=False))

    def __repr__(self) -> str:
        return f"<Histogram of {self.count}>"


def _edge(bucket: int) -> float:
    """Where a bucket begins, in seconds."""
    return float(f"{SMALLEST * math.exp(bucket * WIDTH):.4g}")
