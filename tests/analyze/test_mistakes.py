"""Mistakes of a user: each a clear message, its exit code, nothing sent and nothing left behind."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from command import Done, without_rights
from study import RESULTS, SMALL, Study, prose

GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"


def refused(study: Study, done: Done, code: int, *words: str) -> None:
    """That end, and no other trace of it."""
    assert done.code == code, done
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "this is a bug" not in done.stderr
    assert done.stdout == ""
    assert study.model.asks == []


FLAGS = [
    (("--chunk-tokens", "0"), "--chunk-tokens"),
    (("--chunk-tokens", "-5"), "--chunk-tokens"),
    (("--chunk-tokens", "abc"), '--chunk-tokens: must be a number, got "abc"'),
    (("--chunk-tokens", "100000"), "--chunk-tokens 100000"),
    (("--overlap", "300"), "--overlap 300 must be at most half of a chunk, which has 300 tokens"),
    (("--overlap", "-1"), "--overlap"),
    (("--model-context", "0"), "--model-context"),
    (("--model-context", "200"), "200 tokens"),
    (("--max-tokens", "5000"), "900 tokens"),
    (("--encoding", "klingon"), 'encoding "klingon": no such encoding'),
    (("--encoding", "base64"), 'encoding "base64": no encoding of documents'),
    (("--map-prompt", "no.txt"), "--map-prompt: can't read no.txt: No such file"),
    (("--map-prompt", "plain.txt"), "plain.txt: {{text}} is not in it"),
    (("--map-prompt", "twice.txt"), "twice.txt: {{text}} is in it 2 times"),
    (("--map-prompt", "typo.txt"), "did you mean {{text}}?"),
    (("--map-prompt", "binary.bin"), "is not UTF-8"),
    (("--map-prompt", "folder"), "--map-prompt: can't read folder"),
    (("--fold-prompt", "plain.txt"), "plain.txt: {{parts}} is not in it"),
    (("--context", "previous", "--map-prompt", "text.txt"), "has no {{previous}}"),
    (("--task", "@no.txt"), "--task: can't read no.txt"),
    (("--fold", "sum"), "'sum' is not one of"),
    (("--no-such-flag",), "No such option"),
    (("--summary", "no/sum.json"), "--summary no/sum.json: the folder no does not exist"),
    (("--max-failed", "many"), "--max-failed"),
    (("--endpoint", "embeddings"), "No such option"),
]


@pytest.mark.parametrize(("args", "message"), FLAGS, ids=lambda value: str(value)[:50])
async def test_a_flag_that_can_not_work_is_refused_before_anything_is_sent(
    study: Study, args: tuple[str, ...], message: str
) -> None:
    study.document()
    for name, text in {
        "plain.txt": "Read this.",
        "twice.txt": "{{text}} and {{text}}",
        "typo.txt": "{{txt}}",
        "text.txt": "{{text}}",
    }.items():
        (study.folder / name).write_text(text)
    (study.folder / "binary.bin").write_bytes(b"\xff\xfe\x00{{text}}")
    (study.folder / "folder").mkdir()
    before = study.files()
    done = await study.read(*args)
    refused(study, done, 2, message)
    assert study.files() == before


DOCUMENTS: dict[str, tuple[bytes | None, tuple[str, ...]]] = {
    "missing.txt": (None, ("missing.txt", "no such file")),
    "empty.txt": (b"", ("empty.txt: ",)),
    "blank.txt": (b" \n\t\n" * 50, ("blank.txt: there is nothing but white space in it",)),
    "bom.txt": (b"\xef\xbb\xbf", ("bom.txt: there is no text in it",)),
    "binary.txt": (bytes(range(256)) * 20, ("binary.txt",)),
    "zeros.dat": (bytes(5000), ("zeros.dat",)),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + bytes(100), ("picture.png", "image")),
    "zip.txt": (b"PK\x03\x04" + bytes(100), ("zip.txt",)),
    "broken.txt.gz": (GZIP + b"nonsense", ("broken.txt.gz",)),
    "cut.txt.gz": (zlib.compress(prose().encode(), wbits=31)[:900], ("cut.txt.gz",)),
    "plain.txt.gz": (b"I am not compressed\n", ("plain.txt.gz",)),
    "broken.docx": (b"PK\x03\x04" + bytes(100), ("broken.docx",)),
    "broken.pdf": (b"%PDF-1.7\n" + bytes(100), ("broken.pdf",)),
    "docs/*.nothing": (None, ("docs/*.nothing", "no file matches")),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_document_that_can_not_be_read_is_an_error_that_names_it(
    study: Study, name: str
) -> None:
    data, words = DOCUMENTS[name]
    if data is not None:
        study.document(data, name)
    done = await study.run(name, "--results", "r.jsonl", "-o", "report.md", *SMALL)
    assert done.code == 3, done
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "this is a bug" not in done.stderr
    assert not (study.folder / "report.md").exists()


async def test_no_document_is_a_usage_error(study: Study) -> None:
    refused(study, await study.run(), 2, "no document: name files, folders or globs")


async def test_an_empty_folder_has_no_document(study: Study) -> None:
    (study.folder / "docs").mkdir()
    done = await study.run("docs", *SMALL)
    refused(study, done, 3, "docs")


async def test_documents_of_white_space_alone_are_an_error_and_one_of_several_is_not(
    study: Study,
) -> None:
    for name in ("a.txt", "b.txt"):
        study.document("\n \n", f"docs/{name}")
    done = await study.run("docs", *SMALL)
    refused(study, done, 3, "there is nothing but white space in the 2 documents")
    study.document("A letter.\n", "docs/c.txt")
    assert (await study.run("docs", *SMALL)).code == 0


async def test_an_empty_standard_input_is_an_error(study: Study) -> None:
    done = await study.run("-", *SMALL, stdin=b"")
    refused(study, done, 3, "standard input: there is no text in it")


async def test_a_document_without_permission_is_an_error(study: Study) -> None:
    study.document().chmod(0)
    done = await study.read(preexec_fn=without_rights)
    refused(study, done, 3, "big.txt", "permission")


async def test_a_document_that_changes_while_it_is_read_is_found_out(study: Study) -> None:
    path = study.document(prose(3000))
    study.model.hold(lambda ask: True)
    async with study.reading("-o", "report.md", "--concurrency", "2") as job:
        await study.model.seen(lambda ask: ask.held, 2)
        with path.open("r+b") as file:
            file.write(b"Something else stands at the beginning now.")
        study.model.release()
        done = await job.ended()
    assert done.code == 3, done
    assert "big.txt" in done.stderr
    assert "changed" in done.stderr
    assert not (study.folder / "report.md").exists()
    assert (await study.read("-o", "report.md")).code == 0


async def test_one_bad_document_of_several_is_an_error_before_anything_is_paid(
    study: Study,
) -> None:
    study.document(prose(3), "a.txt")
    study.document(b"", "b.txt")
    done = await study.run("a.txt", "b.txt", "--results", "r.jsonl", *SMALL)
    assert done.code == 3, done
    assert "b.txt" in done.stderr


async def test_a_mistake_leaves_results_and_report_as_they_were(
    study: Study, tmp_path: Path
) -> None:
    study.document()
    assert (await study.read("-o", "report.md")).code == 0
    before = {name: (study.folder / name).read_bytes() for name in ("report.md", RESULTS)}
    study.model.forget()
    study.document(b"")
    done = await study.read("-o", "report.md")
    refused(study, done, 3, "big.txt")
    for name, data in before.items():
        assert (study.folder / name).read_bytes() == data
