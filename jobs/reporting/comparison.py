"""Several results files side by side: every figure, and which rows ended otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from .figures import Report
from .matching import Match

Direction = Literal["better", "worse"] | None


class Difference(Struct, frozen=True, kw_only=True):
    """A figure of every file; ``unit`` is rows, tokens, seconds, usd, share or per_second.

    ``changes`` are those of the later files from the first: the difference, by what factor (None
    where the first is 0), and whether that is better, None where it is neither.
    """

    figure: str
    unit: str
    values: Sequence[float | None]
    changes: Sequence[Change | None]


class Change(Struct, frozen=True):
    by: float
    factor: float | None
    direction: Direction


class Comparison(Struct, frozen=True):
    """``matches`` tell of each later file how its rows relate to those of the first."""

    differences: Sequence[Difference]
    matches: Sequence[Match]


class Reports(Struct, frozen=True):
    """One report a file, in the order that they were named, and their comparison for several."""

    reports: Sequence[Report]
    comparison: Comparison | None = None


Better = Literal["more", "less"] | None
_Get = Callable[[Report], float | None]


def _share(report: Report) -> float | None:
    return report.figures.failed / report.lines if report.lines else None


def _per_row(report: Report) -> float | None:
    cost, asked = report.figures.cost_usd, sum(model.rows for model in report.models)
    return None if cost is None or not asked else cost / asked


class Figure(Struct, frozen=True):
    """What is compared: whether more or less of it is ``better``. A ``total`` grows with the rows,
    so that it is neither where there are more rows."""

    name: str
    unit: str
    better: Better
    get: _Get
    total: bool = False


FIGURES: Sequence[Figure] = (
    Figure("rows", "rows", None, lambda of: of.lines),
    Figure("failed", "rows", "less", lambda of: of.figures.failed, total=True),
    Figure("failed, share", "share", "less", _share),
    Figure("cost", "usd", "less", lambda of: of.figures.cost_usd, total=True),
    Figure("cost a row", "usd", "less", _per_row),
    Figure("input tokens", "tokens", "less", lambda of: of.figures.usage.input_tokens, total=True),
    Figure(
        "cached tokens", "tokens", "more", lambda of: of.figures.usage.cached_tokens, total=True
    ),
    Figure("output tokens", "tokens", None, lambda of: of.figures.usage.output_tokens),
    Figure("reasoning tokens", "tokens", None, lambda of: of.figures.usage.reasoning_tokens),
    Figure("time", "seconds", "less", lambda of: of.figures.wall_s, total=True),
    Figure("rows a second", "per_second", "more", lambda of: of.figures.rows_per_s),
    Figure(
        "output tokens a second", "per_second", "more", lambda of: of.figures.output_tokens_per_s
    ),
    Figure("first token, p50", "seconds", "less", lambda of: of.figures.ttft_s.p50),
    Figure("first token, p95", "seconds", "less", lambda of: of.figures.ttft_s.p95),
    Figure("first token, p99", "seconds", "less", lambda of: of.figures.ttft_s.p99),
    Figure("between tokens, p50", "seconds", "less", lambda of: of.figures.itl_s.p50),
    Figure("between tokens, p95", "seconds", "less", lambda of: of.figures.itl_s.p95),
    Figure("between tokens, p99", "seconds", "less", lambda of: of.figures.itl_s.p99),
    Figure("latency, p50", "seconds", "less", lambda of: of.figures.latency_s.p50),
    Figure("latency, p95", "seconds", "less", lambda of: of.figures.latency_s.p95),
    Figure("latency, p99", "seconds", "less", lambda of: of.figures.latency_s.p99),
    Figure("attempts", "rows", None, lambda of: of.figures.attempts),
    Figure("retries", "rows", "less", lambda of: sum(of.figures.retries.values()), total=True),
    Figure("fallbacks", "rows", "less", lambda of: of.figures.fallbacks, total=True),
    Figure("reused", "rows", None, lambda of: sum(of.figures.reused.values())),
    Figure("held by limits", "seconds", "less", lambda of: of.row_time.limiter_s, total=True),
    Figure("waiting", "seconds", "less", lambda of: of.row_time.waiting_s, total=True),
)


def compare(reports: Sequence[Report], matches: Sequence[Match]) -> Comparison:
    """The later ones with the first; figures that nobody has are left out."""
    found = (_difference(figure, reports) for figure in FIGURES)
    return Comparison([each for each in found if any(each.values)], matches)


def _difference(figure: Figure, reports: Sequence[Report]) -> Difference:
    first, *others = reports
    values = [figure.get(report) for report in reports]
    changes = [
        _change(
            values[0], value, None if figure.total and other.lines != first.lines else figure.better
        )
        for value, other in zip(values[1:], others, strict=True)
    ]
    return Difference(figure=figure.name, unit=figure.unit, values=values, changes=changes)


def _change(first: float | None, other: float | None, better: Better) -> Change | None:
    if first is None or other is None:
        return None
    by = other - first
    direction: Direction = None
    if by and better is not None:
        direction = "better" if (by > 0) == (better == "more") else "worse"
    return Change(round(by, 10), other / first if first else None, direction)
