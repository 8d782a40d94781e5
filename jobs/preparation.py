"""What a job of rows reads and writes: found out before anything is sent, and without a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .answerform import form_of, schema_of
from .chronicle import Facts
from .config import JobConfig
from .errors import ConfigError
from .lanes import fit_of
from .manifest.manifest import manifest_path
from .manifest.masks import masked_config
from .ownfiles import check_own, same_file
from .providers.registry import Route, model_for_row
from .records import Format
from .sinks.opening import is_stream
from .sources.inputs import Input, default_output, expand
from .sources.rows import RowDefaults, RowParser
from .tableoutput import encoder_of, form_of_table, rows_again, table_of

if TYPE_CHECKING:
    from .structured.schema import Schema


class Preparation:
    """The inputs and the output of a job, and how its lines become rows.

    ``routes`` are those of the configuration, with their keys or without. ``schema`` is what the
    answers are checked by. ``results`` is where result lines go: into the output itself, or where
    that is a ``table`` into the file that it is made of; ``encode`` is that of a table which is
    written row by row. ``whole``: rows are handed back with their results. Raises ConfigError and
    SourceError.
    """

    def __init__(self, config: JobConfig, routes: Sequence[Route]) -> None:
        self.config = config
        self.routes = routes
        self.inputs = expand(config.inputs, config.input_format)
        form = form_of_table(config)
        self.output = _output(config, self.inputs, form or "jsonl")
        self.line_format: Format = "openai-batch" if config.format == "openai-batch" else "jsonl"
        self.schema = schema_of(config)
        several, self.whole = len(self.inputs) > 1, form is not None
        self.parser = row_parser(config, routes, self.schema, several=several, whole=self.whole)
        self.table, self.encode = None, None
        if form is not None and is_stream(self.output):
            self.encode = encoder_of(config, form, self.schema, self.inputs)
        elif form is not None:
            self.table = table_of(config, form, self.output, self.schema, self.inputs)
        self.results = self.output if self.table is None else self.table.journal
        self.order = config.order if self.table is None else "input"
        if self.table is not None:
            _check_no_input(self.results, self.inputs)
        ends = {
            "--summary": config.summary,
            "--junit": config.junit,
            "--prometheus": config.prometheus,
        }
        for flag, path in ends.items():
            if path is not None:
                self._check_apart(flag, path)
        check_own(ends)

    def write_table(self) -> None:
        """Make the table of the results. It blocks; raises SinkError."""
        if self.table is not None:
            twice = all(source.rereadable for source in self.inputs)
            self.table.write((lambda: rows_again(self.inputs, self.parser)) if twice else None)

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
            rewrites=self.order == "input",
        )

    def _check_apart(self, flag: str, path: str) -> None:
        """What replaces its file at the end must not replace one of the job's own."""
        if any(same_file(path, source.path) for source in self.inputs):
            raise ConfigError(f"{flag} {path}: is an input too; name another file")
        if any(out != "-" and same_file(path, out) for out in (self.output, self.results)):
            raise ConfigError(f"{flag} {path}: is the output too; name another file")
        if not is_stream(self.output) and same_file(path, str(manifest_path(self.output))):
            raise ConfigError(f"{flag} {path}: is the output's manifest too; name another file")

    def __repr__(self) -> str:
        return f"<Preparation {[source.path for source in self.inputs]} -> {self.output}>"


def row_parser(
    config: JobConfig,
    routes: Sequence[Route],
    schema: Schema | None,
    *,
    several: bool,
    whole: bool = False,
) -> RowParser:
    """How a job's lines become rows, whose metadata may be the whole row. Raises ConfigError."""
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
        whole=whole,
    )


def _output(config: JobConfig, inputs: Sequence[Input], form: str) -> str:
    if config.output is not None:
        output = config.output
    else:
        output = default_output(inputs, form) or ""
        if not output:
            raise ConfigError("there are several inputs: name the output with -o FILE")
    _check_no_input(output, inputs)
    return output


def _check_no_input(output: str, inputs: Sequence[Input]) -> None:
    if output != "-" and any(same_file(output, source.path) for source in inputs):
        raise ConfigError(f"{output} is an input too: name another output with -o FILE")
