"""The rows of files of which an earlier run has done some: these are found in the output early."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from ..events import RowsSkipped
from ..model import Row, Status
from ..ports import Clock, Done
from .files import FileSource
from .formats import Format
from .inputs import Input
from .lines import Lines
from .naming import Name

TOGETHER = 128
"""Rows that are looked up at once."""

MOST_PASSED = 32
"""Blocks without a row that is done, after which as many more are not looked at."""


class Naming(Protocol):
    """How rows are called, and what they ask; see :class:`.rows.RowParser`."""

    def names(self, lines: Lines, path: str, form: Format = ...) -> Sequence[Name]: ...


class Resumed:
    """The rows of a source, but those that are ``done`` only counted: block by block.

    A row that is done is not made: its line says how it is called and what it asks. Where a block
    has none of them the next ones are not looked at, at first one of them, then more and more;
    their rows are given, done or not.

    The ids of the source's files are known to differ.
    """

    def __init__(self, source: FileSource[Row], naming: Naming, done: Done, clock: Clock) -> None:
        self._source = source
        self._naming = naming
        self._done = done
        self._clock = clock
        self._passing = 0  # blocks that are not looked at from here on
        self._missed = 0  # so many were to pass the last time

    async def requests(self) -> AsyncGenerator[Row | RowsSkipped, None]:
        """Raises SourceError as the source does."""
        read, inputs = self._source.row, self._source.inputs
        async with aclosing(self._source.batches()) as batches:
            async for index, lines in batches:
                source, at = inputs[index], 0
                while at < len(lines):
                    block = lines[at : at + TOGETHER]
                    began = self._clock.now()
                    statuses = self._statuses(block, source)
                    found = Counter(status for status in statuses if status is not None)
                    yield RowsSkipped(found, self._clock.now() - began)
                    for (number, line), status in zip(block, statuses, strict=False):
                        if status is None:
                            yield await read(number, line, source)
                    at += len(statuses)

    def _statuses(self, block: Lines, source: Input) -> Sequence[Status | None]:
        """Those of the first rows, at least of one; what has None is to be given."""
        if self._passing:
            self._passing -= 1
            return [None] * len(block)
        names = self._naming.names(block, source.path, source.format)
        if not names:  # the first line takes files to be read
            return [None]
        statuses = self._done.take_all(names)
        self._missed = 0 if any(statuses) else min(2 * self._missed + 1, MOST_PASSED)
        self._passing = self._missed
        return statuses

    def __repr__(self) -> str:
        return f"Resumed({self._source!r})"
