"""Markdown that comes in pieces: what the screen shows does not depend on the pieces."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.cli.conversation.blocks import Block, Blocks
from llmbatch.cli.conversation.painter import Painter
from llmbatch.cli.conversation.region import Region, behind, letters, visible

PARTS = (
    "# Heading", "Some *words* and `code`, a [link](http://x.y/z)", "- item one\n- item **two**",
    "1. first\n   ```python\n   x = 1\n   ```\n2. second", "| a | b |\n|---|--:|\n| one | 2 |",
    "> quote\n> goes on", "```\nplain\n\ncode\n```", "***", "<b onclick=x>html</b> &amp; more",
    "wide 日本語 text " * 4, "[never]: http://shown.example", "~~~js\nlet a = `b`;\n~~~",
    "word " * 60,
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("\n\n".join)


async def drawn(
    text: str, cuts: Sequence[int], *, columns: int = 60, rows: int = 40
) -> tuple[list[str], str]:
    """The rows that a screen shows, those above it included; and what was written."""
    written: list[str] = []
    painter = Painter(written.append, lambda: (columns, rows))
    places = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    for start, end in pairwise(places):
        painter.hear(text[start:end])
        painter.flush()
    painter.finish()
    screen = pyte.HistoryScreen(columns, rows, history=10_000)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed("".join(written))
    above = ["".join(row[n].data for n in range(columns)) for row in screen.history.top]
    shown = [row.rstrip() for row in [*above, *screen.display]]
    while shown and not shown[-1]:
        shown.pop()
    return shown, "".join(written)


@settings(deadline=None, max_examples=40)
@given(text=TEXTS, cuts=st.lists(st.integers(min_value=0, max_value=4000), max_size=30))
async def test_it_shows_the_same_whatever_the_pieces(text: str, cuts: list[int]) -> None:
    at_once, _ = await drawn(text, [])
    in_pieces, _ = await drawn(text, cuts)
    assert in_pieces == at_once


@settings(deadline=None, max_examples=40)
@given(text=TEXTS, cuts=st.lists(st.integers(min_value=0, max_value=4000), max_size=10))
async def test_no_letter_gets_lost(text: str, cuts: list[int]) -> None:
    rows, _ = await drawn(text, cuts, columns=30, rows=200)
    languages = text.count("```python") * len("python") + text.count("~~~js") * len("js")
    shown = sum(map(str.isalnum, "".join(rows)))
    assert shown >= sum(map(str.isalnum, text)) - languages


async def test_rows_that_have_left_the_screen_are_not_written_again() -> None:
    text = "\n\n".join(f"paragraph {n} " + "x" * 50 for n in range(60))
    _, written = await drawn(text, range(0, len(text), 7), rows=6)
    for n in range(60):
        assert len(re.findall(rf"paragraph {n} ", written)) <= 2
    assert "\x1b[2J" not in written
    assert all(int(up) < 6 for up in re.findall(r"\x1b\[(\d+)A", written))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "*a **b " * 800,
        ">" * 3000 + " deep",
        "x" * 9000,
        "- a\n" * 2000,
        "|a|b|\n" * 900,
    ],
)
async def test_an_endless_block_is_settled_in_parts(text: str) -> None:
    rng = random.Random(1)
    rows, _ = await drawn(text, [rng.randrange(len(text)) for _ in range(20)], rows=12)
    wanted = sum(map(str.isalnum, text))
    assert sum(map(str.isalnum, "".join(rows))) == wanted


def test_blocks_are_settled_by_what_comes_behind_them() -> None:
    blocks = Blocks()
    assert list(blocks.feed("one\ntwo")) == []
    assert blocks.tail == Block("text", "one\ntwo")
    assert list(blocks.feed("\n\n```py\nx = 1\ny")) == [
        Block("text", "one\ntwo"),
        Block("code", "x = 1", language="py"),
    ]
    assert blocks.tail == Block("code", "y", joined=True, language="py")
    assert list(blocks.finish()) == [Block("code", "y", joined=True, language="py")]


def test_only_what_differs_is_written() -> None:
    written: list[str] = []
    region = Region(written.append)
    region.draw(["one", "tw"], 10)
    region.draw(["one", "two"], 10)
    region.draw(["one", "two", "three"], 10)
    region.draw(["one", "2"], 10)
    assert written == ["one\ntw", "o", "\nthree", "\x1b[1A\r2\x1b[K\x1b[J"]


def test_what_was_shown_is_left_out() -> None:
    rows = ["\x1b[1mone\x1b[0m two", "three"]
    assert letters(rows) == 11
    assert [visible(row) for row in behind(rows, 4)] == ["wo", "three"]
    assert behind(rows, 6) == ["three"]
