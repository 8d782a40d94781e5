"""Documents of every kind, from wherever they come: all of them are covered, and cited by name."""

from __future__ import annotations

import gzip
import json
import re
from itertools import pairwise

import docxmaker
import pdfmaker
import pytest
from study import SMALL, Study, assert_tiles, paragraphs, prose

LETTER = "Grüße aus Köln: der Brief kam am 3. Mai an, und niemand hat ihn gelesen.\n\n"


async def test_several_documents_are_one_report(study: Study) -> None:
    texts = {"a.txt": prose(12, 1), "b.md": "# Title\n\n" + prose(12, 2)}
    for name, text in texts.items():
        study.document(text, name)
    done = await study.run(*texts, "--results", "both.jsonl", "-o", "r.md", *SMALL)
    assert done.code == 0, done
    report = (study.folder / "r.md").read_text()
    assert report.startswith("# Analysis of 2 documents\n")
    size = sum(len(text) for text in texts.values())
    assert f"{size:,} of {size:,} bytes (100 %) analysed" in report
    assert "a.txt, characters" in report
    assert "b.md, characters" in report
    chunks = study.chunks("both.jsonl")
    numbers = [row["chunk"]["number"] for row in chunks]
    assert numbers == list(range(1, len(chunks) + 1))
    for name, text in texts.items():
        assert_tiles(chunks, text, name)


async def test_a_folder_and_a_glob_are_their_documents_in_order(study: Study) -> None:
    for number in (10, 9, 1):
        study.document(prose(3, number), f"docs/part{number}.txt")
    study.document(b"\x89PNG\r\n\x1a\n\0\0\0", "docs/picture.png")
    done = await study.run("docs", "-o", "r.md", *SMALL)
    assert done.code == 0, done
    assert {"docs", "docs.analysis.jsonl", "r.md"} == study.files()
    named = [row["chunk"]["document"] for row in study.chunks("docs.analysis.jsonl")]
    assert list(dict.fromkeys(named)) == sorted(set(named), key=named.index)
    assert len(set(named)) == 3
    assert "docs/picture.png" in (study.folder / "r.md").read_text(), "what was left out is said"
    study.model.forget()
    globbed = await study.run("docs/*.txt", "--results", "docs.analysis.jsonl", *SMALL)
    assert globbed.code == 0, globbed
    assert [ask for ask in study.model.asks if ask.kind == "map"] == []


async def test_standard_input_is_read_to_its_end(study: Study) -> None:
    text = prose(12)
    done = await study.run("-", *SMALL, stdin=text.encode())
    assert done.code == 0, done
    assert done.stdout.startswith("# Analysis of standard input\n")
    assert "100 %" in done.stdout
    assert_tiles(study.chunks("stdin.analysis.jsonl"), text, "-")
    study.model.forget()
    again = await study.run("-", *SMALL, stdin=text.encode())
    assert (again.code, study.model.asks) == (0, [])
    assert again.stdout == done.stdout


async def test_gzip_is_read_through_and_offsets_are_those_of_its_text(study: Study) -> None:
    text = prose(12)
    study.document(gzip.compress(text.encode()), "big.txt.gz")
    done = await study.run("big.txt.gz", *SMALL)
    assert done.code == 0, done
    assert f"{len(text):,} of {len(text):,} bytes" in done.stdout
    assert_tiles(study.chunks(), text, "big.txt.gz")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_bytes_are_those_of_the_file_in_its_own_encoding(study: Study, encoding: str) -> None:
    text = LETTER * 60
    data = text.encode(encoding)
    study.document(data)
    args = ("--encoding", encoding) if encoding == "cp1252" else ()
    done = await study.read(*args)
    assert done.code == 0, done
    chunks = [row["chunk"] for row in study.chunks()]
    assert (chunks[0]["start"], chunks[-1]["end"]) == (0, len(text))
    assert chunks[-1]["byte_end"] == len(data)
    skipped = chunks[0]["byte_start"]
    for chunk in chunks:
        own = data[:skipped] + data[chunk["byte_start"] : chunk["byte_end"]]
        assert own.decode(encoding) == text[chunk["start"] : chunk["end"]]
    shown = {ask.text for ask in study.model.asks if ask.kind == "map"}
    assert all("Grüße" in said or "Köln" in said or "gelesen" in said for said in shown)


async def test_bytes_that_can_not_be_decoded_are_counted_and_covered(study: Study) -> None:
    text = prose(12).encode()
    data = text[:3000] + b"\xff\xfe\xfa" + text[3000:]
    study.document(data)
    done = await study.read("--encoding", "utf-8")
    assert done.code == 0, done
    assert "3 bytes can't be decoded as utf-8, the first at byte 3,000" in done.stdout
    assert "3 bytes undecodable" in done.stderr
    chunks = [row["chunk"] for row in study.chunks()]
    assert chunks[-1]["byte_end"] == len(data)
    assert f"{len(data):,} of {len(data):,} bytes (100 %)" in done.stdout


async def test_code_logs_and_json_are_read_as_text(study: Study) -> None:
    code = "".join(f"def work{n}(value):\n    return value + {n}\n\n\n" for n in range(80))
    log = "".join(
        f"2026-01-{n % 28 + 1:02} 12:00:00 INFO request {n} took 3 ms\n" for n in range(90)
    )
    data = json.dumps([{"name": f"Person {n}", "age": n} for n in range(99)])
    for name, text in {"a.py": code, "b.log": log, "c.json": data}.items():
        study.document(text, name)
    done = await study.run("a.py", "b.log", "c.json", "--results", "r.jsonl", *SMALL)
    assert done.code == 0, done
    for name, text in {"a.py": code, "b.log": log, "c.json": data}.items():
        assert_tiles(study.chunks("r.jsonl"), text, name)


async def test_html_is_read_as_its_text(study: Study) -> None:
    rows = "".join(
        f"<h2>Part {n}</h2><p>In year {n} the <b>mayor</b> met us.</p>" for n in range(40)
    )
    study.document(f"<html><head><title>Town</title></head><body>{rows}</body></html>", "t.html")
    done = await study.run("t.html", *SMALL)
    assert done.code == 0, done
    chunks = [row["chunk"] for row in study.chunks("t.analysis.jsonl")]
    assert len(chunks) > 1
    assert all(chunk["headings"][-1].startswith("Part") for chunk in chunks[1:])
    for ask in study.model.asks:
        assert "<p>" not in ask.prompt
        if ask.kind == "map":
            assert 'from="Town' in ask.prompt
    assert "(100 %) analysed" in done.stdout


async def test_a_document_of_white_space_between_its_parts_asks_nothing_about_it(
    study: Study,
) -> None:
    text = prose(4) + "\n" * 20_000 + prose(4, seed=2)
    study.document(text)
    done = await study.read()
    assert done.code == 0, done
    assert f"{len(text):,} of {len(text):,} bytes (100 %)" in done.stdout
    assert all(ask.text.strip() for ask in study.model.asks if ask.kind == "map")


async def test_a_docx_is_read_with_its_title_and_headings(study: Study) -> None:
    heading = '<w:outlineLvl w:val="0"/>'
    body = "".join(
        docxmaker.paragraph(f"Year {1000 + 70 * at}", heading) + docxmaker.paragraph(text)
        for at, text in enumerate(paragraphs(20))
    )
    docxmaker.make(study.folder / "t.docx", body, title="Town history")
    done = await study.run("t.docx", *SMALL)
    assert done.code == 0, done
    rows = study.chunks("t.analysis.jsonl")
    assert all(row["chunk"]["headings"][-1].startswith("Year ") for row in rows[1:])
    assert rows[0]["chunk"]["start"] == 0
    assert all(one["chunk"]["end"] == two["chunk"]["start"] for one, two in pairwise(rows))
    assert "(100 %) analysed" in done.stdout
    maps = [ask for ask in study.model.asks if ask.kind == "map"]
    assert all('from="Town history' in ask.prompt for ask in maps)
    for text in paragraphs(20):
        assert any(text[-40:] in ask.text for ask in maps)


async def test_a_pdf_is_cited_by_its_pages(study: Study) -> None:
    pages = [[line.encode() for line in text.split(". ")] for text in paragraphs(12)]
    pdfmaker.make(study.folder / "t.pdf", *pages)
    done = await study.run("t.pdf", *SMALL)
    assert done.code == 0, done
    chunks = [row["chunk"] for row in study.chunks("t.analysis.jsonl")]
    assert (chunks[0]["page"], chunks[-1].get("last_page", chunks[-1]["page"])) == (1, 12)
    assert all(one["end"] == two["start"] for one, two in pairwise(chunks))
    assert re.search(r"^- \[1\] t\.pdf, pages? \d", done.stdout, re.M)
    assert "(100 %) analysed" in done.stdout


async def test_a_pdf_without_text_is_an_error_that_says_what_to_do(study: Study) -> None:
    pdfmaker.make(study.folder / "scan.pdf", [], [])
    done = await study.run("scan.pdf", "--results", "r.jsonl", *SMALL)
    assert done.code == 3, done
    assert "scan.pdf" in done.stderr
    assert "Traceback" not in done.stderr
    assert study.model.asks == []
