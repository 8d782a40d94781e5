"""A table's row on its way to be parsed: a line of JSON, and text cells as what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..formats import Broken, Format, Odd, decode_json, peek_id
from ..invalid import Invalid
from ..parameters import Kind

_BROKEN = b"\0broken "
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_OTHERS = frozenset({"messages", "input"})
_JSON = frozenset({"messages", "extra_body"})
_OWN = frozenset({"id", "custom_id", "model", "system", "extra_body", "messages", "input"})
"""Keys of a row whose empty cell is as good as none."""

_WORDS = {"true": True, "false": False}


def broken_row(reason: str, row: Mapping[str, Any]) -> bytes:
    """The line of a row that can't be read, with what can be."""
    return _BROKEN + _encode({"reason": reason, "row": row})


def decode_row(line: bytes) -> Any:
    """The row as an object. Raises Broken, and Invalid as every decoder does."""
    if is_broken(line):
        raise Broken(**_decode(line.removeprefix(_BROKEN)))
    return decode_json(line)


def row_id(line: bytes) -> str | None:
    """The id in it, or None."""
    if is_broken(line):
        return peek_id(_encode(_decode(line.removeprefix(_BROKEN))["row"]))
    return peek_id(line)


def is_broken(line: bytes) -> bool:
    """Whether it is of a row that can't be read."""
    return line.startswith(_BROKEN)


def whole(value: Any) -> dict[str, Any]:
    """All columns of a row, of which a bare text is one."""
    return dict(value) if type(value) is dict else {"prompt": value}


def columns(line: bytes, form: Format) -> Mapping[str, Any]:
    """The same of a line, as far as it can be read."""
    try:
        value = form.decode(line)
    except Invalid as invalid:
        return invalid.row if isinstance(invalid, Broken) else {}
    return whole(value.value if type(value) is Odd else value)


def typed(row: Mapping[str, Any], places: Mapping[str, Kind]) -> dict[str, Any]:
    """The same row with what ``places`` knows as request parameters in their types.

    Their empty cells, and those of the row's own keys (its id, model, ...), are left out. A value
    that does not stand for one of the type stays, and is refused as what it is.
    """
    found = dict(row)
    for name in places.keys() & row.keys():
        cell, types = row[name], places[name].types
        if type(cell) is str:
            if not cell and (types or name in _OWN):
                del found[name]
            elif name in _JSON or (types and str not in types):
                found[name] = _value(cell)
            elif types and cell[:1] in ("[", "{") and type(value := _value(cell)) in types:
                found[name] = value
        elif type(cell) is float and cell.is_integer() and int in types and float not in types:
            found[name] = int(cell)  # a column of whole numbers and gaps
    if found.get("prompt") == "" and "prompt" in places and found.keys() & _OTHERS:
        del found["prompt"]
    return found


def _value(cell: str) -> Any:
    word = cell.strip()
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    try:
        return _decode(word)
    except (ValueError, RecursionError):
        return cell


CSV = Format("csv", decode_row, row_id, table=True, texts=True)
TSV = Format("tsv", decode_row, row_id, table=True, texts=True)
PARQUET = Format("parquet", decode_row, row_id, table=True)
