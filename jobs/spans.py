"""Where in a file something stands, at 5 bytes a thing."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

GROUP = 16
"""Things whose place is one and the same: the first byte of the first of them."""

ROOM = 1 << 16
"""Bytes after which no more things join a group."""

ALIKE = 4
"""Entries that can't be told apart and may stand beside each other."""

_MASK64 = 0xFFFF_FFFF_FFFF_FFFF
_FEWEST, _USUAL, _MOST = 1 << 10, 1 << 16, 1 << 23  # slots of the first of several tables
_FULL = 0.8


class SpanTable:
    """From the hash of a thing to the spans of a file in which it may stand, to be looked through.

    A slot has 4 bytes: the number of a group of neighbours, and as many bits of the hash as are
    left beside it (11 where a million things are expected). Things come in the order of the file.
    One that is put again and again takes a few slots, of which the last one leads to the latest.
    ``expected`` things (None: nobody knows) cost 5 to 6 bytes each; where there are more, a table
    of twice the room is added, and none is ever copied.
    """

    __slots__ = ("_begins", "_edge", "_left", "_tables")

    def __init__(self, expected: int | None = None) -> None:
        self._begins = array("Q")
        self._left = 0
        self._edge = 0
        self._tables: list[_Table] = []
        slots = _USUAL if expected is None else int(expected / _FULL) + 2
        self._extend(min(max(slots, _FEWEST), _MOST))

    def put(self, key: int, offset: int) -> None:
        """Remember that it begins at this byte; ``key`` is a hash of any sign."""
        if not self._left or offset >= self._edge:
            self._begins.append(offset)
            self._left = GROUP
            self._edge = offset + ROOM
        self._left -= 1
        table, groups = self._tables[-1], len(self._begins)
        if groups - table.base > table.most:
            self._extend(len(table.slots))
            table = self._tables[-1]
        if table.put(key & _MASK64, groups - table.base):
            self._extend(2 * len(table.slots))

    def find(self, key: int) -> Iterator[tuple[int, int | None]]:
        """First byte, and the byte behind, of every span where it may be; None is the file's end.

        The latest come last in each table, and the latest table first.
        """
        begins = self._begins
        for table in reversed(self._tables):
            for number in table.find(key & _MASK64):
                group = table.base + number - 1
                yield begins[group], begins[group + 1] if group + 1 < len(begins) else None

    @property
    def size(self) -> int:
        """Bytes."""
        return 8 * len(self._begins) + sum(4 * len(table.slots) for table in self._tables)

    def _extend(self, slots: int) -> None:
        base = max(len(self._begins) - 1, 0)  # its last group may get more things
        self._tables.append(_Table(slots, base))

    def __repr__(self) -> str:
        return f"SpanTable({len(self._tables)} tables, {self.size} bytes)"


class _Table:
    """One table of numbers from 1 to ``most``, those of groups counted from ``base``.

    Open addressing.
    """

    __slots__ = ("_bits", "_room", "_tags", "base", "most", "slots")

    def __init__(self, slots: int, base: int) -> None:
        self.base = base
        self.slots = array("I", [0]) * slots
        self._room = int(slots * _FULL)
        self._bits = (self._room + 2).bit_length()
        self.most = (1 << self._bits) - 1
        self._tags = (1 << 32 - self._bits) - 1

    def put(self, key: int, number: int) -> bool:
        """True where the table is full now."""
        slots, bits = self.slots, self._bits
        place = key % len(slots)
        tag = key >> 40 & self._tags
        alike = 0
        while there := slots[place]:
            if there >> bits == tag:
                alike += 1
                if alike == ALIKE:
                    slots[place] = tag << bits | number
                    return False
            place += 1
            if place == len(slots):
                place = 0
        slots[place] = tag << bits | number
        self._room -= 1
        return not self._room

    def find(self, key: int) -> Iterator[int]:
        slots, bits = self.slots, self._bits
        place = key % len(slots)
        tag = key >> 40 & self._tags
        while there := slots[place]:
            if there >> bits == tag:
                yield there & self.most
            place += 1
            if place == len(slots):
                place = 0
