"""What a job of rows reads and writes: found out before anything is sent, and without a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .answerform import form_of, schema_of
from .chronicle import Facts
from .config import JobConfig
from .errors import ConfigError
from .lanes import fit_of
from .masks import masked_config
from .pipeline import same_file
from .providers.registry import Route, model_for_row
from .records import Format
from .sources.inputs import Input, default_output, expand
from .sources.rows import RowDefaults, RowParser

if TYPE_CHECKING:
    from .structured.schema import Schema


class Preparation:
    """The inputs and the output of a job, and how its lines become rows.

    ``routes`` are those of the configuration, with their keys or without. ``schema`` is what the
    answers are checked by. Raises ConfigError and SourceError.
    """

    def __init__(self, config: JobConfig, routes: Sequence[Route]) -> None:
        self.config = config
        self.routes = routes
        self.inputs = expand(config.inputs, config.input_format)
        self.output = _output(config, self.inputs)
        self.line_format: Format = "openai-batch" if config.format == "openai-batch" else "jsonl"
        self.schema = schema_of(config)
        self.parser = row_parser(config, routes, self.schema, several=len(self.inputs) > 1)
        for flag, path in (("--summary", config.summary), ("--junit", config.junit)):
            if path is not None:
                self._check_apart(flag, path)

    def facts(self) -> Facts:
        """What the job's manifest says of it."""
        return Facts(
            job="run",
            output=self.output,
            format=self.config.format or self.line_format,
            config=masked_config(self.config, JobConfig),
            routes=self.routes,
            files=[(source.path, source.rereadable) for source in self.inputs],
            schema=None if self.schema is None else self.schema.text,
            fresh=self.config.fresh,
            rewrites=self.config.order == "input",
        )

    def _check_apart(self, flag: str, path: str) -> None:
        """What replaces its file at the end must not replace one of the job's own."""
        if any(same_file(path, source.path) for source in self.inputs):
            raise ConfigError(f"{flag} {path}: is an input too; name another file")
        if self.output != "-" and same_file(path, self.output):
            raise ConfigError(f"{flag} {path}: is the output too; name another file")

    def __repr__(self) -> str:
        return f"<Preparation {[source.path for source in self.inputs]} -> {self.output}>"


def row_parser(
    config: JobConfig, routes: Sequence[Route], schema: Schema | None, *, several: bool
) -> RowParser:
    """How a job's lines become rows. Raises ConfigError."""
    first = routes[0]
    return RowParser(
        RowDefaults(
            model=first.model,
            system=config.system,
            template=config.template,
            endpoint=config.endpoint,
            params=config.params,
            target=first.target,
            resolve_model=lambda model: model_for_row(first, model),
            fit=fit_of(first, config),
            form=form_of(schema, config, routes) if schema else None,
        ),
        several=several,
    )


def _output(config: JobConfig, inputs: Sequence[Input]) -> str:
    if config.output is not None:
        output = config.output
    else:
        output = default_output(inputs) or ""
        if not output:
            raise ConfigError("there are several inputs: name the output with -o FILE")
    if output != "-" and any(same_file(output, source.path) for source in inputs):
        raise ConfigError(f"{output} is an input too: name another output with -o FILE")
    return output
