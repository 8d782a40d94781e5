"""``llmbatch run``: build the configuration, run the job, say how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from typing import Any

import click

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.drain import Drain, Stop
from llmbatch.jobs.job import run_job_async, run_loop
from llmbatch.jobs.summary import Summary, Tally
from llmbatch.jobs.summaryfile import check_summary_path, write_summary

from .exits import exit_of
from .options import JobCommand, job_options, settings_from
from .progress import Silent, progress_for
from .summary import block, last_line


@click.command(cls=JobCommand)
@job_options
@click.pass_context
def run(ctx: click.Context, /, **_: Any) -> int:
    """Run every prompt of INPUTS and write one result a row.

    Running the same command again goes on where it ended: rows that are done are not sent
    again, rows that failed or changed are. Without a model, the embedded one answers.
    """
    return execute(settings_from(ctx).config)


def execute(config: JobConfig) -> int:
    """Run the job of this process, with its signals, progress and summary; the exit code."""
    if config.summary is not None:
        check_summary_path(config.summary)
    tally = Tally()
    progress = progress_for(sys.stderr, tally, quiet=config.quiet)
    _raise_file_limit()
    # Millions of short-lived values and no cycles among them: look for cycles rarely.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        summary = run_loop(_run(config, tally, progress))
    finally:
        progress.close()
    code = exit_of(summary, config.max_failed)
    if config.summary is not None:
        write_summary(summary, config.summary, code)
    for line in [] if config.quiet else block(summary):
        progress.say(f"  {line}")
    progress.say(last_line(summary, code))
    return code


async def _run(config: JobConfig, tally: Tally, progress: Silent) -> Summary:
    drain = Drain()
    loop = asyncio.get_running_loop()
    for number, word in ((signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")):
        loop.add_signal_handler(number, _on_signal, number, word, drain, progress)
    return await run_job_async(config, drain=drain, tally=tally, observers=[progress])


def _raise_file_limit() -> None:
    """Let the process open as many connections as the system allows it to."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _on_signal(number: signal.Signals, word: str, drain: Drain, progress: Silent) -> None:
    """The first signal lets rows in flight finish, a second one ends the process at once."""
    if drain.stop is not None and drain.stop.cause in ("SIGINT", "SIGTERM"):
        progress.close()
        progress.say(f"llmbatch: {word} again: ended at once; what was written is safe")
        end_now(128 + number)
    drain.request(Stop("SIGINT" if number == signal.SIGINT else "SIGTERM", word))


def end_now(code: int) -> None:
    """End without waiting for anything; whole lines are with the operating system already."""
    os._exit(code)
