"""Where in a file something stands, at 5 bytes a thing."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from .compact import halves

GROUP = 16
"""Things whose place is one and the same: the first byte of the first of them."""

ROOM = 1 << 16
"""Bytes after which no more things join a group."""

ALIKE = 4
"""Entries that can't be told apart and may stand beside each other."""

_LOW = 0xFFFF_FFFF
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
        slots = _USUAL if expected is None else int(expected / _FULL) + 2
        self._tables = [_Table(min(max(slots, _FEWEST), _MOST), 0)]

    def put(self, key: int, offset: int) -> None:
        """Remember that it begins at this byte; ``key`` is a hash of any sign."""
        if not self._left or offset >= self._edge:
            self._begins.append(offset)
            self._left = GROUP
            self._edge = offset + ROOM
        self._left -= 1
        group = len(self._begins)
        while not self._tables[-1].put(key, group):
            self._extend(group)

    def put_all(self, keys: Sequence[int], offsets: Sequence[int]) -> None:
        """The same for many, in the order of the bytes at which they begin."""
        groups = self._groups(offsets)
        begin = self._tables[-1].put_all(keys, groups)
        while begin < len(keys):
            self._extend(groups[begin])
            begin += self._tables[-1].put_all(keys[begin:], groups[begin:])

    def _groups(self, offsets: Sequence[int]) -> list[int]:
        """The number of the group that each one is in, from 1."""
        begins, left, edge = self._begins, self._left, self._edge
        groups = []
        number = len(begins)
        for offset in offsets:
            if not left or offset >= edge:
                begins.append(offset)
                number += 1
                left = GROUP
                edge = offset + ROOM
            left -= 1
            groups.append(number)
        self._left, self._edge = left, edge
        return groups

    def find(self, key: int) -> Sequence[tuple[int, int | None]]:
        """First byte, and the byte behind, of every span where it may be; None is the file's end.

        The latest come last in each table, and the latest table first.
        """
        begins = self._begins
        spans: list[tuple[int, int | None]] = []
        for table in reversed(self._tables):
            for number in table.find(key):
                group = table.base + number - 1
                end = begins[group + 1] if group + 1 < len(begins) else None
                spans.append((begins[group], end))
        return spans

    @property
    def size(self) -> int:
        """Bytes."""
        return 8 * len(self._begins) + sum(4 * len(table.slots) for table in self._tables)

    def _extend(self, group: int) -> None:
        """The last table has no room for that group, nor for any that follows."""
        last = self._tables[-1]
        slots = len(last.slots)
        self._tables.append(_Table(slots if last.room else 2 * slots, group - 1))

    def __repr__(self) -> str:
        return f"SpanTable({len(self._tables)} tables, {self.size} bytes)"


class _Table:
    """One table of numbers from 1 to ``most``, those of groups counted from ``base``.

    Open addressing.
    """

    __slots__ = ("_bits", "_tags", "base", "most", "room", "slots")

    def __init__(self, slots: int, base: int) -> None:
        self.base = base
        self.slots = array("I", [0]) * slots
        self.room = int(slots * _FULL)
        self._bits = (self.room + 2).bit_length()
        self.most = (1 << self._bits) - 1
        self._tags = (1 << 32 - self._bits) - 1

    def put(self, key: int, group: int) -> bool:
        """False where it has no room for it."""
        slots, bits, number = self.slots, self._bits, group - self.base
        if not self.room or number > self.most:
            return False
        place = (key & _LOW) % len(slots)
        tag = key >> 40 & self._tags
        alike = 0
        while there := slots[place]:
            if there >> bits == tag:
                alike += 1
                if alike == ALIKE:
                    slots[place] = tag << bits | number
                    return True
            place += 1
            if place == len(slots):
                place = 0
        slots[place] = tag << bits | number
        self.room -= 1
        return True

    def put_all(self, keys: Sequence[int], groups: Sequence[int]) -> int:
        """The same for many: how many of them, from the first one on, it had room for."""
        slots, bits, tags, base = self.slots, self._bits, self._tags, self.base
        size, room, highest = len(slots), self.room, base + self.most
        done = 0
        for (lower, upper), group in zip(halves(keys), groups, strict=True):
            if not room or group > highest:
                break
            done += 1
            place = lower % size
            tag = upper >> 8 & tags
            alike = 0
            while there := slots[place]:
                if there >> bits == tag:
                    alike += 1
                    if alike == ALIKE:
                        break
                place += 1
                if place == size:
                    place = 0
            else:
                room -= 1
            slots[place] = tag << bits | group - base
        self.room = room
        return done

    def find(self, key: int) -> Sequence[int]:
        slots, bits = self.slots, self._bits
        place = (key & _LOW) % len(slots)
        tag = key >> 40 & self._tags
        found: list[int] = []
        while there := slots[place]:
            if there >> bits == tag:
                found.append(there & self.most)
            place += 1
            if place == len(slots):
                place = 0
        return found
