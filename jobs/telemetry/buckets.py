"""A histogram with fixed buckets, as Prometheus and OpenTelemetry know it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct


class Buckets:
    """Counts values by the first bound that they do not exceed; one more count is for the rest."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def read(self) -> Distribution:
        """As it is now."""
        return Distribution(self.bounds, tuple(self.counts), self.total)

    def __repr__(self) -> str:
        return f"<Buckets of {sum(self.counts)}>"


class Distribution(Struct, frozen=True):
    """A histogram at one moment; ``total`` is the sum of all values."""

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def cumulated(self) -> list[int]:
        """How many values are at most each bound, and how many there are."""
        return list(accumulate(self.counts))
