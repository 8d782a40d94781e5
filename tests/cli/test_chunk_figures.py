"""How far an analysis has come: by bytes, then by chunks, and with the folds beside them."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from llmbatch.cli.chunkfigures import ChunkFigures
from llmbatch.cli.progress import Bar, LogLines, progress_for
from llmbatch.jobs.events import ChunkEnded, ChunksCounted, JobStarted, RowFinished, RowSkipped
from llmbatch.jobs.model import Chunk, Fold, Result, Status
from llmbatch.jobs.summary import Tally
from virtualtime import run_virtual


def started(size: int | None = 1000) -> Tally:
    tally = Tally()
    tally(JobStarted(None, "big.analysis.jsonl", "openai/m", 4, None, None, bytes=size))
    return tally


def finished(status: Status = "ok", fold: Fold | None = None) -> RowFinished:
    values: dict[str, Any] = dict.fromkeys(Result.__struct_fields__)
    return RowFinished(Result(**{**values, "status": status, "fold": fold or UNSET}))


def folded(status: Status = "ok") -> RowFinished:
    return finished(status, Fold(level=1, number=1, first_chunk=1, last_chunk=2))


def chunk(tally: Tally, number: int, size: int = 100, status: Status = "ok") -> None:
    """A chunk that was asked about and has its end."""
    skipped(tally, number, size, status)
    tally(finished(status))


def skipped(tally: Tally, number: int, size: int = 100, status: Status = "ok") -> None:
    """A chunk that has its end and was not asked about."""
    start = (number - 1) * size
    span = {"start": start, "end": start + size, "byte_start": start, "byte_end": start + size}
    tally(ChunkEnded(Chunk(document="big.txt", number=number, tokens=9, **span), status))


def test_nothing_is_known_at_the_start() -> None:
    for size in (1000, None, 0):
        figures = ChunkFigures(started(size), 1)
        assert figures.parts() == ["0 chunks", "waiting for the first answer"]
        assert figures.left is None
        assert figures.percent == 0


def test_chunks_are_estimated_by_the_bytes_until_they_are_counted() -> None:
    tally = started(1000)
    chunk(tally, 1)
    chunk(tally, 2)
    figures = ChunkFigures(tally, 10)
    assert (figures.percent, figures.reached) == (20, (200, 1000))
    assert figures.parts() == ["2 of about 10 chunks", "40s left", "0.2 requests/s"]
    tally(ChunksCounted(8))
    figures = ChunkFigures(tally, 10)
    assert (figures.percent, figures.reached) == (25, (2, 8))
    assert figures.parts() == ["2 of 8 chunks", "30s left", "0.2 requests/s"]


def test_without_a_size_there_is_no_share_until_the_chunks_are_counted() -> None:
    tally = started(None)
    chunk(tally, 1)
    figures = ChunkFigures(tally, 10)
    assert figures.reached == (1, None)
    assert figures.parts() == ["1 chunk", "0.1 requests/s"]
    tally(ChunksCounted(1))
    assert ChunkFigures(tally, 10).parts() == ["1 of 1 chunk", "0.1 requests/s"]


def test_what_failed_and_what_was_folded_stands_beside_the_chunks() -> None:
    tally = started(400)
    chunk(tally, 1)
    chunk(tally, 2, status="error")
    tally(folded())
    assert ChunkFigures(tally, 6).parts()[:3] == ["2 of about 4 chunks", "1 failed", "1 fold"]
    tally(folded("partial"))
    assert ChunkFigures(tally, 6).parts()[1:3] == ["2 failed", "2 folds"]


def test_the_time_left_reckons_with_the_folds_that_are_to_come() -> None:
    tally = started(400)
    chunk(tally, 1)
    chunk(tally, 2)
    tally(folded())
    figures = ChunkFigures(tally, 6)
    assert figures.to_come == 3, "two chunks and the fold of them"
    assert figures.left == 6


def test_chunks_of_earlier_runs_count_as_done_but_not_as_pace() -> None:
    tally = started(1000)
    for number in range(1, 9):
        skipped(tally, number)
        tally(RowSkipped(str(number), "ok"))
    figures = ChunkFigures(tally, 10)
    assert figures.parts() == ["8 of about 10 chunks", "waiting for the first answer"]
    chunk(tally, 9)
    assert ChunkFigures(tally, 10).left == 10


def test_nobody_waits_for_an_answer_when_every_chunk_is_done() -> None:
    tally = started(100)
    skipped(tally, 1)
    tally(ChunksCounted(1))
    assert ChunkFigures(tally, 10).parts() == ["1 of 1 chunk"]


def test_no_documents_are_nothing_to_divide_by() -> None:
    tally = started(0)
    tally(ChunksCounted(0))
    figures = ChunkFigures(tally, 1)
    assert figures.parts() == ["0 of 0 chunks"]
    assert figures.percent == 0


@given(
    st.lists(st.integers(min_value=0, max_value=500), max_size=30),
    st.none() | st.integers(min_value=0, max_value=2000),
    st.none() | st.integers(min_value=0, max_value=60),
)
def test_whatever_was_promised_the_share_stays_within_the_whole(
    sizes: list[int], size: int | None, more: int | None
) -> None:
    tally = started(size)  # which may be wrong: a document grows, or shrinks
    for number, each in enumerate(sizes, 1):
        chunk(tally, number, each)
    if more is not None:
        tally(ChunksCounted(len(sizes) + more))
    figures = ChunkFigures(tally, 10)
    at, whole = figures.reached
    assert whole is None or at <= whole
    assert 0 <= figures.percent <= 100
    assert figures.chunks is None or figures.chunks >= len(sizes)
    assert figures.to_come is None or figures.to_come >= 0
    assert figures.parts()


@pytest.mark.parametrize("kind", [Bar, LogLines])
def test_bar_and_log_lines_count_chunks(kind: type[Bar | LogLines]) -> None:
    async def main() -> str:
        tally, stream = started(1000), io.StringIO()
        shown = kind(tally, stream, asyncio.get_running_loop().time, ChunkFigures)
        shown(tally.started)
        for number in range(1, 5):
            chunk(tally, number)
        await asyncio.sleep(31)
        tally(ChunksCounted(5))
        await asyncio.sleep(30)
        shown.close()
        return stream.getvalue()

    lines = re.split(r"[\r\n]+", run_virtual(main()))
    share = r" 40%\|.*\| " if kind is Bar else r".*Z "
    assert any(re.match(share + r"4 of about 10 chunks, \d+s left, ", line) for line in lines)
    share = r" 80%\|.*\| " if kind is Bar else r".*Z "
    assert any(re.match(share + "4 of 5 chunks, ", line) for line in lines), lines


def test_progress_counts_what_it_is_told() -> None:
    lines = progress_for(io.StringIO(), started(), quiet=False, counting=ChunkFigures)
    assert isinstance(lines, LogLines)
    assert isinstance(lines.figures, ChunkFigures)
