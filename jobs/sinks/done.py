"""Which rows are done, at 7 bytes a row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from ..compact import halves

_FULL = 0.85
_CODE = 0x7
_USED = 0x8
_MARK = 0x10
_TAG_SHIFT = 5
_LOW = 0xFFFF_FFFF


class TableFull(Exception):
    """More came than there was said to be."""


class DoneTable:
    """64-bit hashes with a small code (0 to 7) each, and whether they were marked.

    There is room for as many as were told; a slot has 6 bytes, of which 43 bits are the hash's: its
    upper half, and 11 bits of the lower one, whose others choose the place. Together that makes one
    row of a hundred million million be taken for another. ``numbered`` keeps a number with each, in
    4 bytes more (below 2**32). A hash may have any sign. ``marked`` is how many of them are.
    """

    __slots__ = ("_high", "_low", "_numbers", "marked", "used")

    def __init__(self, rows: int, *, numbered: bool = False) -> None:
        slots = int(rows / _FULL) + 2
        self._low = array("I", [0]) * slots
        self._high = array("H", [0]) * slots
        self._numbers = array("I", [0]) * (slots if numbered else 0)
        self.used = 0
        self.marked = 0

    def put_all(
        self, keys: Sequence[int], codes: Iterable[int], numbers: Sequence[int]
    ) -> list[int]:
        """Set, or replace, what belongs to each hash: which of them, from 0, were there.

        Raises TableFull before any of them is put.
        """
        low, high, numbered = self._low, self._high, self._numbers
        slots = len(high)
        if self.used + len(keys) >= slots:
            raise TableFull
        replaced = []
        for which, ((lower, upper), code) in enumerate(zip(halves(keys), codes, strict=True)):
            place = lower % slots
            tag = lower >> 21
            while there := high[place]:
                if there >> _TAG_SHIFT == tag and low[place] == upper:
                    replaced.append(which)
                    self.marked -= bool(there & _MARK)
                    break
                place += 1
                if place == slots:
                    place = 0
            else:
                low[place] = upper
            high[place] = tag << _TAG_SHIFT | _USED | code
            if numbered:
                numbered[place] = numbers[which]
        self.used += len(keys) - len(replaced)
        return replaced

    def mark_all(self, keys: Sequence[int]) -> list[int]:
        """Mark each one that is there; its slot, and -1 for one that is not."""
        low, high = self._low, self._high
        slots = len(high)
        found = []
        marked = 0
        for lower, upper in halves(keys):
            place = lower % slots
            tag = lower >> 21
            while there := high[place]:
                if there >> _TAG_SHIFT == tag and low[place] == upper:
                    if not there & _MARK:
                        high[place] = there | _MARK
                        marked += 1
                    break
                place += 1
                if place == slots:
                    place = 0
            found.append(place if there else -1)
        self.marked += marked
        return found

    def find(self, key: int) -> int:
        """Its slot; -1 where it is not there."""
        low, high = self._low, self._high
        slots = len(high)
        lower = key & _LOW
        place = lower % slots
        upper, tag = key >> 32 & _LOW, lower >> 21
        while there := high[place]:
            if there >> _TAG_SHIFT == tag and low[place] == upper:
                return place
            place += 1
            if place == slots:
                place = 0
        return -1

    def code(self, slot: int) -> int:
        return self._high[slot] & _CODE

    def number(self, slot: int) -> int:
        """The number of it, in a table that has them."""
        return self._numbers[slot]

    def mark(self, slot: int) -> None:
        there = self._high[slot]
        if not there & _MARK:
            self._high[slot] = there | _MARK
            self.marked += 1

    def is_marked(self, slot: int) -> bool:
        return bool(self._high[slot] & _MARK)

    def __len__(self) -> int:
        return self.used

    def __repr__(self) -> str:
        return f"DoneTable({self.used} rows, {6 * len(self._high)} bytes)"
