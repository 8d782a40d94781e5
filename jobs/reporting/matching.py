"""Which rows of several files are the same, by their ids, and how each of them ended where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from msgspec import Struct

from ..compact import CompactMap
from ..model import GOOD, Status
from .figures import Heard
from .line import Line

_MASK = (1 << 64) - 1
_BITS = 4
_STATUSES: Sequence[str] = (*get_args(Status),)
"""Its place, from 1, is kept for each file; 0 is a row that is not there."""

MOST = 64 // _BITS
"""Files that can be matched."""


class Match(Struct, frozen=True, kw_only=True):
    """Rows by id. ``changed`` counts ``"ok -> error"`` and the like; ``mended`` rows ended well in
    the later file alone, ``broken`` ones in the first alone. Of an id that a file has twice it is
    the last line that counts."""

    both: int
    only_first: int
    only_other: int
    changed: Mapping[str, int]
    mended: int
    broken: int


class Matching:
    """Remembers ids at 22 to 43 bytes each, as hashes of 64 bits, and one status a file."""

    __slots__ = ("_ends", "_files")

    def __init__(self) -> None:
        self._ends = CompactMap()
        self._files = 0

    def __repr__(self) -> str:
        return f"<Matching of {self._files} files, {len(self._ends)} ids>"

    def next_file(self) -> Heard:
        """What is to be told every row of the next file."""
        shift = self._files * _BITS
        self._files += 1
        marks = {status: place << shift for place, status in enumerate(_STATUSES, 1)}
        clear = _MASK ^ (15 << shift)
        ends = self._ends

        def heard(row: Line) -> None:
            key = hash(row.id) & _MASK
            mark = marks[row.status]
            there = ends.setdefault(key, mark)
            if there != mark:
                ends.put(key, there & clear | mark)

        return heard

    def matches(self) -> list[Match]:
        """One for each file after the first."""
        pairs = [Counter[tuple[int, int]]() for _ in range(1, self._files)]
        for _, ends in self._ends.items():
            first = ends & 15
            for place, counts in enumerate(pairs, 1):
                counts[first, ends >> place * _BITS & 15] += 1
        return [_match(counts) for counts in pairs]


def _match(counts: Mapping[tuple[int, int], int]) -> Match:
    both = only_first = only_other = mended = broken = 0
    changed: Counter[str] = Counter()
    for (first, other), number in counts.items():
        if not (first and other):
            only_first += number if first else 0
            only_other += number if other else 0
            continue
        both += number
        if first != other:
            was, now = _STATUSES[first - 1], _STATUSES[other - 1]
            changed[f"{was} -> {now}"] += number
            mended += number if was not in GOOD and now in GOOD else 0
            broken += number if was in GOOD and now not in GOOD else 0
    return Match(
        both=both,
        only_first=only_first,
        only_other=only_other,
        changed=dict(changed.most_common()),
        mended=mended,
        broken=broken,
    )
