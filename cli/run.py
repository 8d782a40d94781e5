"""``llmbatch run``: build the configuration, run the job, say how it ended."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any, Literal

import click

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.drain import Drain
from llmbatch.jobs.job import run_job_async
from llmbatch.jobs.summary import Summary, Tally

from .execution import Watchers, execute
from .figures import Figures
from .joboptions import job_options
from .options import JobCommand, settings_from
from .progress import Silent, progress_for


@click.command(cls=JobCommand)
@job_options
@click.pass_context
def run(ctx: click.Context, /, **_: Any) -> int:
    """Run every prompt of INPUTS and write one result a row.

    Running the same command again goes on where it ended: rows that are done are not sent
    again, rows that failed or changed are. Without a model, the embedded one answers.
    """
    return execute(Rows(settings_from(ctx).config))


class Rows:
    """A job of rows, and its progress."""

    command: Literal["run"] = "run"
    counting = Figures

    def __init__(self, config: JobConfig) -> None:
        self.config = config
        self.inputs = config.inputs

    def progress(self, tally: Tally) -> Silent:
        config = self.config
        plain = _shares_the_terminal(config)
        log = config.log_format
        return progress_for(sys.stderr, tally, quiet=config.quiet, plain=plain, log=log)

    def run(
        self, drain: Drain, tally: Tally, _progress: Silent, watchers: Watchers
    ) -> Coroutine[Any, Any, Summary]:
        return run_job_async(
            self.config,
            drain=drain,
            tally=tally,
            observers=watchers.observers,
            heard=watchers.heard,
        )

    def __repr__(self) -> str:
        return f"Rows({self.config.inputs!r})"


def _shares_the_terminal(config: JobConfig) -> bool:
    """Whether results go where a bar would be drawn."""
    to_stdout = config.output == "-" or (config.output is None and config.inputs == ("-",))
    return to_stdout and sys.stdout is not None and sys.stdout.isatty()
