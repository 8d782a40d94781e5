"""A model's Markdown formats, and does nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.shown import MODELS, Shown, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a < b and <3 [1]", "- a < b and <3 [1]"),
        ("<!-- hides", "\\<!-- hides"),
        ("x <details><summary>", "x \\<details>\\<summary>"),
        ("</div> <?php <![CDATA[", "\\</div> \\<?php \\<\\![CDATA["),
        ("\\<b> \\\\<b>", "\\<b> \\\\\\<b>"),
        ("![x](https://example.org/?q=secret)", "\\![x](https://example.org/?q=secret)"),
        ("- [1]: https://example.org", "- [1]\\: https://example.org"),
        ("a [[1]](https://example.org)", "a [[1]\\](https://example.org)"),
        ("[a](https://example.org) stays", "[a](https://example.org) stays"),
        ("&#83;ources, R&D, &amp;", "\\&#83;ources, R&D, \\&amp;"),
        ("\x1b[31mred\x1b[0m \x00\x9b\u202ex\u2066\ud800", " [31mred [0m   x\ufffd"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
    ],
)
def test_what_would_act_is_shown_instead(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a `<b>` and ``<c> ` <d>`` end",
        "```html\n<b>\n    ```\n![x](y)\n````\nend",
        "~~~\n<!--\n```\n~~~",
        "a\n\n    code",
        "- `![x](y)`: an image",
    ],
)
def test_code_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`\n`<b>`", "`\n`\\<b>`"),  # the second backtick closes the first one
        ("| `a | <b>` |", "| `a | \\<b>` |"),  # a cell ends its code
        ("` <b>", "` \\<b>"),
        ("- ```\n  x\n  ```\n<b>", "- ```\n  x\n  ```\n\\<b>"),
        ("- a\n  ```\n```\n```\n<b>", "- a\n  ```\n```\n```\n\\<b>"),
        ("  ```\nx\n```\n<b>", "  ```\nx\n```\n\\<b>"),
    ],
)
def test_what_may_be_no_code_is_no_code(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_code_that_is_open_at_the_end_is_closed() -> None:
    assert shown("~~~~\nx") == "~~~~\nx\n~~~~"


@pytest.mark.parametrize(
    "line",
    [
        "## Sources",
        "# SOURCES #",
        "**Coverage:**",
        "Coverage",
        "## \u0405ource\u0455",  # Cyrillic
        "## **S\u00f3urces**",
        "## [Sources](#x)",
        "## 5. Sources",
        "##" + 300 * " " + "Sources",
        "## Sour\u200bces",
    ],
)
def test_a_heading_with_the_name_of_ours_is_told_from_it(line: str) -> None:
    text = f"A\n\n{line}\n---\nB"
    assert f"{MODELS}\n---" in shown(text)
    assert shown(line).endswith(MODELS)


@pytest.mark.parametrize(
    "line",
    ["- Sources", "## Sources of income", "Sources say so [1].", "```\nSources\n```", "Cover"],
)
def test_other_lines_with_these_words_stay(line: str) -> None:
    assert shown(line) == line


def test_text_is_shown_as_it_comes() -> None:
    showing = Shown()
    assert showing.feed("- The rent") == "- The rent"
    assert showing.feed(" is <") == " is "
    assert showing.feed("5") == "<5"
    assert showing.feed(" `x") == " "
    assert showing.feed("` y") == "`x` y"
    assert showing.end() == ""


_MARKS = list("`<b![](:\\&#|x \n\r\x1b\u0301")
_RUNS = ["``", "```", "~~~", "amp;", "Sources", "Cover", "age", "1. ", "- ", "\n\n", "\r\n", "    "]
PIECES = st.lists(st.sampled_from([*_MARKS, *_RUNS]), max_size=40)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_however_a_text_is_split_it_is_shown_the_same(pieces: list[str]) -> None:
    text = "".join(pieces)
    for split in (pieces, list(text)):
        showing = Shown()
        assert "".join(map(showing.feed, split)) + showing.end() == shown(text)


@pytest.mark.parametrize("unit", ["`", "``` ", "<", "]", "&", "\\", " ", "~", "`a", "1", "S", "# "])
def test_a_large_hostile_text_is_shown_in_linear_time(unit: str) -> None:
    text = unit * (40_000 // len(unit))
    showing = Shown()
    assert len("".join(map(showing.feed, text)) + showing.end()) >= len(text)
