"""When two records are the same, and their numbers: a hash each instead of the records."""

from __future__ import annotations

import json
from array import array
from hashlib import blake2b
from typing import Any

from ..compact import CompactMap

_MASK64 = 0xFFFF_FFFF_FFFF_FFFF


class _Key(str):
    """A property's name: it counts as it stands, where a text does not."""

    __slots__ = ()


def digest(name: str | None, value: Any) -> int:
    """128 bits that two records of the list ``name`` share when they say the same.

    Keys count in any order, numbers by their value (1 is 1.0), texts without regard to case and
    white space. Any depth.
    """
    told = blake2b(digest_size=16)
    stack: list[Any] = [value, None if name is None else _Key(name)]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            told.update(b"{%d " % len(item))
            for key in sorted(item, reverse=True):
                stack.append(item[key])
                stack.append(_Key(key))
        elif isinstance(item, list | tuple):
            told.update(b"[%d " % len(item))
            stack.extend(reversed(item))
        else:
            told.update(_leaf(item))
    return int.from_bytes(told.digest(), "big")


def _leaf(value: Any) -> bytes:
    """Every one says what it is and where it ends."""
    if isinstance(value, str):
        text = value if isinstance(value, _Key) else " ".join(value.casefold().split())
        data = text.encode("utf-8", "surrogatepass")
        return b'"%d ' % len(data) + data
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value).encode() + b" "


class Numbers:
    """Digests, numbered from 0 as they first come; about 40 bytes each."""

    __slots__ = ("_high", "_low", "_rare")

    def __init__(self) -> None:
        self._low = CompactMap()  # the lower half of a digest -> its number
        self._high = array("Q")
        self._rare: dict[int, int] = {}  # those whose lower half another one has

    def add(self, digest: int) -> int:
        """Its number, the next free one where it is new."""
        free = len(self._high)
        high = digest >> 64
        number = self._low.setdefault(digest & _MASK64, free)
        if number < free and self._high[number] != high:
            number = self._rare.setdefault(digest, free)
        if number == free:
            self._high.append(high)
        return number

    def get(self, digest: int) -> int | None:
        """Its number, None where it never came."""
        number = self._low.get(digest & _MASK64)
        if number is None or self._high[number] == digest >> 64:
            return number
        return self._rare.get(digest)

    def __len__(self) -> int:
        return len(self._high)

    def __repr__(self) -> str:
        return f"<Numbers of {len(self)} digests>"
