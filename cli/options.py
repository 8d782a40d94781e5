"""The options that commands share, and how they become settings.

Numbers and times reach the settings as they were typed, so that a wrong one is named in the same
words whether it stood in a flag, a variable or the YAML.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from llmbatch.jobs.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


class JobOption(click.Option):
    """An option that knows its section of the help."""

    def __init__(self, *args: Any, section: str, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.section = section


class JobCommand(click.Command):
    """A command whose help shows its options in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = None if isinstance(param, click.Argument) else param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "section", "Other"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class Pair(click.ParamType[tuple[str, Any]]):
    """``KEY=VALUE``; the value is JSON where it reads as JSON, and else the text itself."""

    name = "KEY=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not (key.strip() and equals):
            self.fail("write it as KEY=VALUE, such as top_p=0.9", param, ctx)
        try:
            return key.strip(), json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return key.strip(), text


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _opt(section: str, *names: str, **attrs: Any) -> Callable[[F], F]:
    return click.option(*names, cls=JobOption, section=section, **attrs)


_FILE = click.Path(readable=False)
_IN, _WHO, _PACE, _OUT, _CONF = "Input", "Model", "Limits and patience", "Output", "Configuration"

_PARAMETERS: tuple[Callable[[Any], Any], ...] = (
    click.argument(
        "inputs",
        nargs=-1,
        type=_FILE,
        metavar="[INPUTS]...",
        help="Files or globs of prompts (.jsonl, .txt, also .gz and .zst); - is standard input.",
    ),
    _opt(
        _IN,
        "--template",
        metavar="TEXT|@FILE",
        help="Prompt for rows of any shape; {{field}} is replaced by the row's field.",
    ),
    _opt(
        _IN,
        "--system",
        metavar="TEXT|@FILE",
        help="System message for rows that have none of their own.",
    ),
    _opt(_IN, "--limit", metavar="N", help="Take the first N rows only (default: all)."),
    _opt(
        _IN,
        "--strict/--no-strict",
        help="Refuse the whole job when a row is not valid, before anything is sent "
        "(default: such a row becomes a result of its own).",
    ),
    _opt(
        _WHO,
        "-m",
        "--model",
        metavar="PROVIDER/NAME",
        help="Who answers: openai/NAME, anthropic/NAME, gemini/NAME and more (docs/providers.md), "
        "a provider of the YAML, local/NAME or local/FILE.gguf; with --base-url the server's own "
        "name (default: local/smollm2).",
    ),
    _opt(
        _WHO,
        "--fallback",
        "fallbacks",
        multiple=True,
        metavar="PROVIDER/NAME",
        help="Who is asked when the model can't answer a row, or nobody is there; may be repeated.",
    ),
    _opt(
        _WHO,
        "--base-url",
        metavar="URL",
        help="The server, such as http://localhost:8000/v1; OpenAI's wire format, or that of the "
        "model's provider.",
    ),
    _opt(
        _WHO,
        "--endpoint",
        type=click.Choice(["chat", "completions", "embeddings", "responses"]),
        help="What is asked of the server (default: chat).",
    ),
    _opt(
        _WHO, "--max-tokens", metavar="N", help="Longest answer in tokens (default: the model's)."
    ),
    _opt(
        _WHO,
        "--temperature",
        metavar="X",
        help="How freely the model picks words, 0 to 2 (default: the model's).",
    ),
    _opt(
        _WHO,
        "--param",
        type=Pair(),
        multiple=True,
        help="Any other request parameter, such as top_p=0.9; may be repeated.",
    ),
    _opt(
        _WHO,
        "--drop-params/--no-drop-params",
        help="Leave out request parameters that a provider does not know, and count them "
        "(default: they are an error).",
    ),
    _opt(
        _WHO,
        "--stream/--no-stream",
        help="Receive answers token by token, or in one piece (default: --stream).",
    ),
    _opt(
        _PACE,
        "--rpm",
        metavar="N",
        help="Most requests a minute (default: what the server says of its limits).",
    ),
    _opt(
        _PACE,
        "--tpm",
        metavar="N",
        help="Most tokens a minute, input and output (default: what the server says).",
    ),
    _opt(
        _PACE,
        "--concurrency",
        metavar="N|auto",
        help="Most requests in flight at once; auto finds out how many the server can take "
        "(default: auto; local models 4).",
    ),
    _opt(_PACE, "--max-concurrency", metavar="N", help="How far auto may go (default: 256)."),
    _opt(
        _PACE,
        "--shared-limit",
        metavar="NAME",
        help="Share --rpm and --tpm with every llmbatch of this host that names the same NAME.",
    ),
    _opt(
        _PACE,
        "--retries",
        metavar="N",
        help="How often a failed request is tried again (default: 5).",
    ),
    _opt(
        _PACE,
        "--max-wait",
        metavar="TIME",
        help="Longest pause before a retry; a server that asks for more fails the row. "
        "TIME is seconds, or 30s, 2m, 1h (default: 120 s).",
    ),
    _opt(
        _PACE,
        "--timeout",
        metavar="TIME",
        help="Longest a whole request may take (default: 600 s).",
    ),
    _opt(
        _PACE,
        "--stall-timeout",
        metavar="TIME",
        help="Longest silence within an answer (default: 30 s).",
    ),
    _opt(
        _PACE,
        "--max-outage",
        metavar="TIME",
        help="How long to wait for a server that does not answer; then the job stops with exit "
        "code 4, and the same command goes on (default: 10m).",
    ),
    _opt(
        _PACE,
        "--grace",
        metavar="TIME",
        help="After an interrupt, how long rows in flight may still finish (default: 10 s).",
    ),
    _opt(
        _OUT,
        "-o",
        "--output",
        type=_FILE,
        help="Where results go; - is standard output (default: INPUT.results.jsonl beside it).",
    ),
    _opt(
        _OUT,
        "--format",
        type=click.Choice(["jsonl", "openai-batch"]),
        help="Shape of a result line (default: jsonl).",
    ),
    _opt(
        _OUT,
        "--order",
        type=click.Choice(["finish", "input"]),
        help="Write rows as they finish, or in the input's order (default: finish).",
    ),
    _opt(_OUT, "--fresh", is_flag=True, help="Start over instead of resuming."),
    _opt(_OUT, "--force", is_flag=True, help="With --fresh: overwrite an output that exists."),
    _opt(
        _OUT,
        "--max-failed",
        metavar="N|N%",
        help="How many rows, or what share, may fail with exit code 0 still (default: 0).",
    ),
    _opt(_OUT, "--summary", type=_FILE, help="Write the summary to this file as JSON, too."),
    _opt(_OUT, "-q", "--quiet", is_flag=True, help="No progress, only errors and the summary."),
    _opt(
        _CONF,
        "--config",
        type=_FILE,
        help="YAML file of settings (default: llmbatch.yaml in this folder, if there is one).",
    ),
    _opt(_CONF, "--profile", metavar="NAME", help="Profile of the YAML to lay over its settings."),
)

_APART = {"config", "profile", "param", "max_tokens", "temperature"}


def job_options(function: F) -> F:
    """Give a command every option of a job; :func:`settings_from` then reads them."""
    for parameter in reversed(_PARAMETERS):
        function = parameter(function)
    return function


def settings_from(ctx: click.Context) -> Settings:
    """Defaults < YAML < environment < the flags that were really given.

    Raises :class:`ConfigError`, which names the flag, variable, or file and line.
    """
    from llmbatch.jobs.config import JobConfig  # both here, so that --help stays quick
    from llmbatch.jobs.settings import load

    names = _APART.union(JobConfig.__struct_fields__)
    given = {
        name: value
        for name, value in ctx.params.items()
        if name in names and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    flags = {name: value for name, value in given.items() if name not in _APART}
    params = dict(given.get("param", ()))
    params |= {name: given[name] for name in ("max_tokens", "temperature") if name in given}
    if params:
        flags["params"] = params
    return load(
        flags,
        environ=os.environ,
        cwd=Path(),
        config_file=given.get("config"),
        profile=given.get("profile"),
    )
