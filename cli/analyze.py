"""``llmbatch analyze``: build the configuration, run the analysis, say how it ended."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any, Literal

import click

from llmbatch.jobs.config import AnalyzeConfig
from llmbatch.jobs.drain import Drain
from llmbatch.jobs.summary import Summary, Tally

from .analysisoptions import analysis_options
from .chunkfigures import ChunkFigures
from .execution import Watchers, execute
from .exits import Exit
from .live import live_for
from .options import JobCommand, JobOption, settings_from
from .plan import show
from .progress import Silent, progress_for


@click.command(cls=JobCommand)
@analysis_options
@click.option(
    "--plan",
    cls=JobOption,
    section="Output",
    is_flag=True,
    help="Only show what would be done and what it would cost; nothing is sent or written.",
)
@click.option(
    "--json", "as_json", cls=JobOption, section="Output", is_flag=True, help="With --plan: JSON."
)
@click.pass_context
def analyze(ctx: click.Context, /, *, plan: bool, as_json: bool, **_: Any) -> int:
    """Read DOCUMENTS of any size and write one report.

    The documents are cut into chunks, the model is asked about each chunk, and the answers are
    folded until one report is left. Running the same command again goes on where it ended.
    Without a model, the embedded one answers.
    """
    config = settings_from(ctx).config
    if not config.documents:
        raise click.UsageError(
            "no document: name files, folders or globs, or - for standard input", ctx
        )
    if plan:
        from llmbatch.jobs.planning.analysis import plan_analysis

        show(plan_analysis(config), as_json=as_json)
        return Exit.OK
    if as_json:
        raise click.UsageError("--json is for --plan; the summary as JSON is --summary FILE", ctx)
    return execute(Analysis(config))


class Analysis:
    """An analysis, and its progress."""

    command: Literal["analyze"] = "analyze"
    counting = ChunkFigures

    def __init__(self, config: AnalyzeConfig) -> None:
        self.config = config
        self.inputs = config.documents

    def progress(self, tally: Tally) -> Silent:
        quiet, log = self.config.quiet, self.config.log_format
        return progress_for(sys.stderr, tally, quiet=quiet, log=log, counting=self.counting)

    def run(
        self, drain: Drain, tally: Tally, progress: Silent, watchers: Watchers
    ) -> Coroutine[Any, Any, Summary]:
        from llmbatch.jobs.analysis import run_analysis_async  # here: the help does without

        return run_analysis_async(
            self.config,
            drain=drain,
            tally=tally,
            observers=watchers.observers,
            heard=watchers.heard,
            live=live_for(self.config, progress),
        )

    def __repr__(self) -> str:
        return f"Analysis({self.config.documents!r})"
