"""Which rows are wanted, and in which order: found a piece at a time, as the file is read."""

from __future__ import annotations

import json
import os
import time
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import compress
from typing import Any, Literal

import msgspec
from msgspec import Struct

from .index import STATUSES, Index
from .needle import Needle

Column = Literal["file", "latency", "ttft", "cost", "output_tokens", "attempts"]

STEP = 20_000
"""Rows that are looked at in one go."""

BLOCK = 1 << 20
"""Bytes that a text is looked for in, in one go."""

RUN = 50_000
"""Rows that are sorted in one go: nothing else in the process moves meanwhile."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What rows have to be like; bounds are included, None is no bound.

    Latencies are in seconds, costs in USD. A row without a figure is outside of any bound. With
    ``case``, capital letters differ from small ones.
    """

    statuses: frozenset[str] | None = None
    min_latency: float | None = None
    max_latency: float | None = None
    min_cost: float | None = None
    max_cost: float | None = None
    text: str = ""
    case: bool = False
    sort: Column = "file"
    descending: bool = False


class Selection:
    """The numbers of the rows that fit, of the first ``seen`` rows of an index."""

    __slots__ = ("_index", "_needle", "_order", "_table", "numbers", "seen", "wanted")

    def __init__(self, index: Index, wanted: Wanted) -> None:
        self.wanted = wanted
        self.numbers = array("I")
        self.seen = 0
        self._index = index
        self._needle = Needle(wanted.text, case=wanted.case) if wanted.text else None
        some = wanted.statuses
        flags = [some is None or status in some for status in STATUSES]
        self._table = bytes(flags).ljust(256, b"\0")
        self._order: tuple[int, Sequence[int]] = (0, ())

    def __repr__(self) -> str:
        return f"<Selection {len(self.numbers)} of {self.seen} rows>"

    @property
    def read_to(self) -> int:
        """The bytes of the file that it holds for."""
        index = self._index
        return index.read_to if self.seen == len(index) else index.starts[self.seen]

    def advance(self, fd: int, seconds: float) -> None:
        """Look at rows for so long at most. Raises OSError."""
        until = time.monotonic() + seconds
        while self.seen < len(self._index):
            end = min(self.seen + STEP, len(self._index))
            if self._needle is not None:
                end = self._within_a_block(end)
            rows = self._fitting(self.seen, end)
            if self._needle is not None and rows:
                rows = self._saying(fd, self._needle, rows)
            self.numbers.extend(rows)
            self.seen = end
            if time.monotonic() > until:
                return

    def ordered(self) -> Sequence[int]:
        """The rows as they are to be shown; those without a figure come last."""
        wanted, index = self.wanted, self._index
        if wanted.sort == "file":
            return self.numbers[::-1] if wanted.descending else self.numbers
        if self._order[0] != len(self.numbers):
            column: Sequence[float] = getattr(index, wanted.sort)
            some = [row for row in self.numbers if column[row] >= 0]
            none = [row for row in self.numbers if column[row] < 0]
            ordered = array("I", [*_sorted(some, column, wanted.descending), *none])
            self._order = (len(ordered), ordered)
        return self._order[1]

    def _fitting(self, begin: int, end: int) -> Sequence[int]:
        """Of these rows the ones that fit but for the text."""
        index, wanted = self._index, self.wanted
        rows: Sequence[int] = range(begin, end)
        if wanted.statuses is not None:
            rows = list(compress(rows, index.statuses[begin:end].translate(self._table)))
        for column, low, high in (
            (index.latency, wanted.min_latency, wanted.max_latency),
            (index.cost, wanted.min_cost, wanted.max_cost),
        ):
            if low is not None or high is not None:
                least = max(0.0, low or 0.0)
                most = float("inf") if high is None else high
                rows = [row for row in rows if least <= column[row] <= most]
        return rows

    def _within_a_block(self, end: int) -> int:
        starts = self._index.starts
        most = starts[self.seen] + BLOCK
        return max(self.seen + 1, min(end, bisect_right(starts, most) - 1))

    def _saying(self, fd: int, needle: Needle, rows: Sequence[int]) -> list[int]:
        """Of these rows the ones that say the text."""
        index = self._index
        first, last = rows[0], rows[-1]
        base = index.starts[first]
        block = os.pread(fd, index.starts[last] + index.size(last) - base, base)
        asked = frozenset(rows)
        found: list[int] = []
        places = needle.places(block)
        place = next(places, None)
        while place is not None:
            row = bisect_right(index.starts, base + place) - 1
            begin = index.starts[row] - base
            after = begin + index.size(row)
            if row in asked and needle.is_in(decoded(block[begin:after].partition(b"\n")[0])):
                found.append(row)
            try:
                place = places.send(after)
            except StopIteration:
                break
        return found


def decoded(line: bytes) -> Any:
    """The line as JSON, as far as it is any; None where it is not."""
    try:
        return msgspec.json.decode(line)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None


def _sorted(rows: list[int], column: Sequence[float], descending: bool) -> list[int]:
    """In runs, which the last sort finds and has only to merge."""
    runs: list[int] = []
    for at in range(0, len(rows), RUN):
        run = rows[at : at + RUN]
        run.sort(key=column.__getitem__, reverse=descending)
        runs += run
    if len(rows) > RUN:
        runs.sort(key=column.__getitem__, reverse=descending)
    return runs
