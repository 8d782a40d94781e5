"""The settings of an analysis, in every layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.config import AnalyzeConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings import load

Load = Callable[..., AnalyzeConfig]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def call(yaml: str = "", flags: Any = None, environ: Any = None) -> AnalyzeConfig:
        (tmp_path / "llmbatch.yaml").write_text(yaml)
        return load(flags or {}, environ=environ or {}, cwd=tmp_path).config

    return call


def test_every_key_may_stand_in_the_file(loaded: Load) -> None:
    yaml = (
        "documents: big.txt\ntask: Find dates\nmap_prompt: m.txt\nfold_prompt: f.txt\n"
        "encoding: latin-1\nchunk_tokens: 3000\noverlap: 0\ncontext: previous\n"
        "model_context: 8192\nfold: none\nquotes: true\nschema: s.json\nreport: r.md\n"
        "report_format: jsonl\nresults: r.jsonl\n"
    )
    config = loaded(yaml)
    assert config == AnalyzeConfig(
        documents=("big.txt",),
        task="Find dates",
        map_prompt="m.txt",
        fold_prompt="f.txt",
        encoding="latin-1",
        chunk_tokens=3000,
        overlap=0,
        context="previous",
        model_context=8192,
        fold="none",
        quotes=True,
        schema="s.json",
        report="r.md",
        report_format="jsonl",
        results="r.jsonl",
    )


def test_each_layer_wins_over_the_one_below(loaded: Load) -> None:
    yaml = "documents: [a, b]\noverlap: 1\nchunk_tokens: 10\nfold: concat\n"
    environ = {"LLMBATCH_OVERLAP": "2", "LLMBATCH_CHUNK_TOKENS": "20"}
    config = loaded(yaml, {"documents": ("c",), "overlap": "3"}, environ)
    assert (config.documents, config.overlap, config.chunk_tokens) == (("c",), 3, 20)
    assert config.fold == "concat"


def test_a_task_may_be_a_file(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "task.txt").write_bytes("\ufeffListe die Fristen\r\n".encode())
    assert loaded("task: '@task.txt'").task == "Liste die Fristen"
    assert loaded(environ={"LLMBATCH_TASK": "@task.txt"}).task == "Liste die Fristen"
    assert loaded(flags={"task": "@@home"}).task == "@home"


def test_a_tilde_is_the_home_folder(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    paths = ("map_prompt", "fold_prompt", "schema", "report", "results")
    yaml = 'documents: ["~/a.txt", "-", "b~"]\n' + "".join(f"{name}: ~/x\n" for name in paths)
    config = loaded(yaml)
    assert config.documents == ("/home/ada/a.txt", "-", "b~")
    assert {getattr(config, name) for name in paths} == {"/home/ada/x"}


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("documents:", "documents: must be a path or a list of paths, got nothing"),
        ("documents: 3", "documents: must be a path or a list of paths, got 3"),
        ("document: a", "document: unknown key; did you mean documents?"),
        ("chunk_tokens: 0", "chunk_tokens: must be 1 or more, got 0"),
        ("chunk_tokens: 1.5", "chunk_tokens: must be a whole number, got 1.5"),
        ("overlap: -1", "overlap: must be 0 or more, got -1"),
        ("context: all", 'context: must be none or previous, got "all"'),
        ("fold:", "fold: must be concat, none or summary, got nothing"),
        (
            "fold: sumary",
            'fold: must be concat, none or summary, got "sumary"; did you mean summary?',
        ),
        ("report_format: pdf", 'report_format: must be csv, jsonl or markdown, got "pdf"'),
        ("quotes: maybe", 'quotes: must be true or false, got "maybe"'),
        ("schema: {type: object}", "schema: must be text, got a mapping"),
    ],
)
def test_a_mistake_is_named_with_its_line(loaded: Load, yaml: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(f"\n{yaml}")
    assert str(caught.value) == f"llmbatch.yaml:2: {message}"


def test_what_may_be_unset_is_unset_by_nothing(loaded: Load) -> None:
    yaml = "chunk_tokens: 5\nreport: r.md\nreport_format: csv\noverlap:\n"
    config = loaded(yaml, {"chunk_tokens": "", "report": "", "report_format": ""})
    assert (config.chunk_tokens, config.report, config.report_format) == (None, None, None)
    assert config.overlap is None
