"""The end of an analysis in words: nothing that was left out, guessed or missed is kept quiet."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, structs

from llmbatch.cli.analysissummary import analysis_lines
from llmbatch.cli.exits import exit_of
from llmbatch.cli.summary import block, last_line
from llmbatch.jobs.coverage import Analysis, Coverage, Gap
from llmbatch.jobs.drain import Stop
from llmbatch.jobs.events import (
    ChunkEnded,
    ChunksCounted,
    DocumentRead,
    JobStarted,
    RowFinished,
)
from llmbatch.jobs.model import Chunk, DocumentFacts, Fold, Result, Status
from llmbatch.jobs.summary import Summary, Tally


def facts(path: str = "big.txt", **more: Any) -> DocumentFacts:
    values = {"title": path, "format": "text", "bytes": 1000, "characters": 900} | more
    return DocumentFacts(path=path, **values)


def chunk(number: int, document: str = "big.txt", **more: Any) -> Chunk:
    start = (number - 1) * 500
    span = {"start": start, "end": start + 500, "byte_start": start, "byte_end": start + 500}
    return Chunk(document=document, number=number, tokens=9, **span, **more)


def coverage(*documents: DocumentFacts, **more: Any) -> Coverage:
    values: dict[str, Any] = {
        "documents": documents or (facts(),),
        "bytes": 1000,
        "analysed_bytes": 1000,
        "chunks": 2,
        "failed": 0,
        "truncated": 0,
        "gaps": (),
    }
    return Coverage(**{**values, **more})


def said(covered: Coverage | None = None, **more: Any) -> list[str]:
    return analysis_lines(Analysis(coverage=covered or coverage(), **more))


def test_a_plain_end_is_two_lines() -> None:
    assert said() == ["documents  1", "coverage   1,000 of 1,000 bytes in 2 chunks"]


def test_what_was_skipped_is_named_with_its_reason() -> None:
    skipped = {f"{name}.bin": "no text" for name in "abcde"}
    assert said(skipped=skipped)[0] == (
        "documents  1 (5 skipped: a.bin: no text; b.bin: no text; c.bin: no text; and 2 more)"
    )


def test_a_chunk_that_failed_is_named_with_its_span() -> None:
    gaps = (Gap(chunk(17, page=3), "error", "a private prompt"), Gap(chunk(18, "-"), "refused", ""))
    covered = coverage(analysed_bytes=12, failed=2, gaps=gaps)
    assert said(covered)[1] == (
        "coverage   12 of 1,000 bytes in 2 chunks, 2 chunks failed: "
        "chunk 17 (big.txt, page 3, characters 8,000-8,500); "
        "chunk 18 (standard input, characters 8,500-9,000)"
    )


def test_of_many_failed_chunks_the_first_are_named() -> None:
    gaps = tuple(Gap(chunk(number), "error", "") for number in range(1, 101))
    line = said(coverage(failed=250, gaps=gaps))[1]
    assert line.endswith("; chunk 3 (big.txt, characters 1,000-1,500); and 247 more")


def test_documents_that_were_not_read_to_their_end_are_not_called_covered() -> None:
    assert said(coverage(chunks=None, analysed_bytes=1500))[1] == (
        "coverage   1,500 bytes so far: the documents were not read to their end"
    )


def test_folds_quotes_and_citations_are_counted() -> None:
    lines = said(folds=12, quotes={"missing": 2, "exact": 41}, invented=3, uncited=1)
    assert lines[2:] == [
        "folds      12",
        "quotes     41 exact, 2 not found",
        "citations  3 of sources that there are not, taken out; 1 statement without a source",
    ]


def test_answers_that_were_cut_are_told() -> None:
    assert said(coverage(truncated=1))[2] == (
        "truncated  1 chunk has an answer that the token limit cut (--max-tokens)"
    )


def test_what_was_guessed_or_undecodable_is_told() -> None:
    documents = (
        facts("a.txt", encoding="utf-8", encoding_from="content"),
        facts("b.txt", encoding="cp1252", encoding_from="guessed"),
        facts(encoding="cp1252", encoding_from="guessed", undecodable=3, first_undecodable=812),
        facts("-", encoding="utf-8", encoding_from="given", undecodable=1, first_undecodable=0),
        facts("scan.pdf", pages=40, empty_pages=3),
    )
    assert said(coverage(*documents))[2:] == [
        "encoding   b.txt: cp1252, guessed (--encoding NAME names another one)",
        "encoding   big.txt: cp1252, guessed; 3 bytes undecodable, the first at byte 812 "
        "(--encoding NAME names another one)",
        "encoding   standard input: utf-8; 1 byte undecodable, the first at byte 0 "
        "(--encoding NAME names another one)",
        "pages      scan.pdf: 3 of 40 without text, as scans are",
    ]


def test_a_folder_of_old_files_does_not_fill_the_screen() -> None:
    documents = [facts(f"{n}.txt", encoding="cp1252", encoding_from="guessed") for n in range(900)]
    lines = said(coverage(*documents))
    assert len(lines) == 8
    assert lines[-1] == "encoding   895 others"


# How it stands in the whole summary.


def finished(status: Status, fold: Fold | None = None) -> RowFinished:
    values: dict[str, Any] = dict.fromkeys(Result.__struct_fields__)
    return RowFinished(Result(**{**values, "status": status, "fold": fold or UNSET}))


@pytest.fixture
def tally() -> Tally:
    """Two chunks and the fold of them."""
    tally = Tally()
    tally(JobStarted(None, "big.analysis.jsonl", "p/m", 4, None, None, bytes=1000))
    for number in (1, 2):
        tally(finished("ok"))
        tally(ChunkEnded(chunk(number), "ok"))
    tally(finished("ok", Fold(level=1, number=1, first_chunk=1, last_chunk=2, final=True)))
    tally(DocumentRead(facts()))
    tally(ChunksCounted(2))
    return tally


def ended(tally: Tally, stopped: Stop | None = None, **more: Any) -> Summary:
    summary = tally.summary(wall=185.0, stopped=stopped)
    assert summary.analysis is not None
    return structs.replace(summary, analysis=structs.replace(summary.analysis, **more))


def test_the_block_begins_with_what_was_analysed(tally: Tally) -> None:
    assert block(ended(tally))[:4] == [
        "documents  1",
        "coverage   1,000 of 1,000 bytes in 2 chunks",
        "folds      1",
        "rows       3 ok",
    ]


@pytest.mark.parametrize(
    ("report", "where"),
    [("report.md", "report.md"), ("-", "standard output"), (None, "big.analysis.jsonl")],
)
def test_the_last_line_says_where_the_report_is(
    tally: Tally, report: str | None, where: str
) -> None:
    line = last_line(ended(tally, report=report), 0)
    assert line == f"llmbatch: 3 ok in 3m05s -> {where} (exit 0)"


def test_an_analysis_that_was_broken_off_says_how_far_it_came_and_how_to_go_on() -> None:
    tally = Tally()
    tally(JobStarted(None, "big.analysis.jsonl", "p/m", 4, None, None, bytes=1000))
    tally(finished("ok"))
    tally(ChunkEnded(chunk(1), "ok"))
    lines = block(tally.summary(wall=1.0, stopped=Stop("SIGINT", "interrupted")))
    assert lines[:2] == [
        "documents  0",
        "coverage   500 bytes so far: the documents were not read to their end",
    ]
    assert "not run    the rest (run the same command again to go on)" in lines


def test_a_job_of_rows_says_nothing_of_documents() -> None:
    tally = Tally()
    tally(JobStarted(1, "out.jsonl", "p/m", 4, None, None))
    tally(finished("ok"))
    summary = tally.summary(wall=1.0)
    assert summary.analysis is None
    assert block(summary)[0] == "rows       1 ok"


def test_an_analysis_without_its_report_has_failed_whatever_was_allowed(tally: Tally) -> None:
    assert exit_of(ended(tally, report="-"), "0") == 0
    summary = ended(tally, unwritten="the last fold failed")
    assert exit_of(summary, "100%") == 1
    assert "report     none was written: the last fold failed" in block(summary)
    assert exit_of(ended(tally, Stop("SIGINT", "interrupted"), unwritten="x"), "0") == 130
