"""A PDF comes page by page, and one without text, damaged or locked says what to do."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pdfmaker import locked, make, pdf

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.sources.documents.document import Block
from llmbatch.jobs.sources.documents.finding import find
from llmbatch.jobs.sources.documents.forms import File
from llmbatch.jobs.sources.documents.pdf import clean
from llmbatch.jobs.sources.documents.text import BLOCK


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def error_of(name: str) -> str:
    with pytest.raises(SourceError) as caught:
        find([name])
    return str(caught.value)


def test_each_page_is_a_block_and_pages_without_text_are_counted() -> None:
    make("a.pdf", [b"One", b"two"], [], [b"caf\\351 \\223q\\224"], [b" "])
    (document,) = find(["a.pdf"]).documents
    with document.open() as reading:
        assert (document.size, reading.kind, reading.first_byte) == (None, "prose", 0)
        blocks = list(reading.blocks())
        facts = reading.facts()
    assert blocks == [Block("One\ntwo", 1), Block("\n\ncafé “q”", 3)]
    assert (facts.pages, facts.empty_pages, facts.format) == (4, 2, "pdf")
    assert (facts.characters, facts.bytes, facts.encoding) == (17, 22, None)
    assert facts.bytes == sum(reading.width(block.text) for block in blocks)


def test_the_title_is_its_own_or_the_name_of_the_file() -> None:
    for info, title in (
        (b"/Title(My  title)", "My title"),
        (b"/Title( )", "a.pdf"),
        (b"", "a.pdf"),
    ):
        make("a.pdf", [b"x"], info=info)
        with File("a.pdf").open() as reading:
            assert reading.title == title


def test_words_that_a_line_s_end_has_parted_are_whole_again() -> None:
    make("a.pdf", [b"an exam-", b"ple by Mary-", b"Ann"])
    with File("a.pdf").open() as reading:
        assert [block.text for block in reading.blocks()] == ["an example by Mary-Ann"]


def test_characters_beyond_the_first_plane_come_whole() -> None:
    Path("a.pdf").write_bytes(pdf([[b"A B"]], emoji=True))
    with File("a.pdf").open() as reading:
        assert [block.text for block in reading.blocks()] == ["😀 B"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\r\nb\rc\n", "a\nb\nc"),
        ("exam\ufffeple", "example"),
        ("exam\x02ple", "example"),
        ("Mary\x02Ann 3\ufffe4 x\ufffe", "Mary-Ann 3-4 x-"),
        ("a\x01b\x7f\uffff\ud800", "a\ufffdb\ufffd\ufffd\ufffd"),
        ("a\tb\x0cc", "a\tb\x0cc"),
    ],
)
def test_what_pdfium_puts_into_text_is_taken_out(raw: str, text: str) -> None:
    assert clean(raw) == text


@given(st.text(st.characters(codec="utf-16-le")))
def test_a_cleaned_page_can_be_encoded(text: str) -> None:
    assert not set(clean(text).encode()) & set(b"\0\1\2\r\x7f")


def test_a_scanned_pdf_says_to_run_ocr() -> None:
    make("a.pdf", [], [], [])
    assert error_of("a.pdf") == (
        "a.pdf: none of its 3 pages has text: it is scanned; run OCR first, "
        "for example ocrmypdf in.pdf out.pdf"
    )
    make("a.pdf", [b"\\001\\002"])
    assert error_of("a.pdf").startswith("a.pdf: its page has no text: it is scanned")


def test_in_a_folder_it_is_skipped_with_that_reason() -> None:
    make("a.pdf", [])
    make("b.pdf", [b"x"])
    found = find(["."])
    assert [document.path for document in found.documents] == ["./b.pdf"]
    assert "run OCR first" in found.skipped[0].reason


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"%PDF-1.4 and nothing", "the PDF is damaged (Failed to load document"),
        (b"<html>not found", "it is no PDF: it begins with b'<html>not found'"),
        (b"", "it is no PDF: it is empty"),
        (locked([]), "it is locked with a password: save it without one"),
    ],
    ids=["damaged", "html", "empty", "locked"],
)
def test_what_can_t_be_read_says_why(data: bytes, why: str) -> None:
    Path("a.pdf").write_bytes(data)
    assert error_of("a.pdf").startswith(f"a.pdf: {why}")


def test_one_without_pages_says_so() -> None:
    Path("a.pdf").write_bytes(pdf([]))
    script = (
        "from llmbatch.jobs.errors import SourceError\n"
        "from llmbatch.jobs.sources.documents.finding import find\n"
        "try: find(['a.pdf'])\n"
        "except SourceError as error: print(error)\n"
    )  # a process of its own: PDFium would give the reason of the file before, where there was one
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "a.pdf: the PDF has no pages\n", done.stderr


def test_it_is_known_by_its_first_bytes_where_the_suffix_says_nothing() -> None:
    make("paper", [b"x"])
    with File("paper").open() as reading:
        assert list(reading.blocks()) == [Block("x", 1)]


def test_a_long_page_comes_in_blocks_of_that_page() -> None:
    make("a.pdf", [b"x"], [b"word " * 20] * 2_000)
    with File("a.pdf").open() as reading:
        blocks = list(reading.blocks())
    assert len(blocks) > 2
    assert {block.page for block in blocks[1:]} == {2}
    assert max(len(block.text) for block in blocks) <= BLOCK


def test_any_damage_is_an_error_or_none() -> None:
    whole = pdf([[b"some text", b"and more"], [b"page two"]])
    chance = random.Random(7)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        Path("b.pdf").write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        try:
            with File("b.pdf").open() as reading:
                list(reading.blocks())
        except SourceError as error:
            assert "b.pdf: " in str(error)  # noqa: PT017 - some are read, and that is right too


def test_standard_input_may_be_one() -> None:
    script = (
        "from llmbatch.jobs.sources.documents.forms import File\n"
        "with File('-').open() as reading:\n"
        "    print(reading.title, [block.text for block in reading.blocks()])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pdf([[b"x"]]), capture_output=True, check=True
    )
    assert done.stdout == b"standard input ['x']\n"


def test_without_the_extra_the_error_says_how_to_get_it() -> None:
    make("a.pdf", [b"x"])
    script = (
        "import sys\n"
        "sys.modules['pypdfium2'] = None\n"
        "from llmbatch.jobs.errors import ConfigError\n"
        "from llmbatch.jobs.sources.documents.finding import find\n"
        "for path in ('a.pdf', '.'):\n"
        "    try: find([path])\n"
        "    except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    advice = "PDF documents need PDFium (the extra `pdf`): pip install pypdfium2"
    assert done.stdout.splitlines() == [f"a.pdf: {advice}", f"./a.pdf: {advice}"], done.stderr
