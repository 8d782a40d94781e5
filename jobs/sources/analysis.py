"""The rows of an analysis: every chunk of its documents, and every fold as soon as it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Protocol

from msgspec import Struct, structs

from ..errors import SourceError
from ..events import ChunkEnded, ChunksCounted, DocumentRead
from ..model import Chunk, DocumentFacts, Request
from ..ports import Clock, Observer
from .chunks.chunker import cut
from .chunks.cut import Cut, Sizes, Tokens
from .documents.document import Document
from .pump import Pump

AHEAD = 16
"""Chunks that are cut before they are asked for."""

Ask = Callable[[Cut, Chunk, str], Request]
"""The request for a chunk of the document with that title."""


class Folds(Protocol):
    """The rows that are made of other rows' results."""

    @property
    def finished(self) -> bool:
        """Whether there will be no more of them."""
        ...

    def next(self) -> Request | None:
        """One whose inputs are all there; None when there is none now."""
        ...

    def empty(self, number: int) -> None:
        """A chunk that holds nothing but white space: it is not asked."""
        ...

    def counted(self, chunks: int) -> None:
        """The documents are read: so many chunks there are."""
        ...

    async def changed(self) -> None:
        """Until a result came in since :meth:`next` was asked."""
        ...


class Chunks(Struct, frozen=True):
    """How documents become requests."""

    documents: Sequence[Document]
    sizes: Sizes
    tokens: Tokens
    ask: Ask

    def items(self) -> Generator[Request | Chunk | DocumentFacts, None, None]:
        """In order; a Chunk alone is one without text. It blocks."""
        number = 0
        for document in self.documents:
            with document.open() as reading:
                for piece in cut(reading, self.sizes, self.tokens):
                    number += 1
                    chunk = _chunk(piece, document.path, number)
                    if piece.text.isspace():
                        yield chunk
                    else:
                        yield self.ask(piece, chunk, reading.title)
                yield reading.facts()


class AnalysisSource:
    """Folds come first, so that few partial reports wait in memory however long the document is.

    ``waited`` is the time in seconds that was spent waiting for results: the engine takes it for a
    slow source.
    """

    __slots__ = ("_asked", "_chunks", "_clock", "_folds", "_number", "_observe", "waited")

    def __init__(self, chunks: Chunks, folds: Folds, clock: Clock, observe: Observer) -> None:
        self._chunks = chunks
        self._folds = folds
        self._clock = clock
        self._observe = observe
        self._number = 0
        self._asked = False
        self.waited = 0.0

    async def requests(self) -> AsyncGenerator[Request, None]:
        """Raises SourceError where a document can't be read, or nothing stands in any of them."""
        folds = self._folds
        pump = Pump(self._chunks.items, AHEAD)
        coming: asyncio.Task[Request | Chunk | DocumentFacts | None] | None = None
        try:
            while True:
                while (fold := folds.next()) is not None:
                    yield self._read(fold)
                coming = coming or asyncio.ensure_future(pump.get())
                if not await self._either(coming):
                    continue
                item, coming = coming.result(), None
                if item is None:
                    break
                if (row := self._taken(item)) is not None:
                    yield row
        finally:
            if coming is not None:
                coming.cancel()
            pump.close()
        if self._number and not self._asked:
            raise _blank(self._chunks.documents)
        self._observe(ChunksCounted(self._number))
        folds.counted(self._number)
        while not folds.finished:
            while (fold := folds.next()) is not None:
                yield self._read(fold)
            if not folds.finished:
                await self._wait()

    def _taken(self, item: Request | Chunk | DocumentFacts) -> Request | None:
        if isinstance(item, DocumentFacts):
            self._observe(DocumentRead(item))
            return None
        self._number += 1
        if isinstance(item, Chunk):
            self._observe(ChunkEnded(item, "ok", blank=True))
            self._folds.empty(item.number)
            return None
        self._asked = True
        return self._read(item)

    def _read(self, row: Request) -> Request:
        return structs.replace(row, read_at=self._clock.now())

    async def _either(self, coming: asyncio.Task[Request | Chunk | DocumentFacts | None]) -> bool:
        """Until the next item is there (True) or the folds have changed."""
        if coming.done():
            return True
        change = asyncio.ensure_future(self._folds.changed())
        try:
            await asyncio.wait({coming, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()  # not waited for: what cancels this one would be taken for its end
        return coming.done()

    async def _wait(self) -> None:
        began = self._clock.now()
        try:
            await self._folds.changed()
        finally:
            self.waited += self._clock.now() - began

    def __repr__(self) -> str:
        return f"<AnalysisSource, {self._number} chunks so far>"


def _blank(documents: Sequence[Document]) -> SourceError:
    if len(documents) == 1:
        return SourceError("there is nothing but white space in it", path=documents[0].path)
    return SourceError(f"there is nothing but white space in the {len(documents)} documents")


def _chunk(piece: Cut, document: str, number: int) -> Chunk:
    return Chunk(
        document=document,
        number=number,
        start=piece.start,
        end=piece.end,
        byte_start=piece.byte_start,
        byte_end=piece.byte_end,
        tokens=piece.tokens,
        overlap=piece.overlap,
        page=piece.page,
        last_page=piece.last_page,
        headings=piece.headings,
    )
