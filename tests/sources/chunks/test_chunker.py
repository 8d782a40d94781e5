"""What is promised of chunks, for any text, any blocks and any sizes."""

from __future__ import annotations

import random
import re
import tracemalloc
from itertools import pairwise

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from textreading import TOKENS, PagedReading, TextReading, cuts, stored

from llmbatch.jobs.sources.chunks.chunker import cut
from llmbatch.jobs.sources.chunks.cut import Sizes
from llmbatch.jobs.sources.documents.document import Kind
from llmbatch.jobs.tokens import TextCounter

KINDS: list[Kind] = ["prose", "markdown", "code"]
LONE = re.compile("[\ud800-\udfff]")

PARTS = [
    *(
        "the ",
        "ferry ",
        "leaves",
        " at seven. ",
        "Why? ",
        "Mr. ",
        "Fähre ",
        "渡轮",
        "。",
        "日本 ",
    ),
    *("\n", "\n\n", "\r\n", "\r\n\r\n", " ", "\t", "    ", "\u3000", "\n \n", "\r", "\f"),
    *(
        "# Top\n",
        "\n## Low\n",
        "Title\n===\n",
        "```\n",
        "---\n",
        "\nCHAPTER IV\n",
        "\n§ 3 End\n",
    ),
    *(
        "1.2 Scope\n",
        "def f(x):\n",
        "    class A:\n",
        "@one\n",
        "// c\n",
        "public void f() {\n",
    ),
    *(
        "\u0301",
        "e\u0301",
        "👩\u200d👩\u200d👧",
        "🇩🇪",
        "🇫",
        "क्षि",
        "각",
        "\u1100\u1161",
        "\u200d",
    ),
    *("\udcff", "\ud800", "\x00", "\ufeff", "<|endoftext|>", "12345", "supercalifragilistic"),
]
WORDS = st.sampled_from(PARTS)
TEXTS = st.lists(WORDS | st.text(max_size=6), max_size=120).map("".join)
SIZES = st.builds(
    Sizes,
    chunk=st.integers(1, 60),
    overlap=st.integers(0, 30),
    context=st.integers(0, 30),
)
SPLITS = st.lists(st.integers(0, 50), min_size=1, max_size=10)


def clean(text: str) -> str:
    return LONE.sub("\ufffd", text)


@settings(max_examples=300, deadline=None)
@given(TEXTS, SIZES, st.sampled_from(KINDS))
def test_spans_tile_the_text_and_offsets_point_at_it(text: str, sizes: Sizes, kind: Kind) -> None:
    found = cuts(text, sizes, kind)
    assert "".join(text[c.start : c.end] for c in found) == text
    whole = clean(text)
    at = 0
    for chunk in found:
        assert chunk.start == at < chunk.end
        assert chunk.text[chunk.overlap :] == whole[chunk.start : chunk.end]
        begin = chunk.start - chunk.overlap
        assert chunk.text == whole[begin : chunk.end]
        assert chunk.before == whole[begin - len(chunk.before) : begin]
        at = chunk.end
    assert at == len(text)


@settings(max_examples=200, deadline=None)
@given(TEXTS, SIZES, st.sampled_from(["utf-8", "utf-16-le"]), st.integers(0, 3))
def test_bytes_point_at_the_same_text(text: str, sizes: Sizes, encoding: str, mark: int) -> None:
    if encoding != "utf-8":
        text = clean(text)
    whole = b"\0" * mark + stored(text, encoding)
    reading = TextReading(text, first_byte=mark, encoding=encoding)
    at = mark
    for chunk in cut(reading, sizes, TOKENS):
        assert chunk.byte_start == at
        assert whole[at : chunk.byte_end] == stored(text[chunk.start : chunk.end], encoding)
        at = chunk.byte_end
    assert at == len(whole)


@settings(max_examples=300, deadline=None)
@given(TEXTS, SIZES, st.sampled_from(KINDS))
def test_no_chunk_is_above_its_budget_unless_it_is_one_cluster(
    text: str, sizes: Sizes, kind: Kind
) -> None:
    for chunk in cuts(text, sizes, kind):
        assert chunk.tokens == TOKENS.count(chunk.text)
        if chunk.tokens > sizes.chunk:
            assert chunk.overlap == 0
            assert len(regex.findall(r"\X", chunk.text)) == 1


@settings(max_examples=300, deadline=None)
@given(TEXTS, SIZES)
def test_overlap_and_context_are_at_most_what_was_asked(text: str, sizes: Sizes) -> None:
    for chunk in cuts(text, sizes):
        assert TOKENS.count(chunk.text[: chunk.overlap]) <= sizes.overlap
        assert TOKENS.count(chunk.before) <= sizes.context


PLAIN = st.lists(
    st.sampled_from(
        ["The ferry ", "leaves, ", "Mr. Fogg ", "a ", "Hafenstraße ", "\n", "\n\n", "12 "]
    ),
    min_size=60,
    max_size=300,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(PLAIN, st.integers(40, 120), st.integers(1, 20), st.integers(0, 20))
def test_overlap_and_context_are_as_long_as_word_starts_allow(
    text: str, chunk: int, overlap: int, context: int
) -> None:
    for found in cuts(text, Sizes(chunk, overlap, context)):
        begin = found.start - found.overlap
        assert_longest(text, begin, found.start, overlap)
        assert_longest(text, begin - len(found.before), begin, context)


def assert_longest(text: str, begin: int, stop: int, tokens: int) -> None:
    """No longer stretch before ``stop`` that begins at the next word has so few tokens."""
    words = [m.start() for m in re.finditer(r"\S+", text) if m.start() < stop]
    earlier = [word for word in words if word < begin]
    assert begin in words or begin in (0, stop) or tokens == 0
    if earlier and tokens:
        assert TOKENS.count(text[earlier[-1] : stop]) > tokens


def test_where_there_are_no_words_the_overlap_begins_anywhere() -> None:
    text = "".join(chr(0x4E00 + i * 7919 % 20_000) for i in range(3000))
    for chunk in cuts(text, Sizes(300, 40))[1:]:
        assert 36 <= TOKENS.count(chunk.text[: chunk.overlap]) <= 40


@settings(max_examples=200, deadline=None)
@given(TEXTS, SIZES, SPLITS, st.sampled_from(KINDS))
def test_the_blocks_that_a_text_comes_in_change_nothing(
    text: str, sizes: Sizes, splits: list[int], kind: Kind
) -> None:
    assert cuts(text, sizes, kind, splits) == cuts(text, sizes, kind)


MARKED = st.lists(
    st.sampled_from(
        [
            "🇩🇪",
            "🇩",
            "🇪",
            "👩\u200d👩\u200d👧",
            "👩🏽",
            "\u200d",
            "e\u0301",
            "\u0301",
            "क्",
            "षि",
            "\u1100",
            "\u1161",
            "\u11a8",
            "각",
            "\r\n",
            "\r",
            "\n",
            "a",
            " ",
            "\u0600",
            "日",
            "\ufe0f",
            "❤",
            "❤️\u200d🔥",
            "ക്",
            "ത",
            "\u0e33",
            "\u0903",
            "\U000e0061",
            "ä",
            "Я",
        ]
    ),
    max_size=100,
).map("".join)


@settings(max_examples=500, deadline=None)
@given(MARKED, SIZES, st.sampled_from(KINDS))
def test_no_cut_tears_a_grapheme_cluster(text: str, sizes: Sizes, kind: Kind) -> None:
    boundaries = {0, *(m.end() for m in regex.finditer(r"\X", text))}
    for chunk in cuts(text, sizes, kind):
        begin = chunk.start - chunk.overlap
        assert {chunk.start, chunk.end, begin, begin - len(chunk.before)} <= boundaries


def test_a_long_row_of_flags_is_cut_between_flags() -> None:
    text = "x" + "🇩🇪🇫🇷🇯🇵" * 20_000
    for chunk in cuts(text, Sizes(600, 30, 30)):
        assert chunk.start % 2 == (chunk.start > 0)
        assert (chunk.start - chunk.overlap) % 2 == (chunk.start > chunk.overlap)


@pytest.mark.parametrize("splits", [(1,), (7919,), (100_000,)])
def test_a_text_longer_than_what_is_held_of_it_keeps_every_promise(splits: tuple[int]) -> None:
    rng = random.Random(11)
    units = [*PARTS, *["The ferry leaves. ", "渡轮", "harbour ", "naïve "] * 12]
    text = "".join(rng.choices(units, k=60_000))
    whole = clean(text)
    boundaries = {0, *(m.end() for m in regex.finditer(r"\X", whole))}
    at = byte = 0
    for chunk in cut(TextReading(text, "markdown", splits), Sizes(300, 40, 40), TOKENS):
        begin = chunk.start - chunk.overlap
        first = begin - len(chunk.before)
        assert (chunk.start, chunk.byte_start) == (at, byte)
        assert chunk.before + chunk.text == whole[first : chunk.end]
        assert {first, begin, chunk.start, chunk.end} <= boundaries
        assert chunk.tokens == TOKENS.count(chunk.text) <= 300
        at, byte = chunk.end, byte + len(stored(text[chunk.start : chunk.end]))
        assert chunk.byte_end == byte
    assert at == len(text)


def test_nothing_gives_nothing_and_white_space_is_cut_too() -> None:
    assert cuts("", Sizes(10)) == []
    for blank in (" ", "\n", " \n\t" * 5000):
        found = cuts(blank, Sizes(10, 2))
        assert "".join(blank[c.start : c.end] for c in found) == blank
        assert all(c.end - c.start <= 160 for c in found)


def test_pages_are_those_of_the_span() -> None:
    pages = ["One word. " * 30, "Two. " * 10, "", "Four words. " * 40, "Five"]
    text = "".join(pages)
    number_at = [n for n, page in enumerate(pages, 1) for _ in page]
    found = list(cut(PagedReading(pages), Sizes(25, 5), TOKENS))
    assert "".join(text[c.start : c.end] for c in found) == text
    for chunk in found:
        assert (chunk.page, chunk.last_page) == (number_at[chunk.start], number_at[chunk.end - 1])
    assert found[-1].last_page == 5


def test_without_pages_there_are_none() -> None:
    assert {(c.page, c.last_page) for c in cuts("a b c. " * 100, Sizes(20))} == {(None, None)}


HOSTILE = [
    " ",
    "\n",
    "a",
    "日",
    "\u0301",
    "🇩🇪",
    "👩\u200d👩\u200d👧",
    " \u0301",
    "\r\n",
    "# \n",
    "```\n",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_one_thing_again_and_again_is_cut_in_flat_memory(unit: str) -> None:
    """Quadratic time would run into the test's timeout."""
    reading = TextReading(unit * (300_000 // len(unit)), "markdown")
    size = len(reading.text)
    tracemalloc.start()
    try:
        spans = [(c.start, c.end) for c in cut(reading, Sizes(500, 50), TOKENS)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (spans[0][0], spans[-1][1]) == (0, size)
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert len(spans) < size / 50
    assert peak < 8_000_000


def test_a_cluster_of_a_million_marks_is_cut_inside() -> None:
    text = "a" + "\u0301" * 100_000
    for tokens in (3, 100, 3000):
        found = cuts(text[: 2000 * tokens], Sizes(tokens))
        assert all(tokens / 3 <= c.tokens <= tokens for c in found[:-1])


def test_the_estimate_where_toktok_is_missing_cuts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "toktok", None)
    text = "The ferry leaves at seven. 渡轮早上七点离开港口。 " * 200
    found = list(cut(TextReading(text), Sizes(100, 10), TextCounter("gpt-4o")))
    assert "".join(text[c.start : c.end] for c in found) == text
    assert all(c.tokens <= 100 for c in found)
