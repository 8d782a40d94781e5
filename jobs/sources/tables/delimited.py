"""CSV and TSV as rows: RFC 4180, streamed, each row with the line where it begins."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from ..invalid import shorten
from ..lines import BLOCK, FOREIGN, Lines, NotLines
from ..stored import read_some
from .row import broken_row

WIDEST = 1 << 28
"""Characters of a cell; a longer one is taken for a quote that nobody closed."""

_encode = msgspec.json.Encoder().encode
_MARK = b"\xef\xbb\xbf"


class DelimitedReader:
    """Iterates over the rows of a table as numbered lines of JSON, blank ones left out.

    ``columns`` are the names of the header, known once iteration has begun. ``reached`` is the line
    that is being read. Raises NotLines where it is no such table.
    """

    __slots__ = ("_begun", "_block", "_delimiter", "_ready", "_stream", "columns", "reached")

    def __init__(self, stream: BinaryIO, delimiter: str, *, block: int = BLOCK) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self._block = block
        self._ready: deque[bytes] = deque()
        self._begun: list[bytes] = []  # the pieces of a line whose end has not arrived
        self.columns: list[str] = []
        self.reached = 1

    def __iter__(self) -> Iterator[Lines]:
        """Rows are handed over as soon as they arrive, so that a slow pipe delays none."""
        reader = self._reader()
        self.columns = self._header(reader)
        rows: Lines = []
        while True:
            if rows and not self._ready:
                yield rows
                rows = []
            number = self.reached = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                reason, last = self._explain(error), reader.line_num
                if last > number:
                    reason += f" (the row takes up all lines from {number} to {last})"
                line = broken_row(reason, dict.fromkeys(self.columns, ""))
            except Exception:  # it can't be read on: what came before is good
                if rows:
                    yield rows
                raise
            else:
                if self._blank(cells):
                    continue
                line = self._line(cells)
            rows.append((number, line))
        if rows:
            yield rows

    def header(self) -> list[str]:
        """The names of the columns, and nothing more."""
        return self._header(self._reader())

    def _reader(self) -> Any:
        csv.field_size_limit(WIDEST)
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    def _blank(self, cells: list[str]) -> bool:
        """Also what spreadsheets leave behind at the end: delimiters without anything else."""
        return not cells or (len(self.columns) > 1 and not any(map(str.strip, cells)))

    def _line(self, cells: list[str]) -> bytes:
        row = dict(zip(self.columns, cells, strict=False))
        there, wanted = len(cells), len(self.columns)
        if there != wanted:
            cell = "cell" if there == 1 else "cells"
            reason = f"has {there} {cell}, and the header names {wanted} columns"
            return broken_row(reason, {**dict.fromkeys(self.columns, ""), **row})
        return _encode(row)

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            cells = next((cells for cells in reader if cells), None)
        except csv.Error as error:
            raise NotLines(f"the header can't be read: {self._explain(error)}") from None
        if cells is None:
            raise NotLines("is empty: the first line of a table names its columns")
        names = [cell.strip() for cell in cells]
        if names[0].lower().startswith("sep=") and len(names) <= 2:
            raise NotLines("begins with Excel's line sep=: delete that line")
        if len(names) == 1:
            self._check_delimiter(names[0])
        check_columns(names)
        return names

    def _check_delimiter(self, name: str) -> None:
        other = "\t" if self._delimiter == "," else ","
        if other in name:
            word, form = ("tabs", "tsv") if other == "\t" else ("commas", "csv")
            raise NotLines(
                f"its header has {word} between the columns: name it .{form}, or give "
                f"--input-format {form}"
            )
        if ";" in name:
            raise NotLines(
                "its header has semicolons between the columns: save it with commas "
                "(or with tabs, as .tsv)"
            )

    def _explain(self, error: csv.Error) -> str:
        said = str(error)
        if "unexpected end of data" in said:
            return "the quote that opens in it is never closed"
        if "expected after" in said:
            return "text follows a closing quote: a quote within a cell is written twice"
        if "field larger than" in said:
            raise NotLines(
                f"a cell has more than {WIDEST >> 20} million characters: is a quote not closed?"
            )
        if "new-line character" in said:
            return "a CR stands outside of quotes: lines end in LF or CR LF"
        return said

    def _lines(self) -> Iterator[str]:
        """Its lines with their ends, as text."""
        number = 0
        blocks = self._blocks()
        while self._ready or self._fill(blocks):
            line = self._ready.popleft()
            number += 1
            if b"\0" in line:
                self.reached = number
                raise NotLines("has a NUL in it: is the file UTF-16?")
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                self.reached = number
                byte = f"0x{line[error.start]:02x} at byte {error.start + 1} of the line"
                raise NotLines(f"is not UTF-8 ({byte}): save it as UTF-8") from None

    def _fill(self, blocks: Iterator[bytes]) -> bool:
        """Wait for the end of a line at least; False where there are no more."""
        for data in blocks:
            first, *others = data.split(b"\n")
            self._begun.append(first)
            for other in others:
                self._ready.append(b"".join(self._begun) + b"\n")
                self._begun = [other]
            if others:
                return True
        last = b"".join(self._begun)
        self._begun = []
        if last:
            self._ready.append(last)
        return bool(last)

    def _blocks(self) -> Iterator[bytes]:
        data = read_some(self._stream, self._block)
        while len(data) < 4 and (piece := read_some(self._stream, self._block)):
            data += piece
        for magic, advice in FOREIGN.items():
            if data.startswith(magic):
                raise NotLines(advice)
        data = data.removeprefix(_MARK)
        while data:
            yield data
            data = read_some(self._stream, self._block)

    def __repr__(self) -> str:
        return f"DelimitedReader(at line {self.reached}, {len(self.columns)} columns)"


def check_columns(names: list[str]) -> None:
    """Raises NotLines where there is none, or one has no name, or the name of another one."""
    if not names:
        raise NotLines("has no columns")
    if "" in names:
        place = names.index("") + 1
        raise NotLines(f"column {place} of {len(names)} has no name: give it one in the header")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        places = [str(n) for n, other in enumerate(names, 1) if other == name]
        listed = f"{', '.join(places[:-1])} and {places[-1]}"
        raise NotLines(f"the columns {listed} are all called {shorten(name)}: rename them")
