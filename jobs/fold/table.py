"""Records as CSV: RFC 4180, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

WIDEST = 1000
"""Columns of a table; a spreadsheet takes 16,384, and a line has every column of the table."""

MORE = "more"

# A cell that begins so is a formula to a spreadsheet, and may run a command (OWASP, "CSV
# injection"); the wide signs count as the plain ones where Chinese or Japanese is the language.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\.?\d[\d.,]*(?:[eE][+-]?\d{1,3})?%?")


class Table:
    """Lines of one header. Lines end in CR LF; a missing or null value is an empty cell.

    A text stands as it is, every other value as its JSON: ``true``, ``1.5``, ``["a","b"]`` (a list
    of texts too: joined, nobody could tell its items apart again). A text that a spreadsheet would
    take for a formula, beginning with ``= + - @``, a tab or a line break and no number, gets an
    apostrophe in front. Keys beyond :data:`WIDEST` share the last column, as an object.
    """

    __slots__ = ("_columns", "_more", "_own", "_write")

    def __init__(self, keys: Sequence[str], own: Sequence[str]) -> None:
        """``own`` columns come after those of the records' keys."""
        self._columns = list(keys[:WIDEST])
        self._more = frozenset(keys[WIDEST:])
        self._own = list(own)
        self._write = csv.writer(_Back(), lineterminator="\r\n").writerow

    def header(self) -> str:
        """The line of the names."""
        name = MORE
        while name in self._columns:
            name = f"_{name}"
        more = [name] if self._more else []
        return self._line([guarded(name) for name in [*self._columns, *more, *self._own]])

    def line(self, row: Mapping[str, Any]) -> str:
        """The line of a record."""
        cells = [cell(row.get(name)) for name in self._columns]
        if self._more:
            more = {key: value for key, value in row.items() if key in self._more}
            cells.append(cell(more or None))
        cells += [cell(row.get(name)) for name in self._own]
        return self._line(cells)

    def _line(self, cells: Sequence[str]) -> str:
        line: str = self._write(cells)
        return line

    def __repr__(self) -> str:
        return f"<Table of {len(self._columns)} columns>"


class _Back:
    """What csv writes to hands the line back."""

    def write(self, line: str) -> str:
        return line


def cell(value: Any) -> str:
    """A value as the text of a cell, not quoted yet."""
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
