"""What the options of a job are made of, and how they become settings.

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


OTLP = "--otlp"
"""The option whose value may be left out wherever it stands."""


class JobCommand(click.Command):
    """A command whose help shows its options in sections."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _spelled_out(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = None if isinstance(param, click.Argument) else param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "section", "Other"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _spelled_out(args: list[str]) -> list[str]:
    """``--otlp in.jsonl`` has no value: what is no address behind it is an input."""
    end = args.index("--") if "--" in args else len(args)
    return [
        f"{OTLP}=auto" if word == OTLP and place < end and not _is_url(args, place + 1) else word
        for place, word in enumerate(args)
    ]


def _is_url(args: list[str], place: int) -> bool:
    return place < len(args) and args[place].lower().startswith(("http://", "https://"))


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


FILE = click.Path(readable=False)


def option(section: str, *names: str, **attrs: Any) -> Callable[[F], F]:
    """An option of that section of the help."""
    return click.option(*names, cls=JobOption, section=section, **attrs)


_APART = {"config", "profile", "param", "max_tokens", "temperature"}


def with_options(*parameters: Callable[[Any], Any]) -> Callable[[F], F]:
    """Give a command these parameters, in this order; :func:`settings_from` then reads them."""

    def decorate(function: F) -> F:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return decorate


def settings_from(ctx: click.Context) -> Settings:
    """Defaults < YAML < environment < the flags that were really given.

    Raises :class:`ConfigError`, which names the flag, variable, or file and line.
    """
    from llmbatch.jobs.config import AnalyzeConfig  # both here, so that --help stays quick
    from llmbatch.jobs.settings import load

    names = _APART.union(AnalyzeConfig.__struct_fields__)
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
