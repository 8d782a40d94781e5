"""What a map answers becomes a part whose findings all cite their chunk."""

from __future__ import annotations

import pytest
from foldparts import TEXTS, chunk
from hypothesis import given, settings

from llmbatch.jobs.fold.citations import present
from llmbatch.jobs.fold.notes import part_of_chunk
from llmbatch.jobs.fold.part import Cited
from llmbatch.jobs.model import Quote


def noted(output: str, text: str = "", quotes: bool = False) -> str:
    part, _ = part_of_chunk(output, chunk(4), text, document_start=0, quotes=quotes)
    assert part is not None
    assert (part.first, part.last, part.sources) == (4, 4, (chunk(4),))
    return part.text


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Rent is due.", "Rent is due. [1]"),
        ("Rent is due.  \n\n", "Rent is due. [1]"),
        ("- Rent\n  and more\n- Deposit", "- Rent\n  and more [1]\n- Deposit [1]"),
        ("First.\r\n\r\nSecond.\r\n", "First. [1]\n\nSecond. [1]"),
        ("# Title\nText", "# Title\nText [1]"),
        ("Title\n=====\nText", "Title\n=====\nText [1]"),
        ("**Title**\n\nText", "**Title**\n\nText [1]"),
        ("Here it is:\n\n- Rent", "Here it is:\n\n- Rent [1]"),
        ("- Money:\n  - Rent", "- Money:\n  - Rent [1]"),
        ("- Money:", "- Money: [1]"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n|---|---|\n| 1 | 2 [1] |"),
        ("Code:\n\n```py\nx = a[1]\n```\nEnd", "Code:\n\n```py\nx = a[1]\n```\nEnd [1]"),
        ("Text\n\n---\n\nText", "Text [1]\n\n---\n\nText [1]"),
        ("```py\nx\n```\n\n```py\ny\n```", "```py\nx\n```\n\n```py\ny\n```\n\n[1]"),
        ("- Code\n  ```py\n  x", "- Code [1]\n  ```py\n  x\n  ```"),
        ("# Only a title", "# Only a title\n\n[1]"),
        ("Yes.", "Yes. [1]"),
    ],
)
def test_each_finding_cites_and_nothing_else(output: str, expected: str) -> None:
    assert noted(output) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("As in [12] and [1, 3].", "As in (12) and (1, 3). [1]"),
        ("A note [^2] of [Source 3]", "A note (2) of (Source 3) [1]"),
        ("See [page](x) and [1](y)", "See [page](x) and [1](y) [1]"),
        ("- [x] done [ ] [X]", "- [x] done [ ] [X] [1]"),
        ("[Smith][1]", "[Smith] (1) [1]"),
        ("Index `a[1]` and `[1]`", "Index `a[1]` and (1) [1]"),
        ("Unsure [?] \\[1\\]", "Unsure (?) (1) [1]"),
        ("# Section [2]\n\nText", "# Section (2)\n\nText [1]"),
        ("Text\n> see [2]", "Text [1]\n> see (2)"),
    ],
)
def test_marks_that_would_pose_as_citations_are_taken_their_brackets(
    output: str, expected: str
) -> None:
    assert noted(output) == expected


@pytest.mark.parametrize(
    "output",
    [
        "",
        " \n",
        "NOTHING",
        "Nothing.",
        "- nothing",
        "**Nothing!**",
        "```\nNOTHING\n```",
        "...",
        "-",
        "# Findings\n\nNothing",
    ],
)
def test_an_answer_that_says_nothing_is_no_part(output: str) -> None:
    assert part_of_chunk(output, chunk(1), "text", document_start=0, quotes=True) == (None, ())


def test_nothing_below_a_heading_is_nothing() -> None:
    answer = "# Findings\n\nNothing"
    assert part_of_chunk(answer, chunk(1), "", document_start=0, quotes=True) == (None, ())


def test_an_answer_that_begins_with_nothing_is_one() -> None:
    assert noted("Nothing is due before May.") == "Nothing is due before May. [1]"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("```markdown\n- Rent\n```", "- Rent [1]"),
        ("```\n- Rent\n\n- Deposit\n```\n", "- Rent [1]\n\n- Deposit [1]"),
        ("~~~md\nA\n```py\nx\n```\nB\n~~~", "A [1]\n```py\nx\n```\nB [1]"),
        ("````\nA\n```\nx\n```\n````", "A [1]\n```\nx\n```"),
    ],
)
def test_a_fence_around_the_answer_is_taken_away(output: str, expected: str) -> None:
    assert noted(output) == expected


LEASE = "The tenant shall pay rent\nof EUR 500 [7]. Pets are not allowed."


def test_quotes_are_checked_and_those_not_found_are_marked() -> None:
    output = (
        "- Rent is 500.\n  > “the tenant shall pay rent\n  > of EUR 500 [7]”\n"
        "- No pets.\n  > Pets are not allowed.\n- No dogs.\n  > No dogs!  \n\n> Pets ... allowed"
    )
    part, quotes = part_of_chunk(output, chunk(4), LEASE, document_start=3000, quotes=True)
    assert part is not None
    assert part.text == (
        "- Rent is 500. [1]\n  > “the tenant shall pay rent\n  > of EUR 500 (7)”\n"
        "- No pets. [1]\n  > Pets are not allowed.\n"
        "- No dogs. [1]\n  > No dogs! (not found in the document)  \n\n> Pets ... allowed"
    )
    at = 3000 + LEASE.index("Pets")
    assert quotes == (
        Quote("the tenant shall pay rent\nof EUR 500 [7]", "folded", 3000, at - 2),
        Quote("Pets are not allowed.", "exact", at, at + 21),
        Quote("No dogs!", "missing"),
        Quote("Pets ... allowed", "folded", at, at + 20),
    )
    assert part.quotes == tuple(Cited(q, chunk(4)) for q in quotes if q.found != "missing")


def test_a_quote_without_a_finding_cites_itself() -> None:
    assert noted("> Pets are not allowed.", LEASE, quotes=True) == "> Pets are not allowed. [1]"
    assert noted("# Pets\n> No dogs\n", LEASE, quotes=True) == (
        "# Pets\n> No dogs (not found in the document) [1]"
    )


def test_quotes_that_were_not_asked_for_are_not_checked() -> None:
    part, quotes = part_of_chunk("- A\n  > B", chunk(1), "C", document_start=0, quotes=False)
    assert part is not None
    assert (part.text, part.quotes, quotes) == ("- A [1]\n  > B", (), ())


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_every_citation_in_a_part_is_its_chunk(output: str) -> None:
    part, quotes = part_of_chunk(output, chunk(3), "exact words", document_start=0, quotes=True)
    if part is None:
        assert quotes == ()
        return
    assert "[1]" in part.text
    shown = present([part, part])
    assert shown.sources == (chunk(3),)
    assert [shown.text[a:b] for a, b in shown.spans] == [part.text, part.text]


@pytest.mark.parametrize("unit", ["> ", ">\n", "[1]", "- a\n", "a\n\n", "| a ", "`\n", "```\n"])
def test_a_large_hostile_answer_is_noted_in_linear_time(unit: str) -> None:
    output = "a" + unit * (120_000 // len(unit)) + "b"
    part, _ = part_of_chunk(output, chunk(1), "text " * 9, document_start=0, quotes=True)
    assert part is not None
