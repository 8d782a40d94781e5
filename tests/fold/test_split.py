"""A part too large for a fold becomes smaller ones, and nothing of it is lost."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.part import Cited, Part
from llmbatch.jobs.fold.split import split
from llmbatch.jobs.model import Chunk, Quote

CHUNK = Chunk(document="a", number=1, start=0, end=9, byte_start=0, byte_end=9, tokens=3)
TEXTS = st.text(st.sampled_from("ab[1], 23.\n>- "), max_size=400)


def count(part: Part) -> int:
    return len(part.text) + 5


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(7, 60))
def test_pieces_fit_and_joined_they_are_the_part(text: str, most: int) -> None:
    part = Part(text, 3, 4, (CHUNK,))
    pieces = split(part, most, count)
    assert "".join("".join(piece.text for piece in pieces).split()) == "".join(text.split())
    assert all((piece.first, piece.last, piece.sources) == (3, 4, (CHUNK,)) for piece in pieces)
    if len(pieces) > 1:
        assert all(count(piece) <= most for piece in pieces)
        assert all(piece.text.strip() for piece in pieces)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["[1]", "[12, 3]", "ab", "c"]), max_size=80))
def test_a_label_is_never_cut_in_two(words: list[str]) -> None:
    text = "".join(words)
    pieces = split(Part(text, 1, 1), 30, count)
    found = [label for piece in pieces for label in re.findall(r"\[[^\]]*\]", piece.text)]
    assert found == re.findall(r"\[[^\]]*\]", text)
    assert "".join(piece.text for piece in pieces) == text


def test_a_finding_keeps_the_quotes_below_it() -> None:
    finding = "- It rained all day. [1]\n> it rained, all day long\n"
    quotes = tuple(Cited(Quote(words, "exact", 0, 9), CHUNK) for words in ("all day long", "gone"))
    part = Part(finding * 6, 1, 1, (CHUNK,), quotes)
    pieces = split(part, len(finding) * 2 + 5, count)
    assert len(pieces) > 2
    assert all(piece.text.startswith("- It") and piece.text.endswith("long\n") for piece in pieces)
    assert [cited.quote.text for cited in pieces[0].quotes] == ["gone", "all day long"]
    assert [cited.quote.text for cited in pieces[1].quotes] == ["gone", "all day long"]


def test_what_fits_or_can_not_be_made_to_fit_is_left_alone() -> None:
    part = Part("a b c", 1, 1)
    assert split(part, 10, count) == [part]
    assert split(part, 5, count) == [part]
    assert split(Part("", 1, 1), 1, count) == [Part("", 1, 1)]
    blank = Part(" \n" * 100, 1, 1)
    assert split(blank, 20, count) == [blank]
