"""HTML becomes tags and text, the same whatever pieces it comes in, and ends whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.sources.documents.markup import Event, Markup, Raw, Tag, Unclosed


def events(html: str, size: int = 1_000_000) -> list[Event]:
    """What it says, neighbouring texts joined."""
    markup = Markup()
    found: list[Event] = []
    for at in range(0, len(html), size):
        found += markup.feed(html[at : at + size])
    found += markup.feed("", final=True)
    joined: list[Event] = []
    for event in found:
        last = joined[-1] if joined else None
        if isinstance(event, str) and isinstance(last, str):
            joined[-1] = last + event
        elif isinstance(event, Raw) and isinstance(last, Raw) and event.name == last.name:
            joined[-1] = Raw(event.name, last.text + event.text)
        else:
            joined.append(event)
    return joined


PARTS = (
    *("<p>", "</p>", "<a href='x>y' b=\"<i>\">", "<br/>", "<!-- <p> -->", "<!-->", "<!--->", "<"),
    *("&amp;", "&#8364;", "&notin", "&", "text", " a<b ", "<!doctype html>", "<?xml ?>", "</ x>"),
    *("<script>if (a < b) '</p>'</script>", "<title>T &amp; t</title>", "<STYLE>x</sTyle >", ">"),
    *("--!>", "\n", "é", "<h1 =>", '<img alt="a\'b">', "]]>", "<textarea>x</textarea>", "'", '"'),
)


@given(parts=st.lists(st.sampled_from(PARTS)), size=st.integers(1, 7))
def test_the_pieces_that_it_comes_in_change_nothing(parts: list[str], size: int) -> None:
    html = "".join(parts)
    assert events(html, size) == events(html)


@given(html=st.text(), size=st.integers(1, 5))
def test_any_text_ends(html: str, size: int) -> None:
    assert events(html, size) == events(html)


@given(text=st.text(st.characters(exclude_characters="<&")), size=st.integers(1, 5))
def test_text_without_markup_is_kept(text: str, size: int) -> None:
    assert events(text, size) == ([text] if text else [])


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<P class=x>Hi</p>", [Tag("p"), "Hi", Tag("p", closing=True)]),
        ("1 < 2 &lt; 3 & 4 <5", ["1 < 2 < 3 & 4 <5"]),
        ("&eacute;&#233;&#xE9;&copy", ["ééé©"]),
        ("&#" + "9" * 9_999 + ";", ["&#" + "9" * 9_999 + ";"]),
        ("a<!-- x > y -->b<!-->c<!--->d", ["abcd"]),
        ("<a href='>' title=\">\">x", [Tag("a"), "x"]),
        ("<p it's=1>x", [Tag("p"), "x"]),
        ("<script>a</b></script >x", [Tag("script"), Tag("script", closing=True), "x"]),
        ("<title>A &amp; <b></title>", [Tag("title"), Raw("title", "A & <b>"), Tag("title", True)]),
        ("&#xD800;&#0;", ["\ufffd\ufffd"]),
    ],
)
def test_markup_is_understood_as_browsers_do(html: str, found: list[Event]) -> None:
    assert events(html) == found


@pytest.mark.parametrize("begin", ["<!-- ", "<script>", "<a href='", "<a ", "<title>", "<!x"])
def test_markup_that_takes_the_rest_of_the_text_away_is_an_error(begin: str) -> None:
    with pytest.raises(Unclosed, match="that begins here never ends") as caught:
        events("one\ntwo " + begin + "text " * 99, 7)
    assert caught.value.line == 2
    assert events("x" + begin + "text")[0] == "x"


@pytest.mark.parametrize("part", ["<", "<!--", "</", "<a", "&", "&a", "<a b='", '<a b="c', "<td>"])
def test_hostile_text_is_not_kept_in_memory(part: str) -> None:
    markup = Markup()
    for _ in range(200):
        markup.feed(part * 500)
        assert len(markup._rest) < 2_000
