"""What a line is, is known early and never taken back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.lines import LOOK, closes, fence, kind, unmarked, unquoted

PIECES = st.sampled_from(
    [
        "#",
        "-",
        "*",
        "=",
        "_",
        "`",
        "~",
        "|",
        ">",
        " ",
        "\t",
        ":",
        "1",
        ".",
        ")",
        "(",
        "a",
        "iv",
        "•",
        "[1]",
        "word",
        "é",
        "---",
        "```",
        " " * 40,
        "-" * 50,
        "--- ",
        " ---",
    ]
)
LINES = st.lists(PIECES, max_size=12).map("".join)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "blank"),
        (" \t\r", "blank"),
        ("# Title", "heading"),
        ("###### Six", "heading"),
        ("##", "heading"),
        ("####### seven", "text"),
        ("#1 of them", "text"),
        ("---", "rule"),
        ("* * *", "rule"),
        ("===", "rule"),
        ("==", "rule"),
        ("--", "text"),
        ("--- Part 1 of 3 ---\r", "heading"),
        ("--- words", "text"),
        ("-", "item"),
        ("- finding", "item"),
        ("  * finding", "item"),
        ("**bold** words", "text"),
        ("1. finding", "item"),
        ("12) finding", "item"),
        ("(a) finding", "item"),
        ("iv. finding", "item"),
        ("1.5 per cent", "text"),
        ("1999 was", "text"),
        ("•finding", "item"),
        ("> words", "quote"),
        ("  > words", "quote"),
        ("- > words", "quote"),
        ("| a | b |", "table"),
        ("|---|:-:|", "divider"),
        ("| | |", "table"),
        ("```python", "fence"),
        ("~~~", "fence"),
        ("``` `code` ```", "text"),
        ("`code` first", "text"),
        ("[1] words", "text"),
        (" " * 80, "text"),
        ("-" * 300, "rule"),
    ],
)
def test_a_line_is_what_markdown_says(line: str, expected: str) -> None:
    assert kind(line, True) == expected


@settings(max_examples=400, deadline=None)
@given(LINES, st.sampled_from(["```", "~~~~"]))
def test_what_a_start_says_holds_for_the_line(line: str, marks: str) -> None:
    whole, end = kind(line, True), closes(line, True, marks)
    assert whole is not None
    assert end is not None
    for size in range(len(line) + 1):
        assert kind(line[:size], False) in (None, whole)
        assert closes(line[:size], False, marks) in (None, end)
    if len(line) >= LOOK:
        assert kind(line[:LOOK], False) == whole


def test_words_are_known_as_text_at_their_first_letters() -> None:
    assert kind("Wo", False) == "text"
    assert kind("- w", False) == "item"


def test_a_fence_has_marks_and_a_language() -> None:
    assert fence("  ```` Python title=x") == ("````", "python")
    assert fence("~~~") == ("~~~", "")
    assert closes("   ````  ", True, "```")
    assert not closes("``", True, "```")
    assert not closes("```x", True, "```")


def test_marks_are_told_from_words() -> None:
    assert unquoted("  - > > words > more") == ("  - > > ", "words > more")
    assert unmarked("  2) words") == " words"
    assert unmarked("words. more") == "words. more"
