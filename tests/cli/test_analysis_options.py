"""The options of analyze: each reaches its setting, and the help tells the truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import pytest
from click.testing import CliRunner

from llmbatch.cli.analysisoptions import analysis_options
from llmbatch.cli.joboptions import job_options
from llmbatch.cli.options import JobCommand, settings_from
from llmbatch.jobs.config import AnalyzeConfig, JobConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings import Settings

OF_ROWS = {"inputs", "template", "limit", "strict", "endpoint", "output", "format", "order"} | {
    "select",
    "input_format",
    "canary",
    "dedupe",
    "processes",
}
"""Settings that analyze leaves out."""


@click.command(cls=JobCommand)
@analysis_options
@click.pass_context
def command(ctx: click.Context, /, **_: Any) -> Settings:
    return settings_from(ctx)


@click.command(cls=JobCommand)
@job_options
def rows(**_: Any) -> None:
    """A job of rows."""


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    monkeypatch.chdir(tmp_path)
    return lambda *args: command.main(list(args), standalone_mode=False)


def test_no_flag_leaves_every_default(given: Callable[..., Settings]) -> None:
    settings = given()
    assert settings.config == AnalyzeConfig()
    assert set(settings.origins.values()) == {"default"}


def test_every_flag_reaches_its_field(given: Callable[..., Settings]) -> None:
    config = given(
        *("big.txt", "docs/", "--task", "Find dates", "--system", "s", "--map-prompt", "m.txt"),
        *("--fold-prompt", "f.txt", "--encoding", "cp1252", "--chunk-tokens", "3000"),
        *("--overlap", "0", "--context", "previous", "--model-context", "8192"),
        *("--fold", "concat", "--quotes", "--schema", "s.json", "-o", "r.md"),
        *("--report-format", "csv", "--results", "r.jsonl", "-m", "p/m", "--rpm", "5"),
        *("--fallback", "q/n", "--base-url", "http://a", "--max-tokens", "9", "--no-stream"),
        *("--param", "top_p=0.5", "--drop-params", "--concurrency", "3", "--fresh", "--force"),
        *("--max-failed", "5%", "--summary", "sum", "-q", "--grace", "7", "--retries", "0"),
    ).config
    assert config == AnalyzeConfig(
        documents=("big.txt", "docs/"),
        task="Find dates",
        system="s",
        map_prompt="m.txt",
        fold_prompt="f.txt",
        encoding="cp1252",
        chunk_tokens=3000,
        overlap=0,
        context="previous",
        model_context=8192,
        fold="concat",
        quotes=True,
        schema="s.json",
        report="r.md",
        report_format="csv",
        results="r.jsonl",
        model="p/m",
        fallbacks=("q/n",),
        base_url="http://a",
        params={"top_p": 0.5, "max_tokens": 9},
        drop_params=True,
        stream=False,
        rpm=5,
        concurrency=3,
        retries=0,
        grace=7,
        fresh=True,
        force=True,
        max_failed="5%",
        summary="sum",
        quiet=True,
    )


def test_every_setting_but_those_of_rows_has_a_flag() -> None:
    names = {param.name for param in command.params} - {"param", "max_tokens", "temperature"}
    names -= {"config", "profile"}
    assert names == set(AnalyzeConfig.__struct_fields__) - OF_ROWS - {
        "params",
        "providers",
        "prices",
    }


def test_what_run_has_as_well_is_the_same_option() -> None:
    theirs = {param.name: param.to_info_dict() for param in rows.params}
    ours = {param.name: param.to_info_dict() for param in command.params}
    shared = theirs.keys() & ours.keys()
    assert shared >= set(JobConfig.__struct_fields__) - OF_ROWS - {"params", "providers", "prices"}
    differ = {name for name in shared if theirs[name] != ours[name]}
    assert differ == {"system"}, "which has its own words"


def test_the_choices_are_those_of_the_fields() -> None:
    types = get_type_hints(AnalyzeConfig)
    chosen = {p.name: p.type.choices for p in command.params if isinstance(p.type, click.Choice)}
    assert chosen.keys() == {"context", "fold", "report_format", "log_format"}
    for name, choices in chosen.items():
        literal = next((t for t in get_args(types[name]) if get_args(t)), types[name])
        assert tuple(choices) == get_args(literal)


def test_a_mistake_is_named_by_its_flag(given: Callable[..., Settings]) -> None:
    for args, message in (
        (("--chunk-tokens", "0"), '--chunk-tokens: must be 1 or more, got "0"'),
        (("--overlap", "-1"), '--overlap: must be 0 or more, got "-1"'),
        (("--model-context", "big"), '--model-context: must be a number, got "big"'),
        (("--task", "@no.txt"), "--task: can't read no.txt: No such file or directory"),
    ):
        with pytest.raises(ConfigError) as caught:
            given(*args)
        assert str(caught.value) == message


def test_settings_say_which_flag_they_came_from(given: Callable[..., Settings]) -> None:
    origins = given("a.txt", "-o", "r.md", "--no-quotes", "--map-prompt", "m").origins
    assert origins["documents"] == "command line"
    assert origins["report"] == "--output"
    assert origins["quotes"] == "--no-quotes"
    assert origins["map_prompt"] == "--map-prompt"
    assert origins["output"] == "default"


def test_the_help_has_a_line_for_every_option_and_names_the_true_defaults() -> None:
    for param in command.params:
        assert param.help, param.name
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    defaults = AnalyzeConfig()
    for flag, field in (("--context", "context"), ("--fold", "fold")):
        found = re.search(rf"{flag} \[.*?\(default: ([^)]*)\)", text)
        assert found is not None
        assert found[1] == getattr(defaults, field)


def test_the_help_has_its_sections_in_order() -> None:
    titles = re.findall(r"^(\S.*):$", CliRunner().invoke(command, ["--help"]).output, re.M)
    assert titles[1:] == [  # behind click's own, for the arguments
        *("Input", "Chunks", "Report", "Model", "Cost", "Limits and patience", "Output"),
        *("Telemetry", "Configuration", "Other"),
    ]
