"""Protocol Buffers as they are on the wire, as far as a span needs them.

A span has some twenty attributes. To make a message object of each takes five times as long as to
write its bytes, most of which are always the same (https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

VARINT, FIXED64, BYTES = 0, 1, 2
_LARGEST = (1 << 63) - 1

_KEY, _VALUE = 1, 2
"""Fields of a KeyValue (opentelemetry/proto/common/v1/common.proto)."""
_STRING, _BOOL, _INT, _DOUBLE, _ARRAY = 1, 2, 3, 4, 5
"""Fields of an AnyValue."""


def varint(value: int) -> bytes:
    """A number, seven bits a byte; a negative one as 64 bits."""
    if 0 <= value < 128:
        return _SMALL[value]
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


_SMALL = [bytes([value]) for value in range(128)]


def tag(field: int, kind: int) -> bytes:
    """What stands before a field's value."""
    return varint(field << 3 | kind)


def chunk(field: int, data: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return tag(field, BYTES) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    return tag(field, VARINT) + varint(value)


class Attribute:
    """An attribute of this name, within a message that holds attributes as ``field``."""

    __slots__ = ("_double", "_field", "_int", "_key")

    def __init__(self, field: int, name: str) -> None:
        self._field = tag(field, BYTES)
        self._key = chunk(_KEY, name.encode())
        double = self._key + tag(_VALUE, BYTES) + varint(9) + tag(_DOUBLE, FIXED64)
        self._double = self._field + varint(len(double) + 8) + double
        small = self._key + tag(_VALUE, BYTES) + varint(2) + tag(_INT, VARINT)
        self._int = self._field + varint(len(small) + 1) + small

    def double(self, value: float) -> bytes:
        return self._double + _pack_double(value)

    def integer(self, value: int) -> bytes:
        """What has no place in 64 bits is the largest or smallest that has."""
        if 0 <= value < 128:
            return self._int + _SMALL[value]
        return self._any(number(_INT, max(-_LARGEST - 1, min(value, _LARGEST))))

    def boolean(self, value: bool) -> bytes:
        return self._any(number(_BOOL, int(value)))

    def text(self, value: str) -> bytes:
        return self._any(chunk(_STRING, value.encode()))

    def texts(self, values: Iterable[str]) -> bytes:
        inner = b"".join(chunk(1, chunk(_STRING, value.encode())) for value in values)
        return self._any(chunk(_ARRAY, inner))

    def any(self, value: str | bool | int | float) -> bytes:
        """By the type of the value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool):
            return self.boolean(value)
        return self.integer(value) if isinstance(value, int) else self.double(value)

    def _any(self, value: bytes) -> bytes:
        body = self._key + chunk(_VALUE, value)
        return self._field + varint(len(body)) + body


_pack_double = struct.Struct("<d").pack
