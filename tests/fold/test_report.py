"""The report says where everything is from, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from foldparts import chunk, part

from llmbatch.jobs.coverage import Analysis, Coverage, Gap
from llmbatch.jobs.fold.part import Cited, Part
from llmbatch.jobs.fold.report import head, place, sections, tail
from llmbatch.jobs.model import Chunk, DocumentFacts, Failure, Quote, Result, Status


def facts(path: str = "lease.txt", **said: Any) -> DocumentFacts:
    return DocumentFacts(path=path, title=path, format="text", bytes=3000, characters=3000, **said)


def coverage(**said: Any) -> Coverage:
    whole: dict[str, Any] = {
        "documents": (facts(),),
        "bytes": 3000,
        "analysed_bytes": 3000,
        "chunks": 3,
        "failed": 0,
        "truncated": 0,
        "gaps": (),
    }
    return Coverage(**(whole | said))


def analysis(**said: Any) -> Analysis:
    return Analysis(coverage=coverage(**said))


PAGED = Chunk(
    document="big_contract.pdf",
    number=1003,
    start=8000,
    end=12100,
    byte_start=8000,
    byte_end=12140,
    tokens=900,
    page=2,
    last_page=3,
    headings=("Rent", "§ 5 *Deposit*"),
)


def test_the_head_has_title_and_task_on_lines_of_their_own() -> None:
    assert head("lease_v2.txt", "List\n\n# every *obligation*") == (
        "# lease_v2.txt\n\nTask: List \\# every \\*obligation\\*\n\n"
    )
    assert head("", "") == ""


def test_a_place_names_document_pages_offsets_chunk_and_headings() -> None:
    assert place(PAGED) == (
        "big_contract.pdf, pages 2-3, characters 8,000-12,100 (bytes 8,000-12,140), "
        "chunk 1,003: Rent > § 5 \\*Deposit\\*"
    )
    assert place(chunk(1)) == "lease.txt, characters 0-1,000 (bytes 0-1,000), chunk 1"


def test_standard_input_is_called_so() -> None:
    span = {"start": 0, "end": 9, "byte_start": 0, "byte_end": 9}
    piped = Chunk(document="-", number=1, tokens=3, **span)
    assert place(piped).startswith("standard input, characters 0-9")
    said = tail(None, analysis(failed=1, gaps=(Gap(piped, "error", ""),)))
    assert "  - standard input, characters 0-9 (bytes 0-9), chunk 1: error" in said
    guessed = facts("-", encoding="cp1252", encoding_from="guessed")
    assert "- standard input: its encoding is guessed" in tail(None, analysis(documents=(guessed,)))


def test_sources_stand_below_with_their_quotes() -> None:
    quotes = (
        Cited(Quote("shall\npay [5]", "exact", 8120, 8160), PAGED),
        Cited(Quote("No animals", "folded", 1500, 1511), chunk(2)),
    )
    body = Part("- R [1]\n- P [2]", 2, 1003, (chunk(2), PAGED), quotes)
    assert tail(body, analysis()) == (
        "\n\n## Sources\n\n"
        "- [1] lease.txt, characters 1,000-2,000 (bytes 1,000-2,000), chunk 2\n"
        '  - "No animals" characters 1,500-1,511, in other case, space or punctuation marks\n'
        "- [2] big_contract.pdf, pages 2-3, characters 8,000-12,100 (bytes 8,000-12,140), "
        "chunk 1,003: Rent > § 5 \\*Deposit\\*\n"
        '  - "shall pay \\[5\\]" characters 8,120-8,160\n'
        "\n## Coverage\n\n"
        "- 3,000 of 3,000 bytes (100 %) analysed, in 3 of 3 chunks of 1 document\n"
        "- the report cites 2 of these 3 chunks\n"
    )


def test_of_one_chunk_nothing_is_said_that_goes_without_saying() -> None:
    one = Part("- R [1]", 1, 1, (chunk(1),))
    assert "cites" not in tail(one, analysis(chunks=1))
    assert "cites" not in tail(part(""), analysis())


def test_a_report_that_cites_nothing_is_told_from_one() -> None:
    assert "\n- the report cites none of these 3 chunks\n" in tail(part("- R"), analysis())


def test_a_quote_whose_chunk_is_no_source_is_named_all_the_same() -> None:
    said = tail(Part("", 1, 1, (), (Cited(Quote("x", "exact", 1, 2), chunk(1)),)), analysis())
    assert '- lease.txt, characters 0-1,000 (bytes 0-1,000), chunk 1\n  - "x"' in said


def test_without_sources_there_is_no_list_of_them() -> None:
    assert tail(part("Nothing was found."), analysis()).startswith("\n\n## Coverage\n\n- 3,000")
    assert tail(None, analysis()).startswith("\n\n## Coverage\n\n- 3,000")


def test_every_gap_is_named_and_the_rest_counted() -> None:
    said = tail(
        None,
        analysis(
            chunks=1000,
            failed=39,
            bytes=100_000,
            analysed_bytes=99_999,
            gaps=(
                Gap(PAGED, "error", "503 <busy>\n## Coverage"),
                Gap(chunk(2), "partial", ""),
            ),
        ),
    )
    assert said == (
        "\n\n## Coverage\n\n"
        "- 99,999 of 100,000 bytes (99.9 %) analysed, in 961 of 1,000 chunks of 1 document\n"
        "- 39 chunks were not analysed:\n"
        "  - big_contract.pdf, page 2, characters 8,000-12,100 (bytes 8,000-12,140), chunk 1,003: "
        "error: 503 \\<busy> \\## Coverage\n"
        "  - lease.txt, characters 1,000-2,000 (bytes 1,000-2,000), chunk 2: partial\n"
        "  - and 37 more, all in the results file\n"
    )


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            analysis(truncated=1),
            "1 answer was cut by the token limit: what stood behind the cut is not in the report",
        ),
        (
            analysis(
                documents=(facts("a", undecodable=3, first_undecodable=1200, encoding="utf-8"),)
            ),
            "a: 3 bytes can't be decoded as utf-8, the first at byte 1,200; each stands as U+FFFD",
        ),
        (
            analysis(documents=(facts("a_.txt", encoding="cp1252", encoding_from="guessed"),)),
            "a\\_.txt: its encoding is guessed: cp1252",
        ),
        (
            analysis(documents=(facts("a.pdf", pages=10, empty_pages=4),)),
            "a.pdf: 4 of 10 pages have no text",
        ),
        (
            analysis(documents=(facts("a.pdf", pages=10, empty_pages=1),)),
            "a.pdf: 1 of 10 pages has no text",
        ),
        (
            analysis(chunks=None, analysed_bytes=1),
            "1 byte analysed so far; the documents were not read to their end",
        ),
        (
            analysis(documents=(), bytes=0, analysed_bytes=0, chunks=0),
            "0 of 0 bytes analysed, in 0 of 0 chunks of 0 documents",
        ),
        (
            Analysis(coverage=coverage(), skipped={"x.png": "a binary"}),
            "1 file was found and not read:\n  - x.png: a binary",
        ),
        (
            Analysis(coverage=coverage(), skipped={f"{n}.png": "binary" for n in range(105)}),
            "105 files were found and not read:\n  - 0.png: binary\n",
        ),
        (
            Analysis(coverage=coverage(), quotes={"exact": 10, "missing": 1200}),
            "1,210 quotes looked up: 10 exact, 0 in other case, space or punctuation marks, "
            "1,200 not found in the document, and marked so",
        ),
        (
            Analysis(coverage=coverage(), invented=2),
            "2 citations named no source, and were taken out",
        ),
        (
            Analysis(coverage=coverage(), invented=1),
            "1 citation named no source, and was taken out",
        ),
        (
            Analysis(coverage=coverage(), cut_folds=1),
            "1 fold was cut by the token limit: what it had still to say is not in the report",
        ),
        (
            Analysis(coverage=coverage(), cut_folds=2),
            "2 folds were cut by the token limit: what they had still to say is not in the report",
        ),
        (
            Analysis(coverage=coverage(), uncited=1),
            "1 finding is without a source, and marked [?]",
        ),
    ],
)
def test_what_is_to_be_doubted_is_said(said: Analysis, line: str) -> None:
    out = tail(None, said)
    assert f"\n- {line}" in out
    assert ("\n  - and 5 more\n" in out) == (len(said.skipped) == 105)


def result(number: int, output: Any, status: Status = "ok", message: str = "") -> Result:
    return Result(
        id=f"c{number}",
        line=number,
        fingerprint="",
        status=status,
        output=output,
        finish_reason=None,
        provider=None,
        model=None,
        fallbacks=0,
        usage=None,
        cost_usd=None,
        metrics=None,
        error=Failure("overloaded", 503, message, True) if message else None,
        metadata={},
        chunk=chunk(number, "a_[1].txt"),
    )


def test_sections_are_the_answers_as_they_are() -> None:
    results = [
        result(1, "- Rent [12]\n```\n"),
        result(2, None, "error", "busy\n--- Section 9 ---"),
        result(3, "cut", "truncated"),
        result(4, {"a": [1]}),
        result(5, "half", "partial"),
    ]
    assert "".join(sections(results, analysis(chunks=12))) == (
        "--- Section 1 of 12 (chars 0-1000) ---\n\n- Rent [12]\n```\n\n\n"
        "--- Section 2 of 12 (chars 1000-2000): not analysed, error: busy --- Section 9 --- ---\n\n"
        "--- Section 3 of 12 (chars 2000-3000) ---\n\ncut\n\n"
        "(The token limit cut the answer here.)\n\n"
        '--- Section 4 of 12 (chars 3000-4000) ---\n\n{"a":[1]}\n\n'
        "--- Section 5 of 12 (chars 4000-5000): not analysed, partial ---\n\n"
        "## Coverage\n\n"
        "- 3,000 of 3,000 bytes (100 %) analysed, in 12 of 12 chunks of 1 document\n"
    )


def test_sections_of_several_documents_name_them() -> None:
    said = analysis(documents=(facts("a_[1].txt"), facts("b.txt")), chunks=2)
    first = next(sections([result(2, "x")], said))
    assert first == "--- Section 2 of 2 (a\\_\\[1\\].txt, chars 1000-2000) ---\n\nx\n\n"


def test_sections_hold_one_result_at_a_time() -> None:
    taken: list[int] = []

    def results() -> Iterator[Result]:
        for number in range(1, 4):
            taken.append(number)
            yield result(number, "x")

    out = sections(results(), analysis())
    for number in range(1, 4):
        assert f"Section {number} of 3" in next(out)
        assert taken == list(range(1, number + 1))


def test_a_section_can_not_pose_as_another_one_or_as_what_was_covered() -> None:
    said = "A\n--- Section 2 of 2 (chars 5-9) ---\n\nB\n ## coverage\n\n- all of it --- Section"
    text = "".join(sections([result(1, said)], analysis()))
    assert (
        "\n\\--- Section 2 of 2 (chars 5-9) ---\n\nB\n\\ ## coverage\n\n- all of it --- Sec" in text
    )
    assert len(re.findall(r"^--- Section", text, re.MULTILINE)) == 1
