"""What the user names becomes documents, each once, or an error that says what to do."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import without_rights

from llmbatch.jobs.errors import ConfigError, SourceError
from llmbatch.jobs.sources.documents.finding import find

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, data: bytes = b"text\n") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(data)
    return name


def paths(*names: str) -> list[str]:
    return [document.path for document in find(names).documents]


def error_of(*names: str) -> str:
    with pytest.raises(SourceError) as caught:
        find(names)
    return str(caught.value)


def test_files_folders_globs_and_standard_input_keep_their_order() -> None:
    for name in ("z.txt", "d/b.md", "d/a.py", "d/e/c.log", "g1.txt", "g2.txt"):
        write(name)
    assert paths("z.txt", "d", "-", "g*.txt") == [
        *("z.txt", "d/a.py", "d/b.md", "d/e/c.log", "-", "g1.txt", "g2.txt")
    ]


def test_each_file_is_read_once_whatever_leads_to_it() -> None:
    write("d/a.txt")
    Path("d/link.txt").symlink_to("a.txt")
    Path("d/up").symlink_to("..")
    assert paths("d/a.txt", "./d/a.txt", "d", "**/*.txt", "-", "-") == ["d/a.txt", "-"]


def test_a_folder_leaves_out_what_is_hidden_and_our_own_results() -> None:
    for name in ("a.txt", ".hidden.txt", ".git/config", "a.results.jsonl", "a.analysis.jsonl"):
        write("d/" + name)
    write("d/a.analysis.md")
    write("d/report.md")
    assert paths("d") == paths("d/*") == ["d/a.txt", "d/report.md"]
    assert paths("d/*.analysis.*") == ["d/a.analysis.jsonl", "d/a.analysis.md"]
    assert paths("d/a.results.jsonl") == ["d/a.results.jsonl"]
    found = find(["d"], outputs=["d/report.md"])
    assert ([d.path for d in found.documents], found.skipped) == (["d/a.txt"], ())


def test_a_folder_skips_what_is_no_document_and_says_why() -> None:
    write("d/a.txt")
    write("d/b.bin", b"some\0words")
    write("d/c.png", PNG)
    write("d/e.txt", b"")
    Path("d/f.txt").symlink_to("nowhere")
    os.mkfifo("d/g")
    found = find(["d"])
    assert [document.path for document in found.documents] == ["d/a.txt"]
    assert [(skip.path, skip.reason.split(":")[0]) for skip in found.skipped] == [
        ("d/b.bin", "there is a NUL at byte 5"),
        ("d/c.png", "it is an image"),
        ("d/e.txt", "there is no text in it"),
        ("d/f.txt", "no such file"),
        ("d/g", "is no regular file"),
    ]


def test_a_folder_without_documents_is_an_error_with_the_first_reason() -> None:
    write("d/c.png", PNG)
    assert error_of("d").startswith(
        "d: there is no document in it: 1 skipped, the first is d/c.png (it is an image"
    )
    Path("empty").mkdir()
    write("a.txt")
    assert error_of("a.txt", "empty") == "empty: there is no document in it"
    assert error_of("*.pdf") == "*.pdf: no file matches: check the pattern"


@pytest.mark.parametrize(
    ("name", "data", "advice"),
    [
        ("a.png", PNG, "it is an image: take its text out first"),
        ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(9), "it is an image: take its text out first"),
        ("a.mp3", b"ID3\3" + bytes(9), "it is sound or video: write it down first"),
        ("a.doc", bytes.fromhex("d0cf11e0a1b11ae1"), "it is in an old format of Office"),
        ("a.rtf", rb"{\rtf1 x}", "it is RTF: save it as DOCX"),
        ("a.txt", gzip.compress(b"x", mtime=0), "it is gzip data: give it a name in .gz"),
        (
            "a.tar.gz",
            gzip.compress(bytes(257) + b"ustar\0", mtime=0),
            "it is an archive: unpack it",
        ),
        ("a.rar", b"Rar!\x1a\7", "it is an archive: unpack it first"),
        ("a.parquet", b"PAR1" + bytes(9), "it is a table in binary: save it as CSV"),
        ("a.exe", b"MZ\x90\0", "there is a NUL at byte 4: it is binary data"),
        ("a.txt", b"", "there is no text in it"),
    ],
)
def test_a_named_file_that_is_no_document_says_what_to_do(
    name: str, data: bytes, advice: str
) -> None:
    assert error_of(write(name, data)).startswith(f"{name}: {advice}")


def test_a_named_file_is_an_error_though_a_folder_has_skipped_it() -> None:
    write("d/a.txt")
    write("d/b.png", PNG)
    assert error_of("d", "d/b.png").startswith("d/b.png: it is an image")


def test_what_is_not_there_is_named() -> None:
    assert error_of("nope.txt") == "nope.txt: no such file: check the name and the folder"
    assert error_of("a\0b") == "a\0b: can't be read: embedded null byte"
    assert error_of("x" * 300) == f"{'x' * 300}: can't be read: File name too long"


def test_a_folder_that_is_too_deep_is_skipped_and_the_rest_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("d/a.txt")
    with monkeypatch.context() as deep:
        deep.chdir("d")
        for _ in range(25):
            Path("n" * 200).mkdir()
            deep.chdir("n" * 200)
    found = find(["d"])
    assert [document.path for document in found.documents] == ["d/a.txt"]
    assert [skip.reason for skip in found.skipped] == ["can't be read: File name too long"]
    assert [document.path for document in find(["d/**/*.txt"]).documents] == ["d/a.txt"]


def test_no_path_at_all_is_wrong_usage() -> None:
    with pytest.raises(ConfigError, match="no document: name a file, a folder, a glob, or -"):
        find([])


def test_an_unknown_encoding_is_wrong_usage_before_anything_is_opened() -> None:
    with pytest.raises(ConfigError, match="did you mean utf-8"):
        find(["nope.txt"], encoding="utf-9")


def test_the_given_encoding_reaches_every_document() -> None:
    write("a.txt", "déjà vu".encode("cp437"))
    (document,) = find(["a.txt"], encoding="cp437").documents
    with document.open() as reading:
        assert [block.text for block in reading.blocks()] == ["déjà vu"]
        facts = reading.facts()
    assert (facts.encoding, facts.encoding_from) == ("cp437", "given")


def test_the_size_is_known_where_the_file_is_the_text() -> None:
    write("a.txt", b"12345")
    write("b.txt.gz", gzip.compress(b"12345"))
    assert [document.size for document in find(["a.txt", "b.txt.gz", "-"]).documents] == [
        *(5, None, None)
    ]


@pytest.mark.parametrize(
    ("name", "kind", "form"),
    [
        ("a.txt", "prose", "text"),
        ("README.MD", "markdown", "markdown"),
        ("a.py", "code", "code"),
        ("a.json", "prose", "text"),
        ("a.unknown", "prose", "text"),
        ("Makefile", "prose", "text"),
    ],
)
def test_the_suffix_tells_the_kind(name: str, kind: str, form: str) -> None:
    (document,) = find([write("d/" + name)]).documents
    with document.open() as reading:
        list(reading.blocks())
        assert (reading.kind, reading.title, reading.facts().format) == (kind, name, form)
        assert reading.facts().path == "d/" + name


def test_standard_input_is_read_once_in_its_turn() -> None:
    script = (
        "from llmbatch.jobs.sources.documents.finding import find\n"
        "for document in find(['-']).documents:\n"
        "    with document.open() as reading:\n"
        "        print([block.text for block in reading.blocks()], reading.facts().title)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input="naïve".encode(), capture_output=True, check=True
    )
    assert done.stdout.decode() == "['naïve'] standard input\n"


def test_a_pipe_is_not_opened_before_its_turn() -> None:
    os.mkfifo("pipe")
    assert paths("pipe") == ["pipe"]


def test_what_may_not_be_read_says_so() -> None:
    Path(write("a.txt")).chmod(0)
    script = "from llmbatch.jobs.sources.documents.finding import find\nfind(['a.txt'])"
    done = subprocess.run(
        [sys.executable, "-c", script], preexec_fn=without_rights, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1].endswith(
        "SourceError: a.txt: no permission to read it: check its owner and mode"
    )
