"""A quote is found where it stands, as it stands or folded; or it is missing."""

from __future__ import annotations

import pytest
from foldparts import chunk
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.folded import Folded
from llmbatch.jobs.fold.part import Cited
from llmbatch.jobs.fold.quotes import Haystack, Known, words
from llmbatch.jobs.model import Quote

LEASE = (
    "1. The Tenant shall pay “rent” of  EUR 500\non the first day — each month.\n"
    "The deposit is re\u00adturned within thir-\nty days, well-\nknown to both. ﬁnal oﬃce.\n"
    "**Notice** is `three` months [12], in_writing; Straße 5. Cafe\u0301.\n"
    "中文合同\n第二条。 Full：width"
)


@pytest.mark.parametrize(
    ("quote", "found", "there"),
    [
        ("EUR 500\non the first day", "exact", "EUR 500\non the first day"),
        ("months [12], in", "exact", "months [12], in"),
        ("of EUR 500 on", "folded", "of  EUR 500\non"),
        ("the tenant SHALL", "folded", "The Tenant shall"),
        ('pay "rent" of', "folded", "pay “rent” of"),
        ("pay 'rent' of", "folded", "pay “rent” of"),
        ("first day - each", "folded", "first day — each"),
        ("is returned within thirty days", "folded", "is re\u00adturned within thir-\nty days"),
        ("well-known to both", "folded", "well-\nknown to both"),
        ("final office", "folded", "ﬁnal oﬃce"),
        ("Notice is three months", "folded", "Notice** is `three` months"),
        ("in_writing; strasse 5", "folded", "in_writing; Straße 5"),
        ("Café", "folded", "Cafe\u0301"),
        ("months (12)", "folded", "months [12]"),
        ("中文合同第二条", "folded", "中文合同\n第二条"),
        ("full:width", "folded", "Full：width"),
        ("The Tenant … each month", "folded", LEASE[3 : LEASE.index("month.") + 5]),
        ("deposit [...] thirty days", "folded", LEASE[LEASE.index("deposit") : LEASE.index(", w")]),
        ("...to both...", "folded", "to both"),
    ],
)
def test_a_quote_is_found_with_its_place_in_the_document(
    quote: str, found: str, there: str
) -> None:
    result = Haystack("before" + LEASE, 94).find(quote)
    assert result.found == found
    assert result.start is not None
    assert result.end is not None
    assert LEASE[result.start - 100 : result.end - 100] == there


@pytest.mark.parametrize(
    "quote",
    [
        "EUR 600",
        "each month ... The Tenant",
        "days ... days",
        "...",
        "—",
        "",
        "inwriting",
        "rent  x",
    ],
)
def test_a_quote_that_is_not_there_is_missing(quote: str) -> None:
    assert Haystack(LEASE).find(quote) == Quote(quote, "missing")


def test_a_quote_with_an_ellipsis_is_found_in_its_narrowest_place() -> None:
    text = "rent is due. Later the rent is, as agreed, due on Monday."
    found = Haystack(text).find("rent ... on Monday")
    assert (found.start, found.end) == (23, 56)


def test_an_ellipsis_that_the_document_has_is_exact() -> None:
    assert Haystack("Well ... maybe.").find("Well ... maybe").found == "exact"


def test_a_block_is_one_quote_without_its_marks() -> None:
    assert words(["> “exact", "  >words”  "]) == "exact\nwords"
    assert words(["> ", ">"]) == ""


TEXTS = st.text(st.sampled_from("aB ß\n-\u00ad“'*_.…ﬁ中e\u0301\u200b[]é\t"), max_size=40)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_each_folded_character_has_its_place(text: str) -> None:
    folded = Folded(text)
    assert len(folded.index) == len(folded.text)
    assert list(folded.index) == sorted(folded.index)
    assert all(0 <= place < len(text) for place in folded.index)
    assert "\n" not in folded.text
    assert "  " not in folded.text


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("It is illegal to sell.", "legal to sell"),
        ("It costs EUR 100 million.", "It costs EUR 10"),
        ("It costs 1.5 million.", "It costs 1"),
        ("It costs 1.5 million.", "It costs 1."),
        ("It costs 21,500.", "500"),
        ("They are NOTABLE.", "they are not"),
        ("It was impossi-\nble to pay.", "possible … pay"),
        ("We agreed to the unthinkable.", "we ... thinkable"),
        ("Not 10\u00b2 but more.", "Not 102"),
        ("Not 10\u00b2 but more.", "Not 10"),
        ("The cafe\u0301 closed.", "The cafe"),
        ("Ungesetzlich ist es.", "gesetzlich ist es"),
        ("Незаконно.", "законно"),
    ],
)
def test_words_inside_of_longer_words_and_numbers_are_not_there(text: str, quote: str) -> None:
    assert Haystack(text).find(quote) == Quote(quote, "missing")
    assert Known([cited(text, 0, 1)]).find(quote) is None


@pytest.mark.parametrize(
    ("text", "quote", "start"),
    [
        ("It is illegal; now legal to sell.", "legal", 19),
        ("It is illegal; now legal to sell.", "LEGAL", 19),
        ("unpaid, paid ... unpaid, paid ... unpaid", "paid ... paid", 8),
        ("It costs 1,5, or 1.", "1", 17),
        ("The sum\u00b9 is due.", "The sum", 0),
        ("CO\u2082 is a gas.", "CO2 is", 0),
        ("合同第二条", "同第二", 1),
        ("회사는 파산했다", "회사", 0),
        ("ภาษาไทย", "ไทย", 4),
        ("in_writing", "writing", 3),
    ],
)
def test_whole_words_are_found_behind_longer_ones(text: str, quote: str, start: int) -> None:
    assert Haystack(text).find(quote).start == start


@settings(max_examples=500, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_what_is_there_is_found_exactly(before: str, quote: str, after: str) -> None:
    before, after = f"{before} ", f" {after}"  # a part of a word is not there
    found = Haystack(before + quote + after, 7).find(quote)
    if any(char.isalnum() for char in quote):
        assert found.found == "exact"
        assert found.start is not None
        assert found.end is not None
        assert (before + quote + after)[found.start - 7 : found.end - 7] == quote


def test_large_texts_and_hostile_quotes_are_searched_in_linear_time() -> None:
    for unit in ("ab", "- ", "a-\n", "“", "* ", "é", "中 ", ". . . ", "a ... "):
        text = unit * (80_000 // len(unit))
        haystack = Haystack(text)
        assert haystack.find(unit * 1_600 + "x").found == "missing"
        assert haystack.find("x ... " * 1_600).found == "missing"
        assert haystack.find(" ".join(["a ..."] * 1_600) + " x").found == "missing"


def cited(text: str, start: int, number: int, found: str = "exact") -> Cited:
    kind = "exact" if found == "exact" else "folded"
    return Cited(Quote(text, kind, start, start + len(text)), chunk(number))


def test_a_known_quote_is_recognised_folded_and_narrowed() -> None:
    known = Known([cited("The Tenant  shall pay", 100, 1), cited("pay in advance", 2100, 3)])
    assert known.find("The Tenant  shall pay") == cited("The Tenant  shall pay", 100, 1)
    assert known.find("shall pay") == cited("shall pay", 112, 1)
    found = known.find("tenant shall")
    assert found is not None
    assert found.quote == Quote("tenant shall", "folded", 104, 117)
    found = known.find("the tenant ... pay")
    assert found is not None
    assert (found.quote.found, found.quote.start, found.quote.end) == ("folded", 100, 121)
    assert known.find("pay the tenant") is None
    assert known.find("pay pay in advance") is None
    assert known.find("...") is None
    assert Known([]).find("x") is None


def test_a_part_of_a_folded_quote_keeps_the_whole_place() -> None:
    known = Known([cited("the tenant shall pay", 100, 1, "folded")])
    assert known.find("shall pay") == Cited(Quote("shall pay", "folded", 100, 120), chunk(1))


def test_of_several_places_the_cited_one_is_meant() -> None:
    known = Known([cited("the rent", 5, 1), cited("the rent is due", 1005, 2)])
    first, second = known.find("the rent"), known.find("the rent", {2})
    assert first is not None
    assert second is not None
    assert (first.chunk.number, second.chunk.number) == (1, 2)
    assert known.find("the rent", {9}) == first
