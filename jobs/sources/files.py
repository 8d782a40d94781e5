"""The source of a job: every row of its inputs, one at a time."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from typing import Any, Generic, Literal, Protocol, TypeVar

from ..errors import SourceError
from ..ports import Clock
from .formats import Format
from .ids import StreamIds
from .images import may_have
from .inputs import Input
from .lines import Lines
from .pump import Pump
from .scan import no_rows

Which = Literal["alone", "others"]
"""Whether some rows are read alone, or all others."""


R = TypeVar("R", covariant=True)


class Parser(Protocol[R]):
    """Makes a row of a line; see :class:`.rows.RowParser`."""

    def parse(
        self, line: bytes, number: int, path: str, form: Format = ..., read_at: float = ...
    ) -> R: ...


class FileSource(Generic[R]):
    """Rows of files, pipes and standard input, read lazily and in order.

    Files that can be read twice have been scanned for duplicate ids before. As soon as one input
    can't, ids are watched here, and a second row with an id becomes a Rejected row; not so where
    ``watch_ids`` says that somebody else does.

    ``scanned`` is the number of rows that the scan found. Rows that were appended since are left
    for the next run, which looks at their ids; a file that has become shorter is an error.
    ``places`` are rows of it, counted from 0 and in order: those that are read alone, or the ones
    that are left out.
    """

    __slots__ = (
        "_alone",
        "_clock",
        "_limit",
        "_parser",
        "_places",
        "_scanned",
        "_seen",
        "_watch_ids",
        "inputs",
    )

    def __init__(
        self,
        inputs: Sequence[Input],
        parser: Parser[R],
        clock: Clock,
        limit: int | None = None,
        scanned: int | None = None,
        places: Sequence[int] = (),
        which: Which = "others",
        *,
        watch_ids: bool = True,
    ) -> None:
        self.inputs = tuple(inputs)
        self._parser = parser
        self._clock = clock
        self._watch_ids = watch_ids
        self._limit = limit
        self._places = places
        self._alone = which == "alone"
        if scanned is not None:
            self._limit = len(places) if self._alone else scanned - len(places)
        self._scanned = scanned
        self._seen = 0

    def __repr__(self) -> str:
        return f"FileSource({[source.path for source in self.inputs]}, limit={self._limit})"

    async def requests(self) -> AsyncGenerator[R, None]:
        """Raises SourceError where the input can't be read, or has no row at all."""
        parse, now = self._parser.parse, self._clock.now
        files_only = all(source.rereadable for source in self.inputs)
        ids: Any = None if files_only or not self._watch_ids else StreamIds(self.inputs)
        async with aclosing(self.batches()) as batches:
            async for index, lines in batches:
                source = self.inputs[index]
                for number, line in lines:
                    if may_have(line):
                        row = await self.row(number, line, source)
                    else:
                        row = parse(line, number, source.path, source.format, now())
                    yield row if ids is None else ids.check(row, index)

    async def row(self, number: int, line: bytes, source: Input) -> R:
        """The row of a line that was read now."""
        given = (line, number, source.path, source.format, self._clock.now())
        if may_have(line):  # images are read from their files
            return await asyncio.to_thread(self._parser.parse, *given)
        return self._parser.parse(*given)

    async def batches(self) -> AsyncGenerator[tuple[int, Lines], None]:
        """The lines of the rows, each time some with the place of their input.

        Raises as :meth:`requests`.
        """
        left = self._limit
        empty = True
        pump = Pump(self._batches)
        try:
            while (batch := await pump.get()) is not None:
                index, lines = batch
                empty = False
                if left is None:
                    yield index, lines
                    continue
                yield index, lines[:left]
                left -= min(left, len(lines))
                if not left:
                    return
        finally:
            pump.close()
        if empty:
            raise no_rows(self.inputs)
        if self._scanned and left:
            raise SourceError(
                f"it changed while it was read: there were {self._scanned:,} rows, and then "
                f"{self._seen:,}: run the same command again to go on",
                path=self.inputs[0].path if len(self.inputs) == 1 else "the input",
            )

    def _batches(self) -> Generator[tuple[int, Lines], None, None]:
        for index, source in enumerate(self.inputs):
            for lines in source.blocks():
                wanted = self._wanted(lines) if self._places else lines
                self._seen += len(lines)
                if wanted:
                    yield index, wanted

    def _wanted(self, lines: Lines) -> Lines:
        """Of the next lines those that are asked for."""
        places, first = self._places, self._seen
        begin = bisect_left(places, first)
        end = bisect_left(places, first + len(lines), begin)
        marked = [place - first for place in places[begin:end]]
        if self._alone:
            return [lines[place] for place in marked]
        if not marked:
            return lines
        left_out = set(marked)
        return [line for place, line in enumerate(lines) if place not in left_out]
