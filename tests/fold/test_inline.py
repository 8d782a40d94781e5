"""Citations are told from everything else that stands in brackets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.inline import Inline, Label, apart, spans

PIECES = st.sampled_from(
    [
        "[",
        "]",
        "(",
        ")",
        "\\",
        "`",
        "``",
        "1",
        "12",
        ",",
        " ",
        "-",
        "^",
        "Source",
        "and",
        "x",
        "?",
        "[1]",
        "[1, 2]",
        "[x](y)",
        "`a[1]`",
        "word ",
        "é",
        "[" + "1 " * 148,
        "]" * 3,
        "y" * 500,
    ]
)
LINES = st.lists(PIECES, max_size=14).map("".join)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("1", [(1, 1)]),
        (" 12 ", [(12, 12)]),
        ("1, 3", [(1, 1), (3, 3)]),
        ("1 3", [(1, 1), (3, 3)]),
        ("1; 3 and 5", [(1, 1), (3, 3), (5, 5)]),
        ("1-4", [(1, 4)]),
        ("4–1", [(1, 4)]),
        ("1 to 4, 9", [(1, 4), (9, 9)]),
        ("^2", [(2, 2)]),
        ("^1, ^2", [(1, 1), (2, 2)]),
        ("Source 3", [(3, 3)]),
        ("SOURCES: 3, 4", [(3, 3), (4, 4)]),
        ("ref. 3", [(3, 3)]),
        ("Source 1, Source 2", [(1, 1), (2, 2)]),
        ("0", [(0, 0)]),
        ("9" * 6000, [(10**9, 10**9)]),
        ("?", []),
    ],
)
def test_forms_of_a_citation_are_understood(inner: str, expected: list[tuple[int, int]]) -> None:
    assert spans(inner) == tuple(expected)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        " ",
        "x",
        "x1",
        "1.5",
        "10:30",
        "2024-01-15",
        "-1",
        "1-",
        "01",
        "1,000",
        "Table 2",
        "and",
        "Source",
        "1 of 3",
        "a, 1",
        "1 - - 2",
        "...",
        "1 –, 2",
    ],
)
def test_other_brackets_are_no_citation(inner: str) -> None:
    assert spans(inner) is None


@pytest.mark.parametrize(
    "line",
    [
        "[text](http://x)",
        "[1](http://x)",
        "![1](x)",
        "[x] done",
        "[ ] open",
        "`a[1]`",
        "``b`[1]``",
        "[[1, a]]",
        "a[i]",
        "[1",
        "1]",
        "\\`",
        "[see below]",
        "$[0,1)$",
        "[" * 50,
    ],
)
def test_links_boxes_and_code_stay(line: str) -> None:
    assert apart(line) == [line]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a [1].", ["a ", "1", "."]),
        ("[1][3]", ["1", "3"]),
        ("[see [2]]", ["[see ", "2", "]"]),
        ("a \\[1\\] b", ["a ", "1", " b"]),
        ("due `[4]`.", ["due ", "4", "."]),
        ("it`s [1]", ["it`s ", "1"]),
        ("[text][1]", ["[text]", "1"]),
        ("[1] (2019)", ["1", " (2019)"]),
        ("\\\\[1]", ["\\\\", "1"]),
        ("[?]", ["?"]),
    ],
)
def test_citations_are_found_between_words(line: str, expected: list[str]) -> None:
    assert [p.inner if isinstance(p, Label) else p for p in apart(line)] == expected


def merged(parts: list[str | Label]) -> list[str | Label]:
    out: list[str | Label] = []
    for part in parts:
        if isinstance(part, str) and out and isinstance(out[-1], str):
            out[-1] += part
        else:
            out.append(part)
    return out


@settings(max_examples=400, deadline=None)
@given(LINES, st.lists(st.integers(1, 40), max_size=30))
def test_however_a_line_is_split_its_parts_are_the_same(line: str, sizes: list[int]) -> None:
    inline, parts, rest, at = Inline(), list[str | Label](), "", 0
    for size in [*sizes, len(line)]:
        new, rest = inline.take(rest + line[at : at + size], complete=False)
        parts += new
        at += size
    new, rest = inline.take(rest, complete=True)
    assert rest == ""
    assert merged(parts + new) == apart(line)


@pytest.mark.parametrize("line", ["word", "[See the", "a [x", "costs 1]"])
def test_only_what_may_be_a_citation_is_held_back(line: str) -> None:
    assert Inline().take(line, complete=False)[1] in ("", "[x")


@pytest.mark.parametrize(
    "piece", ["[", "[1", "[1,", "`", "` ``", "\\", "[1 1 1", "`[1]", "[source ", "]", "``x`"]
)
def test_a_long_hostile_line_is_taken_apart_in_linear_time(piece: str) -> None:
    line = piece * (300_000 // len(piece))
    parts = apart(line)  # hours otherwise; a test has two minutes
    assert sum(len(p) for p in parts if isinstance(p, str)) <= len(line)
