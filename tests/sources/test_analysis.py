"""The rows of an analysis: chunks and folds, each with the time at which it was made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.jobs.events import Event
from llmbatch.jobs.model import Chunk, Fold, Request
from llmbatch.jobs.sources.analysis import AnalysisSource, Chunks
from llmbatch.jobs.sources.chunks.cut import Sizes
from llmbatch.jobs.sources.documents.finding import find
from llmbatch.jobs.tokens import TextCounter


class Ticking:
    """A clock that is never twice at the same time."""

    def __init__(self) -> None:
        self.time = 5000.0

    def now(self) -> float:
        self.time += 1
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class OneFold:
    """Has a fold to make once the documents are read."""

    def __init__(self) -> None:
        self.row: Request | None = None
        self.finished = False

    def next(self) -> Request | None:
        row, self.row = self.row, None
        self.finished = self.finished or row is not None
        return row

    def empty(self, number: int) -> None: ...

    def counted(self, chunks: int) -> None:
        fold = Fold(level=1, number=1, first_chunk=1, last_chunk=2, final=True)
        self.row = Request(
            id="fold-1-1", line=1, path="", endpoint="chat", model="m", fingerprint="f", fold=fold
        )

    async def changed(self) -> None:
        await asyncio.Event().wait()


async def test_a_fold_was_read_when_it_was_made_as_a_chunk_was() -> None:
    """Else it seems to have waited since the clock began, and with it the whole job."""
    clock, seen = Ticking(), list[Event]()
    chunks = Chunks([], Sizes(chunk=100, overlap=0), TextCounter("m"), lambda *_: _never())
    source = AnalysisSource(chunks, OneFold(), clock, seen.append)
    rows = [row async for row in source.requests()]
    assert [row.id for row in rows] == ["fold-1-1"]
    assert 5000 < rows[0].read_at <= clock.time


class Quiet(OneFold):
    """Never has a fold; ``told`` is called where nobody waits for one any more."""

    def __init__(self, told: Callable[[], object]) -> None:
        super().__init__()
        self.told = told

    def counted(self, chunks: int) -> None:
        self.finished = True

    async def changed(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.told()


async def test_who_is_cancelled_while_a_chunk_arrives_is_cancelled(tmp_path: Path) -> None:
    """Else a row is sent after the end was asked for, and nobody ends it after its grace."""
    path = tmp_path / "a.txt"
    path.write_text("Here are some words. " * 40)
    documents = find([str(path)], outputs=[]).documents
    folds = Quiet(lambda: reader.cancel())
    ask = Row()
    chunks = Chunks(documents, Sizes(chunk=20, overlap=0), TextCounter("m"), ask)
    source = AnalysisSource(chunks, folds, Ticking(), lambda _: None)

    async def read() -> list[Request]:
        return [row async for row in source.requests()]

    reader = asyncio.ensure_future(read())
    with pytest.raises(asyncio.CancelledError):
        await reader


class Row:
    """The request for any chunk."""

    def __call__(self, cut: object, chunk: Chunk, title: str) -> Request:
        return Request(
            id=f"chunk-{chunk.number}",
            line=chunk.number,
            path=chunk.document,
            endpoint="chat",
            model="m",
            fingerprint="f",
            chunk=chunk,
        )


def _never() -> Request:
    raise AssertionError("there is no document")
