"""A reading as Prometheus takes it: metrics as text.

Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for what only
grows, and no label whose values have no bound. Every sample names the job's output, by which the
files and groups of two jobs on one host are told apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ..summary import Summary
from .families import Families
from .labels import label
from .modelfamilies import models
from .reading import Reading
from .routefamilies import now, routes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(reading: Reading, version: str, output: str) -> bytes:
    """The text; ``output`` is the label of that name."""
    return generate_latest(_Reading(reading, version, label(output)))


class _Reading(Collector):
    """A reading as Prometheus's library wants to have it."""

    def __init__(self, reading: Reading, version: str, output: str) -> None:
        self._reading = reading
        self._version = version
        self._made = Families(output)

    def collect(self) -> Iterator[Metric]:
        reading, summary, made = self._reading, self._reading.summary, self._made
        for families in (
            _job(reading, self._version, made),
            _rows(summary, made),
            _money(summary, made),
            now(reading, made),
            routes(summary, made),
            models(reading.models, made),
        ):
            yield from (family for family in families if family.samples)


def _job(reading: Reading, version: str, made: Families) -> Iterator[Metric]:
    summary, over = reading.summary, reading.exit_code is not None
    yield made.gauge(
        "llmbatch_build_info",
        "The program that ran the job.",
        ("version", "command"),
        [((version, reading.command), 1)],
    )
    yield made.one("llmbatch_running", "1 while the job runs, 0 at its end.", int(not over))
    yield made.one("llmbatch_start_timestamp_seconds", "When the job started.", reading.started_at)
    yield made.one(
        "llmbatch_update_timestamp_seconds", "When these figures were taken.", reading.at
    )
    yield made.one("llmbatch_duration_seconds", "How long the job has run.", summary.wall_s)
    if reading.exit_code is not None:
        yield made.one("llmbatch_exit_code", "How the job ended.", reading.exit_code)
        yield made.one("llmbatch_end_timestamp_seconds", "When the job ended.", reading.at)
    if summary.loop_lag is not None:
        lag = summary.loop_lag.p99_s
        yield made.one("llmbatch_loop_lag_p99_seconds", "How late the event loop came.", lag)


def _rows(summary: Summary, made: Families) -> Iterator[Metric]:
    yield made.counts(
        "llmbatch_rows", "Rows of this run, by how they ended.", "status", summary.rows
    )
    yield made.counts(
        "llmbatch_rows_skipped", "Rows that earlier runs had done.", "status", summary.skipped
    )
    if summary.total is not None:
        yield made.one("llmbatch_rows_expected", "Rows of the input.", summary.total)
    if summary.not_run is not None:
        yield made.one("llmbatch_rows_left", "Rows without a result yet.", summary.not_run)
    yield made.counts(
        "llmbatch_rows_reused",
        "Rows that were not asked, by whose answer they have.",
        "source",
        summary.reused,
    )
    yield made.counts(
        "llmbatch_failures",
        "Rows that ended with an error, by its type.",
        "type",
        summary.failures,
    )
    yield made.counts(
        "llmbatch_retries",
        "Attempts that were tried again, by the type of the error.",
        "type",
        summary.retries,
    )
    yield made.count("llmbatch_attempts", "Requests that were sent.", summary.attempts)
    yield made.count(
        "llmbatch_fallbacks",
        "Rows that another route than the first answered.",
        summary.fallbacks,
    )


def _money(summary: Summary, made: Families) -> Iterator[Metric]:
    usage = summary.usage
    yield made.counts(
        "llmbatch_tokens",
        "Tokens as the providers counted them.",
        "type",
        {"input": usage.input_tokens, "output": usage.output_tokens},
    )
    yield made.count(
        "llmbatch_cached_input_tokens",
        "Input tokens out of a provider's cache: a part of type input.",
        usage.cached_tokens,
    )
    yield made.count(
        "llmbatch_reasoning_output_tokens",
        "Tokens of reasoning: a part of type output.",
        usage.reasoning_tokens,
    )
    if summary.cost_usd is not None:
        yield made.count("llmbatch_cost_usd", "What the rows cost, in USD.", summary.cost_usd)
    unknown = sum(summary.unpriced.values()) + summary.unmetered
    yield made.count("llmbatch_rows_without_cost", "Rows whose cost nobody knows.", unknown)
    if summary.budget is not None and summary.budget.max_cost is not None:
        yield made.one(
            "llmbatch_budget_usd", "What all runs of the job may cost.", summary.budget.max_cost
        )
        yield made.one(
            "llmbatch_budget_used_usd",
            "What all of them have used, at worst.",
            summary.budget.used_usd,
        )
