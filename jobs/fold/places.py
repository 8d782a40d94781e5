"""In which chunks a record was found: where each of them stands, and compact lists of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from ..model import Chunk

_NONE = -1


class Place(Struct, frozen=True, gc=False):
    """Where a chunk stands; characters of its document, pages from 1."""

    chunk: int
    document: str
    page: int | None
    last_page: int | None
    start: int
    end: int

    def source(self) -> dict[str, Any]:
        """As a line of JSON has it."""
        page = {} if self.page is None else {"page": self.page}
        span = {"start": self.start, "end": self.end}
        return {"chunk": self.chunk, "document": self.document, **page, **span}

    def __str__(self) -> str:
        page = ""
        if self.page is not None:
            several = self.last_page is not None and self.last_page != self.page
            page = f" pp. {self.page}-{self.last_page}" if several else f" p. {self.page}"
        return f"{self.document}{page} chars {self.start}-{self.end}"


class Citations:
    """Which chunks each record was found in, in their order; 16 bytes a citation, 16 a record."""

    __slots__ = ("_chunks", "_first", "_last", "_next", "_places", "_shared")

    def __init__(self) -> None:
        self._first, self._last = array("q"), array("q")
        self._chunks, self._next = array("q"), array("q")
        self._places: dict[int, Place] = {}
        self._shared: dict[str, str] = {}

    def add(self, record: int, chunk: Chunk) -> None:
        """``record`` is a number that is known, or the next one."""
        new = record == len(self._first)
        if not new and self._chunks[self._last[record]] == chunk.number:
            return
        here = len(self._chunks)
        self._chunks.append(chunk.number)
        self._next.append(_NONE)
        if new:
            self._first.append(here)
            self._last.append(here)
        else:
            self._next[self._last[record]] = here
            self._last[record] = here
        if chunk.number not in self._places:
            document = self._shared.setdefault(chunk.document, chunk.document)
            self._places[chunk.number] = Place(
                chunk.number, document, chunk.page, chunk.last_page, chunk.start, chunk.end
            )

    def of(self, record: int) -> Iterator[Place]:
        """Where it was found."""
        at = self._first[record]
        while at != _NONE:
            yield self._places[self._chunks[at]]
            at = self._next[at]

    def __repr__(self) -> str:
        return f"<Citations of {len(self._first)} records in {len(self._places)} chunks>"
