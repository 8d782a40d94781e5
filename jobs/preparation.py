"""What a job of rows reads and writes: found out before anything is sent, and without a key."""

from __future__ import annotations

from collections.abc import Sequence

from .config import JobConfig
from .errors import ConfigError
from .lanes import fit_of
from .pipeline import same_file
from .providers.registry import Route, model_for_row
from .records import Format
from .sources.inputs import Input, default_output, expand
from .sources.rows import RowDefaults, RowParser


class Preparation:
    """The inputs and the output of a job, and how its lines become rows.

    ``routes`` are those of the configuration, with their keys or without. Raises ConfigError and
    SourceError.
    """

    def __init__(self, config: JobConfig, routes: Sequence[Route]) -> None:
        self.config = config
        self.routes = routes
        self.inputs = expand(config.inputs)
        self.output = _output(config, self.inputs)
        self.line_format: Format = "openai-batch" if config.format == "openai-batch" else "jsonl"
        first = routes[0]
        self.parser = RowParser(
            RowDefaults(
                model=first.model,
                system=config.system,
                template=config.template,
                endpoint=config.endpoint,
                params=config.params,
                target=first.target,
                resolve_model=lambda model: model_for_row(first, model),
                fit=fit_of(first, config),
            ),
            several=len(self.inputs) > 1,
        )
        for flag, path in (("--summary", config.summary), ("--junit", config.junit)):
            if path is not None:
                self._check_apart(flag, path)

    def _check_apart(self, flag: str, path: str) -> None:
        """What replaces its file at the end must not replace one of the job's own."""
        if any(same_file(path, source.path) for source in self.inputs):
            raise ConfigError(f"{flag} {path}: is an input too; name another file")
        if self.output != "-" and same_file(path, self.output):
            raise ConfigError(f"{flag} {path}: is the output too; name another file")

    def __repr__(self) -> str:
        return f"<Preparation {[source.path for source in self.inputs]} -> {self.output}>"


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
