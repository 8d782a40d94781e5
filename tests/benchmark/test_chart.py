"""The chart of what a request costs."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.chart import LEFT, RIGHT, Bar, scale_of, svg

NS = "{http://www.w3.org/2000/svg}"
BARS = (
    Bar("plain", "bare loop", 140.0, role="limit"),
    Bar("plain", "llmbatch", 210.0, "1.5 times the bare loop", role="ours"),
    Bar("plain", "litellm", 7_400.0),
    Bar("streamed", "bare loop", 240.0, role="limit"),
    Bar("streamed", "litellm", None),
)

values = st.none() | st.floats(min_value=0, max_value=1e9, allow_nan=False)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


def drawn(picture: str) -> list[float]:
    """The widths of the bars."""
    root = ElementTree.fromstring(picture)
    return [
        float(rect.attrib["width"])
        for rect in root.iter(f"{NS}rect")
        if rect.attrib["class"] != "card"
    ]


def said(picture: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{NS}text")]


def test_every_figure_stands_in_it_as_text() -> None:
    texts = said(svg("What it costs", BARS))
    assert texts[0] == "What it costs"
    assert {"plain", "streamed", "bare loop", "llmbatch", "litellm"} <= set(texts)
    assert "210 µs, 1.5 times the bare loop" in texts
    assert "7,400 µs" in texts


def test_those_who_cannot_see_it_are_told_all_of_it() -> None:
    root = ElementTree.fromstring(svg("What it costs", BARS))
    assert root.findtext(f"{NS}title") == "What it costs"
    told = root.findtext(f"{NS}desc") or ""
    assert "plain, litellm: 7,400 µs" in told
    assert "streamed, litellm: not measured" in told
    assert root.attrib["aria-labelledby"] == "title desc"


def test_what_could_not_be_measured_is_named_and_has_no_bar() -> None:
    picture = svg("What it costs", BARS)
    assert "not measured" in said(picture)
    assert len(drawn(picture)) == len(BARS) - 1


def test_bars_are_as_long_as_the_logarithm_of_their_values() -> None:
    ten, hundred, thousand = drawn(svg("t", [Bar("g", "n", 10.0**i) for i in (1, 2, 3)]))
    assert hundred - ten == pytest.approx(thousand - hundred, abs=0.2)


def test_nothing_costs_a_bar_that_can_be_seen() -> None:
    assert drawn(svg("t", [Bar("g", "free", 0.0), Bar("g", "dear", 900.0)]))[0] == 1.0


def test_a_chart_of_nothing_is_a_picture() -> None:
    assert said(svg("t", []))[0] == "t"


def test_markup_in_names_is_shown_as_it_is() -> None:
    bar = Bar("<g>", 'a & "b"', 5.0, "</text>", role='x" onload="y')
    assert {"<g>", 'a & "b"', "5 µs, </text>"} <= set(said(svg("<t>", [bar])))


@given(st.lists(st.builds(Bar, words, words, values, words), max_size=8))
def test_it_is_well_formed_and_bars_stay_on_the_scale(bars: list[Bar]) -> None:
    scale = scale_of(bars)
    assert scale.low < scale.high
    for width in drawn(svg("t", bars)):
        assert 0 < width <= RIGHT - LEFT
