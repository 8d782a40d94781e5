"""Options become settings: only those that were given, and the help tells the truth."""

import re
from typing import Any, get_args, get_type_hints

import click
import pytest
from click.testing import CliRunner

from llmbatch.cli.joboptions import job_options
from llmbatch.cli.options import JobCommand, settings_from
from llmbatch.jobs.config import AnalyzeConfig, JobConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings import Settings


@pytest.fixture
def given(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    @click.command(cls=JobCommand)
    @job_options
    @click.option("--own", default="x")
    @click.pass_context
    def command(ctx: click.Context, /, **_: Any) -> Settings:
        return settings_from(ctx)

    def call(*args: str) -> Settings:
        return command.main(list(args), standalone_mode=False)

    call.command = command
    return call


def test_no_flag_leaves_every_default(given: Any) -> None:
    settings = given("--own", "y")
    assert settings.config == AnalyzeConfig()
    assert set(settings.origins.values()) == {"default"}


def test_every_flag_reaches_its_field(given: Any) -> None:
    config = given(
        *("a.jsonl", "b.txt", "-o", "out", "-m", "p/m", "--base-url", "http://a", "-q"),
        *("--endpoint", "embeddings", "--system", "s", "--template", "t", "--limit", "3"),
        *("--strict", "--format", "openai-batch", "--order", "input", "--fresh", "--force"),
        *("--rpm", "1", "--tpm", "2", "--concurrency", "3", "--retries", "0", "--max-wait", "1m"),
        *("--timeout", "5s", "--stall-timeout", "6", "--grace", "7", "--no-stream"),
        *("--max-failed", "5%", "--summary", "sum", "--max-tokens", "9", "--temperature", "0.5"),
    ).config
    assert config == AnalyzeConfig(
        inputs=("a.jsonl", "b.txt"),
        output="out",
        model="p/m",
        base_url="http://a",
        quiet=True,
        endpoint="embeddings",
        system="s",
        template="t",
        limit=3,
        strict=True,
        format="openai-batch",
        order="input",
        fresh=True,
        force=True,
        rpm=1,
        tpm=2,
        concurrency=3,
        retries=0,
        max_wait=60,
        timeout=5,
        stall_timeout=6,
        grace=7,
        stream=False,
        max_failed="5%",
        summary="sum",
        params={"max_tokens": 9, "temperature": 0.5},
    )


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """The words of a Literal, or of one that may be None."""
    return next((get_args(part) for part in get_args(annotation) if get_args(part)), None) or (
        get_args(annotation)
    )


def test_every_field_has_a_flag(given: Any) -> None:
    names = {param.name for param in given.command.params}
    assert set(JobConfig.__struct_fields__) - {"params", "providers", "prices"} <= names


def test_the_choices_are_those_of_the_fields(given: Any) -> None:
    types = {name: get_type_hints(JobConfig)[name] for name in ("endpoint", "format", "order")}
    for param in given.command.params:
        if param.name in types:
            assert tuple(param.type.choices) == choices_of(types[param.name])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=true", True),
        ("a=word", "word"),
        ("a=x=y", "x=y"),
        ('a={"type": "json_object"}', {"type": "json_object"}),
        ("a=NaN", "NaN"),
        ("a=", ""),
        ("a=" + "[" * 100_000, "[" * 100_000),
    ],
)
def test_a_parameters_value_is_json_or_text(given: Any, text: str, value: object) -> None:
    assert given("--param", text).config.params == {"a": value}


def test_parameters_may_be_repeated_and_the_last_one_stands(given: Any) -> None:
    params = given("--param", "a=1", "--param", "b=2", "--param", "a=3").config.params
    assert params == {"a": 3, "b": 2}


def test_a_negative_limit_is_named(given: Any) -> None:
    with pytest.raises(ConfigError, match=r'^--rpm: must be above 0, got "-5"$'):
        given("--rpm", "-5")


def test_the_help_names_the_true_defaults(given: Any) -> None:
    text = " ".join(CliRunner().invoke(given.command, ["--help"]).output.split())
    defaults = JobConfig()
    for flag, field in [
        ("--endpoint", "endpoint"),
        ("--retries", "retries"),
        ("--max-wait", "max_wait"),
        ("--timeout", "timeout"),
        ("--stall-timeout", "stall_timeout"),
        ("--grace", "grace"),
        ("--order", "order"),
        ("--max-failed", "max_failed"),
    ]:
        value = getattr(defaults, field)
        shown = f"{value:g} s" if isinstance(value, float) else str(value)
        found = re.search(rf"{flag} .*?\(default: ([^)]*)\)", text)
        assert found is not None
        assert found[1] == shown


def test_every_option_has_its_line_of_help(given: Any) -> None:
    for param in given.command.params:
        if param.name not in ("own", "help"):
            assert param.help, param.name
