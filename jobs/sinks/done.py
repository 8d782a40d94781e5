"""Which rows are done, at 7 bytes a row."""

from __future__ import annotations

from array import array

_FULL = 0.85
_CODE = 0x7
_MARK = 0x10
_TAG_SHIFT = 5
_LOW = 0xFFFF_FFFF


class DoneTable:
    """64-bit hashes with a small code (0 to 7) each, and whether they were marked.

    There is room for as many as were told; a slot has 6 bytes, of which 43 bits are the hash's.
    Together with its place in the table that makes one row of a hundred million million be taken
    for another. ``numbered`` keeps a number with each, in 4 bytes more (below 2**32).
    """

    __slots__ = ("_high", "_low", "_numbers", "used")

    def __init__(self, rows: int, *, numbered: bool = False) -> None:
        slots = int(rows / _FULL) + 2
        self._low = array("I", [0]) * slots
        self._high = array("H", [0]) * slots
        self._numbers = array("I", [0]) * (slots if numbered else 0)
        self.used = 0

    def put(self, key: int, code: int, number: int) -> bool:
        """Set, or replace, what belongs to the hash; False where it was there."""
        low, high = self._low, self._high
        slots = len(high)
        place = key % slots
        mine, tag = key >> 21 & _LOW, key >> 53
        while there := high[place]:
            if there >> _TAG_SHIFT == tag and low[place] == mine:
                break
            place += 1
            if place == slots:
                place = 0
        low[place] = mine
        high[place] = tag << _TAG_SHIFT | 0x8 | code
        if self._numbers:
            self._numbers[place] = number
        if there:
            return False
        self.used += 1
        return True

    def find(self, key: int) -> int:
        """Its slot; -1 where it is not there."""
        low, high = self._low, self._high
        slots = len(high)
        place = key % slots
        mine, tag = key >> 21 & _LOW, key >> 53
        while there := high[place]:
            if there >> _TAG_SHIFT == tag and low[place] == mine:
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

    def mark(self, slot: int) -> bool:
        """True where it was not marked before."""
        there = self._high[slot]
        self._high[slot] = there | _MARK
        return not there & _MARK

    def marked(self, slot: int) -> bool:
        return bool(self._high[slot] & _MARK)

    def __len__(self) -> int:
        return self.used

    def __repr__(self) -> str:
        return f"DoneTable({self.used} rows, {6 * len(self._high)} bytes)"
