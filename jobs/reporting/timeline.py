"""What happened when: rows, tokens, money and requests in flight over time, in flat memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

FINEST = 1 / 64
"""Seconds of the narrowest bin; each time there are too many, all become twice as wide."""

BINS = 4096
"""The most that are kept; only those in which something happened are, so that gaps cost nothing."""

(STARTS, START_ROOM, ENDS, END_ROOM, DONE, FAILED, TOKENS, COST, PRICED) = range(9)
"""What a bin counts: requests that began and ended in it, and for each the seconds from there to
the bin's end, added up; rows, failed ones among them, output tokens, USD, rows with a price."""

Bin = list[float]


class Span(Struct, frozen=True):
    """From ``start`` to ``end``, seconds since the epoch: so many seconds of requests in flight.

    ``counts`` are those of a bin; None where nothing began or ended.
    """

    start: float
    end: float
    in_flight_s: float
    counts: Bin | None


class Timeline:
    """Adds up what is told in any order. Times are seconds since the epoch."""

    __slots__ = ("_bins", "first", "last", "width")

    def __init__(self) -> None:
        self.width = FINEST
        self._bins: dict[float, Bin] = {}
        self.first = math.inf
        self.last = -math.inf

    def __repr__(self) -> str:
        return f"<Timeline of {len(self._bins)} bins of {self.width} s>"

    def request(self, start: float, end: float) -> None:
        """A request was in flight all that time."""
        self._begun(start)
        width = self.width
        number = end // width
        counts = self._bins.get(number)
        if counts is None:
            counts = self._new(end)
            width = self.width
            number = end // width
        counts[ENDS] += 1
        counts[END_ROOM] += (number + 1) * width - end

    def row(self, at: float, tokens: int, cost: float | None, *, failed: bool) -> None:
        """A row has its result."""
        self._done(self._bins.get(at // self.width) or self._new(at), at, tokens, cost, failed)

    def asked_once(
        self, start: float, end: float, tokens: int, cost: float | None, failed: bool
    ) -> None:
        """A row and its only request, in one step."""
        self._begun(start)
        width = self.width
        number = end // width
        counts = self._bins.get(number)
        if counts is None:
            counts = self._new(end)
            width = self.width
            number = end // width
        counts[ENDS] += 1
        counts[END_ROOM] += (number + 1) * width - end
        self._done(counts, end, tokens, cost, failed)

    def _begun(self, start: float) -> None:
        width = self.width
        number = start // width
        counts = self._bins.get(number)
        if counts is None:
            counts = self._new(start)
            width = self.width
            number = start // width
        counts[STARTS] += 1
        counts[START_ROOM] += (number + 1) * width - start
        if start < self.first:
            self.first = start

    def _done(self, counts: Bin, at: float, tokens: int, cost: float | None, failed: bool) -> None:
        counts[DONE] += 1
        counts[TOKENS] += tokens
        if failed:
            counts[FAILED] += 1
        if cost is not None:
            counts[COST] += cost
            counts[PRICED] += 1
        if at < self.first:
            self.first = at
        if at > self.last:
            self.last = at

    def spans(self) -> Iterator[Span]:
        """Every bin that something happened in, and what lies between them, in order."""
        width = self.width
        flying = 0.0
        before: float | None = None
        for number in sorted(self._bins):
            counts, start = self._bins[number], number * width
            if before is not None and start > before:
                yield Span(before, start, flying * (start - before), None)
            seconds = flying * width + counts[START_ROOM] - counts[END_ROOM]
            yield Span(start, start + width, max(0.0, seconds), counts)
            flying += counts[STARTS] - counts[ENDS]
            before = start + width

    def _new(self, at: float) -> Bin:
        if len(self._bins) == BINS:
            while len(self._bins) > BINS // 2:
                self._halve()
        return self._bins.setdefault(at // self.width, [0.0] * 9)

    def _halve(self) -> None:
        """Make bins twice as wide."""
        merged: dict[float, Bin] = {}
        for number, counts in self._bins.items():
            if not number % 2:  # the end of the wide bin is one width further away
                counts[START_ROOM] += counts[STARTS] * self.width
                counts[END_ROOM] += counts[ENDS] * self.width
            there = merged.setdefault(number // 2, counts)
            if there is not counts:
                for place, value in enumerate(counts):
                    there[place] += value
        self._bins = merged
        self.width *= 2
