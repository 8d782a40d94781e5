"""How many processes a job's rows are spread over, and what each of them has a share of."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from .config import JobConfig
from .errors import ConfigError
from .providers.registry import Route, locate

WORTH = 500
"""Rows for which ``auto`` starts one process more: less is done before it has started."""


def check_processes(config: JobConfig, environ: Mapping[str, str]) -> None:
    """Raises ConfigError where several processes can't be, or a route is none."""
    if config.processes in (1, "auto"):
        return
    if sys.platform == "win32":
        raise ConfigError("--processes: this system can run a job in one process only")
    for located in locate(config, environ):
        if located.route.embedded is not None:
            raise ConfigError(
                f"--processes {config.processes}: {located.route.label} runs on this machine's own "
                "cores, and one process keeps it busy: leave --processes out"
            )


def crew_size(config: JobConfig, routes: Sequence[Route], rows: int | None) -> int:
    """How many processes a job of so many rows takes; None where nobody knows."""
    widest = min(
        (route.concurrency for route in routes if isinstance(route.concurrency, int)),
        default=config.max_concurrency,
    )
    if config.processes != "auto":
        return min(config.processes, widest)
    if sys.platform == "win32" or any(route.embedded is not None for route in routes):
        return 1
    worth = cores() if rows is None else min(cores(), rows // WORTH)
    return max(1, min(worth, widest))


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_seconds() -> float:
    """User and system time of this process, and of the children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def share(total: int, number: int, size: int) -> int:
    """The part of ``total`` of worker ``number``, from 1; all parts together are all of it."""
    return max(1, total // size + (number <= total % size))
