"""The exit codes, and which end of a job or error has which of them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import click

from llmbatch.jobs.errors import (
    BudgetReached,
    ConfigError,
    ProviderError,
    SinkError,
    SourceError,
)

if TYPE_CHECKING:
    from llmbatch.jobs.summary import Summary


class Exit(IntEnum):
    """What the process tells the shell. Scripts lean on these: they never change."""

    OK = 0
    ROWS_FAILED = 1
    USAGE = 2
    SOURCE = 3
    STOPPED = 4
    BUDGET = 5
    SINK = 6
    INTERNAL = 70
    INTERRUPTED = 130
    TERMINATED = 143


_STOPPED = {"SIGINT": Exit.INTERRUPTED, "SIGTERM": Exit.TERMINATED, "budget": Exit.BUDGET}
_CODES: tuple[tuple[type[BaseException], Exit], ...] = (
    (ConfigError, Exit.USAGE),
    (click.ClickException, Exit.USAGE),
    (SourceError, Exit.SOURCE),
    (SinkError, Exit.SINK),
    (BudgetReached, Exit.BUDGET),
    (ProviderError, Exit.STOPPED),
    (BrokenPipeError, Exit.SINK),
    (KeyboardInterrupt, Exit.INTERRUPTED),
    (click.Abort, Exit.INTERRUPTED),
)


def code_for(error: BaseException) -> Exit:
    """The exit code of an error that ended the command; 70 for one that nobody foresaw."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.INTERNAL)


def exit_of(summary: Summary, max_failed: str) -> Exit:
    """The exit code of a job that came to its end; ``max_failed`` is ``"3"`` or ``"5%"``.

    A share is that of the rows that have a result, those of earlier runs included. An analysis
    without its report has failed, whatever was allowed.
    """
    if summary.stopped is not None:
        return _STOPPED.get(summary.stopped.cause, Exit.STOPPED)
    if summary.analysis is not None and summary.analysis.unwritten is not None:
        return Exit.ROWS_FAILED
    from decimal import Decimal  # exact: 0.57 % of 10,000 is 57; here: the help does without

    allowed = Decimal(max_failed.removesuffix("%"))
    if max_failed.endswith("%"):
        allowed = allowed * summary.finished / 100
    return Exit.OK if summary.failed <= allowed else Exit.ROWS_FAILED


def innermost(error: BaseException) -> BaseException:
    """The first single error within groups: what a task group wraps is what the user caused."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
