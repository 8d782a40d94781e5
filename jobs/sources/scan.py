"""The first pass over the files: how many rows, and no id twice, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import ConfigError, SourceError
from ..model import Rejected
from .ids import FileIds
from .inputs import Input
from .lines import Lines
from .rows import RowParser
from .stored import STDIN

_SHOWN = 5


def scan(
    inputs: Sequence[Input],
    parser: RowParser,
    *,
    limit: int | None = None,
    strict: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    counted: Callable[[str, int], None] = lambda path, rows: None,  # noqa: ARG005
) -> int | None:
    """The number of rows; None where an input can be read only once (it is left out here).

    Gives up, with None, as soon as ``stopped`` says so. ``counted`` is told of each input's rows.

    Raises SourceError for an id that occurs twice, for inputs without a row, for data that can't
    be read, and with ``strict`` for invalid rows; ConfigError for ``strict`` on standard input.
    It blocks, and keeps about 5 bytes a row; only with ``strict`` rows are parsed whole.
    """
    once = [source.path for source in inputs if not source.rereadable]
    if strict and once:
        name = "standard input" if once[0] == STDIN else once[0]
        raise ConfigError(
            f"--strict reads the input twice, which {name} does not allow: save it to a file first"
        )
    ids = FileIds(inputs, parser)
    invalid = _InvalidRows(parser)
    rows = 0
    try:
        for source in inputs:
            before = rows
            if source.rereadable and rows != limit:
                for lines in source.blocks():
                    wanted = lines if limit is None else lines[: limit - rows]
                    if stopped():
                        return None
                    rows += len(wanted)
                    ids.add(source, wanted)
                    if strict:
                        invalid.add(source, wanted)
                    if rows == limit:
                        break
                counted(source.path, rows - before)
    except SourceError:
        ids.refuse()  # what stands before the place that can't be read
        raise
    ids.refuse()
    invalid.refuse(rows)
    if not rows and not once:
        raise no_rows(inputs)
    return None if once else rows


def no_rows(inputs: Sequence[Input]) -> SourceError:
    """The error of a job without a single row."""
    if len(inputs) != 1:
        return SourceError(f"there is no row in any of the {len(inputs)} inputs")
    return SourceError("there is no row in it: it is empty or all blank", path=inputs[0].path)


class _InvalidRows:
    """Counts the rows that ``--strict`` refuses, and keeps the first few."""

    __slots__ = ("_count", "_first", "_parser")

    def __init__(self, parser: RowParser) -> None:
        self._parser = parser
        self._count = 0
        self._first: list[str] = []

    def add(self, source: Input, lines: Lines) -> None:
        for number, line in lines:
            row = self._parser.parse(line, number, source.path, source.format)
            if isinstance(row, Rejected):
                self._count += 1
                if len(self._first) < _SHOWN:
                    self._first.append(f"{row.path}:{row.line}: {row.reason}")

    def refuse(self, rows: int) -> None:
        """Raises SourceError listing them, where there are any."""
        if self._count:
            more = self._count - len(self._first)
            listed = [*self._first, f"... and {more} more"] if more else self._first
            verb = "is" if self._count == 1 else "are"
            raise SourceError(
                f"{self._count} of {rows} rows {verb} invalid, and --strict sends nothing then:\n  "
                + "\n  ".join(listed)
            )
