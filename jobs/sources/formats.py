"""One line of a file to a JSON value: a format is a decoder and a way to read a row's id."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .invalid import Invalid

_DEEPEST = 100
_decode = msgspec.json.Decoder().decode


class Odd:
    """A value that only a lenient parser takes: NaN, a lone surrogate or a number out of range."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Odd({type(self.value).__name__})"


class Broken(Invalid):
    """A row of a table that can't be sent; ``row`` is what could be read of it."""

    def __init__(self, reason: str, row: Mapping[str, Any]) -> None:
        super().__init__(reason)
        self.row = row


class _Head(msgspec.Struct):
    id: Any = None
    custom_id: Any = None


_head = msgspec.json.Decoder(_Head).decode


def decode_json(line: bytes) -> Any:
    """The value of a JSON line, wrapped in :class:`Odd` where msgspec refused it but json does not.

    Raises :class:`Invalid` with the position. A key that occurs twice keeps its last value.
    """
    try:
        value = _decode(line)
    except (ValueError, RecursionError):
        value = Odd(_decode_leniently(line))
    if not is_shallow(line):
        _check_depth(value.value if type(value) is Odd else value, 0)
    return value


def is_shallow(line: bytes) -> bool:
    """Whether nothing in it can be nested deeper than is allowed: it has too few brackets for that.

    They are looked for one by one: of a long text that is 20 times as fast as counting them.
    """
    left = _DEEPEST
    if len(line) <= left:
        return True
    find = line.find
    for bracket in (b"[", b"{"):
        at = find(bracket)
        while at >= 0:
            left -= 1
            if left < 0:
                return False
            at = find(bracket, at + 1)
    return True


def decode_text(line: bytes) -> str:
    """A line of a text file, as it stands."""
    if b"\0" in line:
        raise _nul(line)
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None


def id_of(row: Mapping[str, Any]) -> str | None:
    """The id that a row names, or None: ``custom_id`` where there is one, else ``id``.

    An integer is taken as its text. Raises :class:`Invalid` for anything else.
    """
    given = row.get("custom_id")
    if given is None:
        given = row.get("id")
    if type(given) is str and given:
        return given
    if given is None:
        return None
    return _unusual_id(given)


def peek_id(line: bytes) -> str | None:
    """The id of a JSON line without decoding the rest of it; None where none can be read."""
    try:
        head = _head(line)
    except (ValueError, RecursionError):
        return _read_id_leniently(line)
    given = head.custom_id
    if given is None:
        given = head.id
    if type(given) is str and given:
        return given
    return None if given is None else _usable(given)


def no_id(_line: bytes) -> None:
    """A line of text names no id."""
    return


class Format(msgspec.Struct, frozen=True):
    """How the lines of an input are read; ``read_id`` agrees with what a full parse finds.

    The rows of a ``table`` are objects, whatever their columns are called; those of one of
    ``texts`` have no other values.
    """

    name: str
    decode: Callable[[bytes], Any]
    read_id: Callable[[bytes], str | None]
    table: bool = False
    texts: bool = False


JSONL = Format("jsonl", decode_json, peek_id)
TEXT = Format("text", decode_text, no_id)


def _decode_leniently(line: bytes) -> Any:
    if b"\0" in line:
        raise _nul(line)
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        hint = "; a line must hold one whole row" if text.strip() in ("[", "{") else ""
        what = error.msg.lower().removesuffix(" at")
        raise Invalid(f"not JSON: {what} at column {error.colno}{hint}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise Invalid("a number has too many digits") from None


def _unusual_id(given: object) -> str:
    if type(given) is int:
        try:
            return str(given)
        except ValueError:
            raise Invalid("id has too many digits") from None
    if type(given) is not str:
        raise Invalid("id must be a string or a whole number")
    raise Invalid("id is empty")


def _usable(given: object) -> str | None:
    try:
        found = id_of({"id": given})
        if found is not None:
            found.encode()
    except ValueError:
        return None
    return found


def _read_id_leniently(line: bytes) -> str | None:
    try:
        value = _decode_leniently(line)
    except Invalid:
        return None
    if not isinstance(value, dict):
        return None
    custom = value.get("custom_id")
    return _usable(value.get("id") if custom is None else custom)


def _check_depth(value: object, depth: int) -> None:
    if depth > _DEEPEST:
        raise _too_deep()
    if isinstance(value, dict):
        for item in value.values():
            if isinstance(item, dict | list):
                _check_depth(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                _check_depth(item, depth + 1)


def _too_deep() -> Invalid:
    return Invalid(f"nested more than {_DEEPEST} levels deep")


def _nul(line: bytes) -> Invalid:
    return Invalid(f"a NUL at byte {line.index(0) + 1}: is the file UTF-16, or not text at all?")


def _not_utf8(error: UnicodeDecodeError) -> Invalid:
    return Invalid(
        f"not UTF-8: 0x{error.object[error.start]:02x} at byte {error.start + 1} of the line"
    )
