"""Maps and a set of 64-bit numbers that cost tens of bytes an entry, not hundreds."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

_MASK64 = 0xFFFF_FFFF_FFFF_FFFF
_SPREAD = 0x9E37_79B9_7F4A_7C15  # 2**64 / the golden ratio: neighbouring keys land far apart
_EMPTY = 0

_TAG_BITS = 24
_TAG = (1 << _TAG_BITS) - 1
_FARTHEST = (1 << 64 - _TAG_BITS) - 1
_FEWEST, _USUAL, _MOST = 1 << 10, 1 << 16, 1 << 22  # slots of the first of several tables


class CompactMap:
    """64-bit unsigned key to 64-bit unsigned value; open addressing in two flat arrays.

    An entry costs 22 to 43 bytes (16 bytes a slot, between 3/8 and 3/4 of the slots in use), and
    half as much again for the moment of growing. Keys need no hashing beforehand. Entries can't be
    removed.
    """

    __slots__ = ("_bits", "_keys", "_room", "_used", "_values", "_zero")

    def __init__(self) -> None:
        self._bits = 6
        self._allocate()
        self._zero: int | None = None  # the value of key 0, which marks an empty slot

    def _allocate(self) -> None:
        slots = 1 << self._bits
        self._keys = array("Q", [0]) * slots
        self._values = array("Q", [0]) * slots
        self._room = slots * 3 // 4
        self._used = 0

    def put(self, key: int, value: int) -> None:
        """Set, or replace, the value of ``key``."""
        if key == _EMPTY:
            self._zero = _checked(value)
            return
        slot = self._find(key)
        self._values[slot] = value
        if self._keys[slot] == _EMPTY:
            self._fill(slot, key)

    def get(self, key: int) -> int | None:
        """The value of ``key``, or None."""
        if key == _EMPTY:
            return self._zero
        slot = self._find(key)
        return None if self._keys[slot] == _EMPTY else self._values[slot]

    def setdefault(self, key: int, value: int) -> int:
        """The value of ``key``; where it has none yet, ``value`` becomes it."""
        if key == _EMPTY:
            if self._zero is None:
                self._zero = _checked(value)
            return self._zero
        slot = self._find(key)
        if self._keys[slot] != _EMPTY:
            return self._values[slot]
        self._values[slot] = value
        self._fill(slot, key)
        return value

    def items(self) -> Iterator[tuple[int, int]]:
        """Every (key, value), in no particular order; do not write while iterating."""
        if self._zero is not None:
            yield _EMPTY, self._zero
        for key, value in zip(self._keys, self._values, strict=True):
            if key != _EMPTY:
                yield key, value

    def __contains__(self, key: int) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return self._used + (self._zero is not None)

    def __repr__(self) -> str:
        return f"CompactMap({len(self)} entries, {16 << self._bits} bytes)"

    def _find(self, key: int) -> int:
        """The slot that holds ``key``, or the empty one where it belongs."""
        keys = self._keys
        last = len(keys) - 1
        slot = (key * _SPREAD >> (64 - self._bits)) & last
        while (there := keys[slot]) != key and there != _EMPTY:
            slot = (slot + 1) & last
        return slot

    def _fill(self, slot: int, key: int) -> None:
        self._keys[slot] = key  # raises OverflowError where the key has more than 64 bits
        self._used += 1
        if self._used > self._room:
            self._grow()

    def _grow(self) -> None:
        old = zip(self._keys, self._values, strict=True)
        used = self._used
        self._bits += 1
        self._allocate()
        keys, values = self._keys, self._values
        last, shift = len(keys) - 1, 64 - self._bits
        for key, value in old:
            if key != _EMPTY:
                slot = (key * _SPREAD >> shift) & last
                while keys[slot] != _EMPTY:
                    slot = (slot + 1) & last
                keys[slot] = key
                values[slot] = value
        self._used = used


class CompactSet:
    """64-bit unsigned numbers, as :class:`CompactMap` without the values: 11 to 22 bytes each."""

    __slots__ = ("_bits", "_has_zero", "_keys", "_used")

    def __init__(self) -> None:
        self._bits = 6
        self._keys = array("Q", [0]) * (1 << self._bits)
        self._used = 0
        self._has_zero = False

    def add(self, key: int) -> bool:
        """True where ``key`` is new."""
        if key == _EMPTY:
            new, self._has_zero = not self._has_zero, True
            return new
        keys = self._keys
        last = len(keys) - 1
        slot = (key * _SPREAD >> (64 - self._bits)) & last
        while there := keys[slot]:
            if there == key:
                return False
            slot = (slot + 1) & last
        keys[slot] = key  # raises OverflowError where the key has more than 64 bits
        self._used += 1
        if self._used > len(keys) * 3 // 4:
            self._grow()
        return True

    def __len__(self) -> int:
        return self._used + self._has_zero

    def __repr__(self) -> str:
        return f"CompactSet({len(self)} entries, {8 << self._bits} bytes)"

    def _grow(self) -> None:
        old = self._keys
        self._bits += 1
        self._keys = keys = array("Q", [0]) * (1 << self._bits)
        last, shift = len(keys) - 1, 64 - self._bits
        for key in old:
            if key:
                slot = (key * _SPREAD >> shift) & last
                while keys[slot]:
                    slot = (slot + 1) & last
                keys[slot] = key


def _checked(value: int) -> int:
    if not 0 <= value <= _MASK64:
        raise OverflowError(f"{value} does not fit 64 bits")
    return value


class OffsetTable:
    """Where in a file a hashed thing stands: one 8-byte slot an entry.

    A slot holds the offset (bytes, below 2**40) and 24 bits of the hash, so that what is found is
    to be looked at: another thing may have the same bits. Of things that can't be told apart the
    latest stands. ``expected`` entries (None: nobody knows) cost 16 bytes each; where there are
    more, a table of twice the room is added, and none is ever copied.
    """

    __slots__ = ("_room", "_tables", "_used")

    def __init__(self, expected: int | None = None) -> None:
        self._tables: list[array[int]] = []
        slots = _USUAL if expected is None else min(max(2 * expected, _FEWEST), _MOST)
        self._extend(slots)

    def put(self, key: int, offset: int) -> None:
        """Remember it; ``key`` is a hash of any sign. An offset that is too large is left out."""
        if offset >= _FARTHEST:
            return
        table = self._tables[-1]
        slots = len(table)
        tag = key & _TAG
        place = (key >> _TAG_BITS) % slots
        while (there := table[place]) and there & _TAG != tag:
            place += 1
            if place == slots:
                place = 0
        table[place] = (offset + 1) << _TAG_BITS | tag
        if not there:
            self._used += 1
            if self._used > self._room:
                self._extend(2 * slots)

    def find(self, key: int) -> int | None:
        """The offset of what has these bits, or None."""
        tag = key & _TAG
        for table in reversed(self._tables):
            slots = len(table)
            place = (key >> _TAG_BITS) % slots
            while there := table[place]:
                if there & _TAG == tag:
                    return (there >> _TAG_BITS) - 1
                place += 1
                if place == slots:
                    place = 0
        return None

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(8 * len(table) for table in self._tables)

    def __repr__(self) -> str:
        return f"OffsetTable({len(self._tables)} tables, {self.size} bytes)"

    def _extend(self, slots: int) -> None:
        self._tables.append(array("Q", [0]) * slots)
        self._room = slots * 2 // 3
        self._used = 0
