"""Rows that begin alike, next to each other: a window of rows read ahead, put in order."""

from __future__ import annotations

from asyncio import sleep
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from msgspec import structs

from ..errors import SourceError
from ..events import RowsSkipped
from ..model import Request, Row
from ..ports import Clock

WINDOW = 512
"""Rows that are read ahead."""

ROOM = 8 << 20
"""Characters that they may have together."""

KNOWN = 1024
"""Beginnings that are remembered as given before."""

BREATH = 32
"""Rows that are read ahead in one go."""


class Rows(Protocol):
    """A source whose rows can be given back."""

    def requests(self) -> AsyncGenerator[Row | RowsSkipped, None]: ...


class Grouped:
    """The rows of a source; those with one ``beginning`` follow each other, as far as it can see.

    The first row of each beginning comes as soon as it is read, so that it is under way before the
    others follow; so does every row that has none.
    """

    def __init__(
        self,
        source: Rows,
        beginning: Callable[[Row], int | None],
        clock: Clock,
        *,
        window: int = WINDOW,
        room: int = ROOM,
    ) -> None:
        self._source = source
        self._beginning = beginning
        self._clock = clock
        self._window = window
        self._room = room

    async def requests(self) -> AsyncGenerator[Row | RowsSkipped, None]:
        """Raises SourceError where the source does, after the rows that it gave."""
        ahead = _Ahead()
        known: OrderedDict[int, None] = OrderedDict()
        broken: SourceError | None = None
        read = 0
        try:
            async with aclosing(self._source.requests()) as rows:
                async for row in rows:
                    if isinstance(row, RowsSkipped):
                        yield row
                        continue
                    beginning = self._beginning(row)
                    if beginning is None or beginning not in known:
                        if beginning is not None:
                            known[beginning] = None
                            if len(known) > KNOWN:
                                known.popitem(last=False)
                        yield row
                        continue
                    known.move_to_end(beginning)
                    ahead.add(beginning, row)
                    read += 1
                    if not read % BREATH:
                        await sleep(0)  # what was given is sent meanwhile
                    while ahead.rows > self._window or ahead.size > self._room:
                        yield self._given(ahead.take())
        except SourceError as error:
            broken = error
        while ahead.rows:
            yield self._given(ahead.take())
        if broken is not None:
            raise broken

    def _given(self, row: Row) -> Row:
        """As if it was read now: nobody waited for it while it was held here."""
        return structs.replace(row, read_at=self._clock.now())

    def __repr__(self) -> str:
        return f"<Grouped {self._source!r}>"


class _Ahead:
    """Rows that were read and not given, by how they begin; ``size`` in characters."""

    __slots__ = ("_groups", "rows", "size")

    def __init__(self) -> None:
        self._groups: dict[int, deque[tuple[Row, int]]] = {}
        self.rows = 0
        self.size = 0

    def add(self, beginning: int, row: Row) -> None:
        size = size_of(row)
        self._groups.setdefault(beginning, deque()).append((row, size))
        self.rows += 1
        self.size += size

    def take(self) -> Row:
        """The next row of the oldest group."""
        beginning, group = next(iter(self._groups.items()))
        row, size = group.popleft()
        if not group:
            del self._groups[beginning]
        self.rows -= 1
        self.size -= size
        return row


def size_of(row: Row) -> int:
    """About how many characters the row has."""
    if not isinstance(row, Request):
        return 1000
    return 1000 + _size(row.messages) + _size(row.input) + _size(row.metadata)


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8
