"""`llmbatch analyze` at its edge: what it refuses before it reads anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmbatch.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def test_no_document_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze"]) == 2
    assert capsys.readouterr() == (
        "",
        "llmbatch: error: no document: name files, folders or globs, or - for standard input\n"
        "Try 'llmbatch analyze --help' for help.\n",
    )


def test_documents_may_stand_in_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "llmbatch.yaml").write_text("documents: nothing-here.txt\nmodel: gpt\n")
    assert main(["analyze"]) == 2
    assert "no document: name" not in capsys.readouterr().err, "there is one"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--chunk-tokens", "many"], '--chunk-tokens: must be a number, got "many"'),
        (["--fold", "sum"], "'sum' is not one of 'summary', 'concat', 'none'"),
        (["--chunk-token", "5"], "No such option --chunk-token. Did you mean --chunk-tokens?"),
        (["--template", "x"], "No such option --template."),
        (["--task", "@no.txt"], "--task: can't read no.txt: No such file or directory"),
        (["--summary", "no/sum.json"], "--summary no/sum.json: the folder no does not exist"),
    ],
)
def test_a_mistake_ends_it_before_anything_is_read(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", "big.txt", *args]) == 2
    assert message in capsys.readouterr().err


def test_the_help_is_there_without_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: llmbatch analyze [OPTIONS] [DOCUMENTS]...")
    assert "--chunk-tokens N" in out
