"""Rows of CSV or TSV: RFC 4180, with CR LF."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...model import Result
from .cells import text
from .columns import Column, apart

PIECE = 1 << 18
"""Characters that are written at a time."""

REST = "metadata"
"""The column of a stream for what later rows have and the first one had not."""


class Writer:
    """Encodes one row after the other."""

    __slots__ = ("_text", "_write")

    def __init__(self, delimiter: str) -> None:
        self._text = io.StringIO(newline="")
        self._write = csv.writer(self._text, delimiter=delimiter, lineterminator="\r\n").writerow

    def add(self, values: Iterable[Any]) -> None:
        self._write([text(value) for value in values])

    def taken(self, least: int = 0) -> bytes:
        """What was added since, where that is so many characters; else nothing."""
        if self._text.tell() < least:
            return b""
        data = self._text.getvalue().encode("utf-8", "backslashreplace")
        self._text.seek(0)
        self._text.truncate()
        return data

    def __repr__(self) -> str:
        return f"<Writer, {self._text.tell()} characters held>"


def pieces(
    names: Sequence[str], columns: Sequence[Column], results: Iterable[Result], delimiter: str
) -> Iterator[bytes]:
    """A whole table: the input's columns ``names``, then the others."""
    writer = Writer(delimiter)
    writer.add([*names, *(column.name for column in columns)])
    for result in results:
        row = result.metadata
        writer.add([*map(row.get, names), *(column.of(result) for column in columns)])
        if piece := writer.taken(PIECE):
            yield piece
    yield writer.taken()


class RowEncoder:
    """Encodes results as they come, the first one with the header before it.

    The input's columns are those of ``names``, or of the first row. With ``rest`` there is a column
    for what other rows have beside them, as JSON.
    """

    __slots__ = ("_columns", "_names", "_rest", "_started", "_writer")

    def __init__(
        self, names: Sequence[str], columns: Sequence[Column], delimiter: str, *, rest: bool
    ) -> None:
        self._names = list(names)
        self._rest = rest
        self._columns = columns
        self._writer = Writer(delimiter)
        self._started = False

    def __call__(self, result: Result) -> bytes:
        row = result.metadata
        if not self._started:
            self._start(row)
        values = [*map(row.get, self._names)]
        if self._rest:
            values.append({key: row[key] for key in row if key not in self._names} or None)
        self._writer.add([*values, *(column.of(result) for column in self._columns)])
        return self._writer.taken()

    def _start(self, row: Any) -> None:
        self._started = True
        self._names = self._names or list(row)
        names = [*self._names]
        if self._rest:
            rest = REST
            while rest in names:
                rest = f"_{rest}"
            names.append(rest)
        self._columns = apart(self._columns, names)
        self._writer.add([*names, *(column.name for column in self._columns)])

    def __repr__(self) -> str:
        return f"<RowEncoder, {len(self._columns)} columns beside the input's>"
