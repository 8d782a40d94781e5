"""What a reader sees of an HTML page comes as Markdown."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.model import DocumentFacts
from llmbatch.jobs.sources.documents.finding import find
from llmbatch.jobs.sources.documents.text import BLOCK


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(html: str | bytes, name: str = "a.html") -> tuple[str, DocumentFacts]:
    data = html.encode() if isinstance(html, str) else html
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (document,) = find([name]).documents
    with document.open() as reading:
        assert (document.size, reading.kind, reading.first_byte) == (None, "markdown", 0)
        text = "".join(block.text for block in reading.blocks())
        facts = reading.facts()
        assert (facts.characters, facts.bytes) == (len(text), reading.width(text))
        assert (facts.title, facts.format) == (reading.title, "html")
    return text, facts


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>A <em>b</em><br>c</h1><p>d\n  e</p>f", "# A b c\n\nd e\n\nf"),
        ("<h3>A</h3><h2></h2><h6>B", "### A\n\n###### B"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e", "- a\n- b\n  - c\n- d\n\ne"),
        ("<ol><li>a<li></li><li>b</ol><p>x", "1. a\n3. b\n\nx"),
        ("<table><tr><th>a<th>b<tr><td>c<td><tr><td>", "| a | b |\n| c |  |"),
        ("<table><tr><td><h1>Page</h1><p>Text<td>more</table>", "# Page\n\nText| more |"),
        ("<pre>\n  a\n\n# b &lt;\n</pre>x", "```\n  a\n\n# b <\n```\n\nx"),
        ("<pre>a</pre><pre></pre>", "```\na\n```"),
        ("<div>a<div>b</div></div>c<span>d</span>", "a\nb\ncd"),
        ("<script>x</script><style>y</style>a<!-- z -->", "a"),
        ("<b>a</b> <i>b</i>\n<u> c</u>", "a b c"),
        ("a&nbsp;b <p> &lt;p&gt; </p>", "a\u00a0b\n\n<p>"),
        ("<textarea>a\n b</textarea>", "a b"),
    ],
)
def test_its_structure_is_kept(html: str, text: str) -> None:
    assert read(html)[0] == text


def test_a_long_page_comes_in_blocks() -> None:
    Path("a.html").write_text("<p>word</p>" * BLOCK)
    (document,) = find(["a.html"]).documents
    with document.open() as reading:
        blocks = [block.text for block in reading.blocks()]
    assert "".join(blocks) == "\n\n".join(["word"] * BLOCK)
    assert len(blocks) > 3
    assert max(map(len, blocks)) < 3 * BLOCK


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>\n A &amp;\n B </title>", "A & B"),
        ("<TITLE lang=en>A</TITLE>", "A"),
        ("<title> </title>", "a.html"),
        ("<title>\x1b[31mA\x07\u202eB</title>", "[31mA B"),
        ("<title>Untitled</title>", "a.html"),
        ("", "a.html"),
    ],
)
def test_the_title_is_its_own_or_the_name_of_the_file(head: str, title: str) -> None:
    assert read(f"<html><head>{head}</head><body>x")[1].title == title


@pytest.mark.parametrize(
    ("head", "codec", "name", "how"),
    [
        ("<meta charset='iso-8859-1'>", "cp1252", "cp1252", "declared"),
        ('<META content="text/html; charset=Shift_JIS">', "cp932", "cp932", "declared"),
        ("<meta charset=utf-8>", "utf-8", "utf-8", "declared"),
        ("<?xml version='1.0' encoding='windows-1251'?>", "cp1251", "cp1251", "declared"),
        ("<meta charset=utf-16>", "utf-8", "utf-8", "content"),
        ("<meta charset=iso-8859-1>", "utf-8-sig", "utf-8", "bom"),
        ("<meta charset=iso-8859-1>", "utf-16", "utf-16-le", "bom"),
        ("", "utf-8", "utf-8", "content"),
    ],
)
def test_its_encoding_is_found_as_browsers_do(head: str, codec: str, name: str, how: str) -> None:
    word = {"cp932": "日本語", "cp1251": "Привет"}.get(codec, "naïve")
    text, facts = read(f"{head}<p>{word}".encode(codec))
    assert (text, facts.encoding, facts.encoding_from) == (word, name, how)


def test_bytes_that_are_no_text_are_counted() -> None:
    text, facts = read("<meta charset=utf-8><p>été à Noël ça".encode() + b"\xff")
    assert text.endswith("\udcff")
    assert (facts.undecodable, facts.first_undecodable) == (1, 41)


def test_it_is_known_by_its_first_bytes_where_the_suffix_says_nothing() -> None:
    page = "\n<!DOCTYPE html><title>T</title><p>x"
    assert read(page, "page")[0] == read(page, "page.cgi")[0] == read(page, "a.html.gz")[0] == "x"
    Path("a.txt").write_text(page)
    with find(["a.txt"]).documents[0].open() as reading:
        assert "".join(block.text for block in reading.blocks()) == page


def test_a_page_without_text_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"a\.html: there is no text in it"):
        read("<html><head><title>x</title></head><body><script>1</script></body></html>")


def test_a_comment_that_never_ends_is_an_error_with_its_line() -> None:
    with pytest.raises(SourceError, match=r"a\.html:2: the comment that begins here never ends"):
        read("<p>x\n<!-- " + "text " * 99)
