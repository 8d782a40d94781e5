"""A results file whose answers are found by what was asked, and can be read back."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import structs

from ..compact import CompactMap
from ..errors import ConfigError, SinkError
from ..model import Request, Result, Row, Status
from ..records import Stored, decode, encode
from ..spans import SpanTable
from .file import FileSink
from .held import HeldFile
from .opening import is_special, start_over, take_up
from .outputlines import DONE, STATUSES, WIDTH, TidyLines, key

Finish = Callable[[Row, Result], Result]
"""What is added to a row's result before it is written."""


class AnswerIndex(TidyLines):
    """Finds a result by its fingerprint alone: where in the document a chunk stands may change.

    Of several rows that ask the same each keeps its own answer, and others get the first one. The
    file describes the documents as they are: results of the ids that ``own`` matches do not
    outlive the chunks that they were about. ``starts`` are the first bytes of the lines.
    """

    __slots__ = ("_rows", "own", "starts")

    def __init__(self, asked: SpanTable | None = None) -> None:
        super().__init__(asked, numbered=True)
        self.own: re.Pattern[str] | None = None
        self.starts = array("Q")
        self._rows = CompactMap()  # -> number of the line, and its status

    def line(self, row_id: str, fingerprint: str) -> int | None:
        """The number of the line that proves the row to be done, from 0."""
        found = self._find(row_id, fingerprint)
        return None if found is None else found // WIDTH

    def take(self, row_id: str, fingerprint: str) -> tuple[Status, int] | None:
        found = self._find(row_id, fingerprint)
        return None if found is None else (STATUSES[found % WIDTH], self.keep(found // WIDTH))

    def outlives(self, row_id: str) -> bool:
        return self.own is None or self.own.fullmatch(row_id) is None

    def _find(self, row_id: str, fingerprint: str) -> int | None:
        own = self._rows.get(key(row_id, fingerprint))
        return self._rows.get(key(fingerprint)) if own is None else own

    def _remember(self, first: int, starts: Sequence[int], found: Sequence[Stored | None]) -> None:
        self.starts.extend(starts)
        rows = self._rows
        for number, stored in enumerate(found, first):
            if stored is None or (code := DONE.get(stored.status)) is None:
                continue
            value = number * WIDTH + code
            if rows.setdefault(key(stored.fingerprint), value) != value:
                rows.put(key(stored.id, stored.fingerprint), value)

    def __len__(self) -> int:
        return len(self._rows)


class RecallSink(FileSink):
    """A file of results that remembers, for every row, how it ended and with what answer.

    A row that was answered under another id, or stands elsewhere in its document now, gets a line
    of its own with the same answer; the older one is dropped at the end like every superseded one.
    ``finish_row`` is asked for what is added to each result, ``taken`` is told of all of them.
    """

    __slots__ = ("_finish_row", "_places", "_rows", "_taken", "answers")

    def __init__(
        self,
        file: HeldFile,
        index: AnswerIndex,
        *,
        finish_row: Finish,
        taken: Callable[[Row, Result, bool], None],
    ) -> None:
        super().__init__(file, index, encode)
        self.answers = index
        self._finish_row = finish_row
        self._taken = taken
        self._rows: dict[str, Row] = {}
        self._places = array("Q")  # number of a chunk -> its line's first byte, from 1; 0 is none

    async def expect(self, row: Row) -> Status | None:
        """As every sink; the answer of a row that is done is handed on before this returns."""
        line = self.answers.line(row.id, row.fingerprint)
        if line is None or not isinstance(row, Request):
            self._rows[row.id] = row
            return None
        stored = self._read(self.answers.starts[line])
        result = self._finish_row(row, _as(row, stored))
        if result == stored:
            self.answers.take(row.id, row.fingerprint)
            self._place(result, self.answers.starts[line])
        else:
            await self._append(result)
        self.skipped[result.status] += 1
        self._taken(row, result, True)
        return result.status

    def take_all(self, rows: Sequence[tuple[str, str]]) -> list[Status | None]:
        """Each is told of when its row is read in full: what it says is handed on."""
        return [None] * len(rows)

    async def write(self, result: Result) -> None:
        row = self._rows.pop(result.id)
        result = self._finish_row(row, result)
        await self._append(result)
        self._taken(row, result, False)

    def read_back(self, chunks: Iterable[int]) -> Iterator[Result]:
        """The results of these chunks, by their numbers; those that have none are left out.

        To be read before :meth:`finish`, which moves lines. Raises SinkError.
        """
        for number in chunks:
            place = self._places[number] if number < len(self._places) else 0
            if place:
                yield self._read(place - 1)

    async def _append(self, result: Result) -> None:
        start = self._file.size
        await super().write(result)
        self._place(result, start)

    def _place(self, result: Result, start: int) -> None:
        if not result.chunk:
            return
        number = result.chunk.number
        if number >= len(self._places):
            self._places.extend([0] * (number - len(self._places) + 1))
        self._places[number] = start + 1

    def _read(self, start: int) -> Result:
        try:
            return decode(self._file.line_at(start))
        except (OSError, ValueError, RecursionError) as error:
            raise SinkError(f"{self._file.path}: a result can't be read back: {error}") from error


def open_results(
    path: str,
    *,
    fresh: bool,
    force: bool,
    own: re.Pattern[str],
    finish_row: Finish,
    taken: Callable[[Row, Result, bool], None],
) -> RecallSink:
    """Open a results file of an analysis; takes seconds where a million lines are in it.

    Raises ConfigError, OutputLocked and SinkError as :func:`.opening.open_output` does.
    """
    place = Path(path)
    if is_special(place) or path == "-" or (path.endswith("/") and not place.is_dir()):
        raise ConfigError(f"--results {path}: must be a file, which resume reads: name another one")
    try:
        file = HeldFile(place)
        try:
            index = AnswerIndex()
            if fresh:
                start_over(file, force)
            else:
                take_up(file, "jsonl", index)
        except BaseException:
            file.close()
            raise
    except (SinkError, ConfigError) as error:  # -o is another file here, and there is no --format
        said = str(error).replace("use the same format, or name", "name")
        raise type(error)(said.replace("(-o)", "(--results)")) from error
    index.own = own
    return RecallSink(file, index, finish_row=finish_row, taken=taken)


def _as(row: Request, stored: Result) -> Result:
    """The stored answer as this row's own."""
    return structs.replace(
        stored, id=row.id, line=row.line, chunk=row.chunk, fold=row.fold, metadata=row.metadata
    )
