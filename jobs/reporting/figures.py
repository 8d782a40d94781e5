"""What is read out of a results file, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from ..histogram import Percentiles
from ..model import Usage
from .axis import Axis
from .groups import CauseFigures, ModelFigures
from .line import Line
from .slowest import Slow

Bars = Sequence[tuple[float, float, int]]
"""(lower, upper, count): so many values from ``lower`` on and below ``upper``, in seconds."""

Heard = Callable[[Line], None]
"""Is told every result."""

TimedBy = Literal["manifest", "rows"] | None


class BadLine(Struct, frozen=True):
    """A line that is no result, and why."""

    line: int
    reason: str


class Unreadable(Struct, frozen=True):
    """How many lines are no results, and the first of them."""

    count: int = 0
    first: Sequence[BadLine] = ()


class Figures(Struct, frozen=True, kw_only=True):
    """What all lines come to, under the names and by the counting of a job's summary.

    ``failed`` are the rows without a good end; ``undated`` those without a time. ``wall_s`` and
    what is divided by it are the last run's own where ``timed_by`` is ``manifest``: that run has
    made all lines. By ``rows``, it is from the first request to the last result, pauses cut out as
    on the axis. ``total`` and ``not_run`` are the manifest's.
    """

    rows: Mapping[str, int]
    failed: int
    total: int | None
    not_run: int | None
    usage: Usage
    cost_usd: float | None
    wall_s: float | None
    rows_per_s: float | None
    output_tokens_per_s: float | None
    timed_by: TimedBy
    ttft_s: Percentiles
    itl_s: Percentiles
    latency_s: Percentiles
    attempts: int
    retries: Mapping[str, int]
    failures: Mapping[str, int]
    answered: Mapping[str, int]
    fallbacks: int
    reused: Mapping[str, int]
    folds: int
    undated: int


class RowTime(Struct, frozen=True, kw_only=True):
    """Where the rows' time went, in seconds, added up over rows (they run side by side).

    ``total_s`` is from reading a row to its last byte: ``limiter_s`` of it the limits or a budget
    held it, ``failed_s`` went into attempts that failed, ``first_token_s`` into waiting for the
    first token of the answer, ``answer_s`` into the rest of it (all of one that came in one
    piece). ``waiting_s`` is what is left, mostly back-off. ``untold`` rows took several attempts
    and do not say how long each: all of it counts as the answer's.
    """

    total_s: float
    limiter_s: float
    waiting_s: float
    failed_s: float
    first_token_s: float
    answer_s: float
    untold: int


class History(Struct, frozen=True, kw_only=True):
    """What the manifest beside the file says of its job; ``spent`` is by all runs. ``stopped`` is
    the cause that ended the last run early."""

    path: str
    job: Literal["run", "analyze"]
    state: str
    running: bool
    runs: int
    started_at: str
    ended_at: str | None
    stopped: str | None
    spent_usd: float | None
    spent_tokens: int


class Report(Struct, frozen=True, kw_only=True):
    """One results file. ``lines`` are its results; ``torn_line`` has no end, and is left out.

    ``file`` is what was asked for and ``read_from`` where its lines stand (the journal of a table).
    ``last_run`` is the summary that the manifest has, as it stands there.
    """

    file: str
    read_from: str
    formats: Sequence[str]
    bytes: int
    lines: int
    unreadable: Unreadable
    torn_line: int | None
    notes: Sequence[str]
    history: History | None
    figures: Figures
    models: Sequence[ModelFigures]
    causes: Sequence[CauseFigures]
    row_time: RowTime
    histograms: Mapping[str, Bars]
    timeline: Axis
    slowest: Sequence[Slow]
    last_run: Mapping[str, Any] | None
