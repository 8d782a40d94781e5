"""What Word shows of a DOCX comes as Markdown, and a damaged one says so."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest
from docxmaker import document, make, paragraph, part

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.model import DocumentFacts
from llmbatch.jobs.sources.documents.finding import find
from llmbatch.jobs.sources.documents.forms import File
from llmbatch.jobs.sources.documents.text import BLOCK

STYLES = part(
    "styles",
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="berschrift1"/></w:style>'
    '<w:style w:styleId="Deep"><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
    '<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>'
    '<w:style w:styleId="Liste"><w:name w:val="L"/><w:pPr><w:numPr><w:numId w:val="7"/></w:numPr>'
    '</w:pPr></w:style><w:style w:styleId="A"><w:basedOn w:val="B"/></w:style>'
    '<w:style w:styleId="B"><w:basedOn w:val="A"/></w:style>',
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(name: str) -> tuple[str, DocumentFacts]:
    (found,) = find([name]).documents
    with found.open() as reading:
        assert (found.size, reading.kind, reading.first_byte) == (None, "markdown", 0)
        text = "".join(block.text for block in reading.blocks())
        facts = reading.facts()
        assert (facts.characters, facts.bytes) == (len(text), reading.width(text))
        assert (facts.title, facts.format, facts.encoding) == (reading.title, "docx", None)
    return text, facts


def text_of(body: str, **parts: str) -> str:
    return read(make("a.docx", body, **parts))[0]


def error_of(name: str) -> str:
    with pytest.raises(SourceError) as caught:
        find([name])
    return str(caught.value)


def styled(style: str) -> str:
    return paragraph("x", f'<w:pStyle w:val="{style}"/>')


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (paragraph("one ") + paragraph(" two"), "one\n\ntwo"),
        ("<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r></w:p>", "a\tb\nc"),
        ("<w:p><w:r><w:t>co</w:t></w:r><w:r><w:t>ld</w:t><w:noBreakHyphen/></w:r></w:p>", "cold‑"),
        ("<w:p><w:r><w:t>a&amp;b &lt;c&gt;</w:t></w:r></w:p>", "a&b <c>"),
        (styled("berschrift1") + styled("Mine") + styled("Deep") + styled("Titel") + styled("A"),
         "# x\n\n# x\n\n### x\n\n# x\n\nx"),
        (paragraph("x", '<w:pStyle w:val="Mine"/><w:outlineLvl w:val="3"/>'), "#### x"),
        (paragraph("x", '<w:pStyle w:val="Mine"/><w:outlineLvl w:val="9"/>'), "x"),
        (styled("Liste") + styled("Liste") + paragraph("y"), "- x\n- x\n\ny"),
        (paragraph("a", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="3"/></w:numPr>')
         + paragraph("b", '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr>')
         + paragraph("c", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="0"/></w:numPr>'),
         "- a\n  - b\n\nc"),
        ("<w:tbl><w:tr><w:tc>" + paragraph("a") + "</w:tc><w:tc>" + paragraph("b")
         + "</w:tc></w:tr><w:tr><w:tc><w:p/></w:tc><w:tc>" + paragraph("c") + paragraph("d")
         + "</w:tc></w:tr></w:tbl>" + paragraph("e"), "| a | b |\n|  | c\n\nd |\n\ne"),
        ("<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r>"
         "</w:del><w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom></w:p>", "new"),
        ("<w:p><w:r><mc:AlternateContent><mc:Choice><w:t>a</w:t></mc:Choice><mc:Fallback><w:t>a</w:t>"
         "</mc:Fallback></mc:AlternateContent></w:r><m:oMath><m:r><m:t>=b</m:t></m:r></m:oMath>"
         "</w:p>", "a=b"),
        ("<w:p><w:r><w:t>a</w:t><w:txbxContent>" + paragraph("b") + paragraph("c")
         + "</w:txbxContent><w:t>d</w:t></w:r></w:p>" + paragraph("e"), "a\n\nb\n\nc\n\nd\n\ne"),
        ('<w:p><w:pPr><w:pStyle w:val="Mine"/></w:pPr><w:r><w:txbxContent>' + paragraph("box")
         + "</w:txbxContent></w:r><w:r><w:t>Head</w:t></w:r></w:p>" + paragraph("e"),
         "box\n\n# Head\n\ne"),
        ('<w:p><w:r><w:instrText>PAGE</w:instrText><w:sym w:char="2190"/></w:r></w:p>', "←"),
    ],
)  # fmt: skip
def test_its_structure_is_kept(body: str, text: str) -> None:
    assert text_of(body, styles=STYLES) == text


def test_notes_stand_at_the_end() -> None:
    notes = part(
        "footnotes",
        '<w:footnote w:type="separator" w:id="-1">' + paragraph("---") + "</w:footnote>"
        '<w:footnote w:id="1">' + paragraph("so it is") + "</w:footnote>",
    )
    ends = part("endnotes", '<w:endnote w:id="1">' + paragraph("the end") + "</w:endnote>")
    body = '<w:p><w:r><w:t>a</w:t></w:r><w:r><w:footnoteReference w:id="1"/></w:r></w:p>'
    assert text_of(body, footnotes=notes, endnotes=ends) == (
        "a[^1]\n\n[^1]: so it is\n\n[^e1]: the end"
    )


def test_the_title_is_its_own_or_the_name_of_the_file() -> None:
    assert read(make("a.docx", paragraph("x"), title="A &amp; B"))[1].title == "A & B"
    assert read(make("a.docx", paragraph("x"), title=" "))[1].title == "a.docx"


def test_it_is_known_by_its_first_bytes_where_the_suffix_says_nothing() -> None:
    assert read(make("a.bin", paragraph("x")))[0] == "x"


def test_a_long_document_comes_in_blocks() -> None:
    make("a.docx", paragraph("word") * BLOCK)
    with File("a.docx").open() as reading:
        blocks = [block.text for block in reading.blocks()]
    assert "".join(blocks) == "\n\n".join(["word"] * BLOCK)
    assert len(blocks) > 3
    assert max(map(len, blocks)) < 2 * BLOCK


def test_a_document_without_text_is_an_error() -> None:
    make("a.docx", "<w:p/>")
    assert error_of("a.docx") == "a.docx: there is no text in it"


@pytest.mark.parametrize(
    ("part_name", "what"),
    [
        ("xl/workbook.xml", "it is a workbook: save its sheets as CSV"),
        ("ppt/presentation.xml", "it is a presentation: save it as PDF"),
        ("content.xml", "it is an OpenDocument: save it as DOCX or PDF"),
        ("META-INF/container.xml", "it is an e-book: convert it"),
        ("a.txt", "it is a ZIP archive and no DOCX: unpack it first"),
    ],
)
def test_what_else_comes_in_such_a_packing_says_what_to_do(part_name: str, what: str) -> None:
    with zipfile.ZipFile("a.file", "w") as package:
        package.writestr(part_name, "x")
    assert error_of("a.file").startswith(f"a.file: {what}")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\3\4 is all", "the DOCX is damaged (File is not a zip file): open it in Word"),
        (b"<html>", "the DOCX is damaged (File is not a zip file)"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "it is locked with a password, or an old .doc"),
        (b"", "the DOCX is damaged (File is not a zip file)"),
    ],
)
def test_what_is_no_docx_at_all_says_so(data: bytes, why: str) -> None:
    Path("a.docx").write_bytes(data)
    assert error_of("a.docx").startswith(f"a.docx: {why}")


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        (document(paragraph("x"))[:-20], "unclosed token"),
        ("<!DOCTYPE a [<!ENTITY b 'bb'>]>" + document("<w:p>&b;</w:p>")[21:], "it has a DOCTYPE"),
        (document("<w:p>&nope;</w:p>"), "undefined entity"),
        (document("<w:p><!--" + "x" * (1 << 25) + "--></w:p>"), "without a single tag"),
    ],
    ids=["cut", "doctype", "entity", "long"],
)
def test_damaged_xml_is_an_error_with_its_place(xml: str, why: str) -> None:
    make("a.docx", "")
    with zipfile.ZipFile("a.docx", "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", xml)
    message = error_of("a.docx")
    assert message.startswith("a.docx: the DOCX is damaged (")
    assert why in message


def test_any_damage_is_an_error_or_none() -> None:
    make("a.docx", paragraph("word " * 50) * 20, styles=STYLES)
    whole = Path("a.docx").read_bytes()
    chance = random.Random(7)
    refused: list[str] = []
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        Path("b.docx").write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        try:
            with File("b.docx").open() as reading:
                list(reading.blocks())
        except SourceError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert all(message.startswith("b.docx: ") for message in refused)
