"""A map of 64-bit numbers that costs tens of bytes an entry, not hundreds."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence

_MASK64 = 0xFFFF_FFFF_FFFF_FFFF
_SPREAD = 0x9E37_79B9_7F4A_7C15  # 2**64 / the golden ratio: neighbouring keys land far apart
_EMPTY = 0
_LOWER, _UPPER = (0, 1) if sys.byteorder == "little" else (1, 0)


def halves(keys: Sequence[int]) -> Iterable[tuple[int, int]]:
    """The lower and the upper 32 bits of 64-bit hashes of any sign.

    Of many at a time, and Python reckons faster with numbers of that size.
    """
    parts = memoryview(array("q", keys)).cast("B").cast("I").tolist()
    return zip(parts[_LOWER::2], parts[_UPPER::2], strict=True)


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


def _checked(value: int) -> int:
    if not 0 <= value <= _MASK64:
        raise OverflowError(f"{value} does not fit 64 bits")
    return value
