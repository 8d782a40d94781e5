"""A reading as Prometheus takes it: metrics as text.

Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for what only
grows, and no label whose values have no bound. Every sample names the job's output, by which the
files and groups of two jobs on one host are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..summary import Summary
from .buckets import Distribution
from .labels import label
from .reading import ModelReading, Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BY_MODEL = ("operation", "provider", "model")


def exposition(reading: Reading, version: str, output: str) -> bytes:
    """The text; ``output`` is the label of that name."""
    return generate_latest(_Families(reading, version, label(output)))


class _Families(Collector):
    """The metrics of a reading, each with its label ``output``."""

    def __init__(self, reading: Reading, version: str, output: str) -> None:
        self._reading = reading
        self._version = version
        self._output = output

    def collect(self) -> Iterator[Metric]:
        reading = self._reading
        for families in (
            self._job(reading),
            self._rows(reading.summary),
            self._money(reading.summary),
            self._routes(reading.summary),
            self._models(reading.models),
        ):
            yield from (family for family in families if family.samples)

    def _job(self, reading: Reading) -> Iterator[Metric]:
        summary, over = reading.summary, reading.exit_code is not None
        yield self._by(
            GaugeMetricFamily,
            "llmbatch_build_info",
            "The program that ran the job.",
            ("version", "command"),
            [((self._version, reading.command), 1)],
        )
        yield self._one("llmbatch_running", "1 while the job runs, 0 at its end.", int(not over))
        yield self._one(
            "llmbatch_start_timestamp_seconds", "When the job started.", reading.started_at
        )
        yield self._one(
            "llmbatch_update_timestamp_seconds", "When these figures were taken.", reading.at
        )
        yield self._one("llmbatch_duration_seconds", "How long the job has run.", summary.wall_s)
        if reading.exit_code is not None:
            yield self._one("llmbatch_exit_code", "How the job ended.", reading.exit_code)
            yield self._one("llmbatch_end_timestamp_seconds", "When the job ended.", reading.at)
        if summary.loop_lag is not None:
            lag = summary.loop_lag.p99_s
            yield self._one("llmbatch_loop_lag_p99_seconds", "How late the event loop came.", lag)

    def _rows(self, summary: Summary) -> Iterator[Metric]:
        yield self._counts(
            "llmbatch_rows", "Rows of this run, by how they ended.", "status", summary.rows
        )
        yield self._counts(
            "llmbatch_rows_skipped", "Rows that earlier runs had done.", "status", summary.skipped
        )
        if summary.total is not None:
            yield self._one("llmbatch_rows_expected", "Rows of the input.", summary.total)
        if summary.not_run is not None:
            yield self._one("llmbatch_rows_left", "Rows without a result yet.", summary.not_run)
        yield self._counts(
            "llmbatch_rows_reused",
            "Rows that were not asked, by whose answer they have.",
            "source",
            summary.reused,
        )
        yield self._counts(
            "llmbatch_failures",
            "Rows that ended with an error, by its type.",
            "type",
            summary.failures,
        )
        yield self._counts(
            "llmbatch_retries",
            "Attempts that were tried again, by the type of the error.",
            "type",
            summary.retries,
        )
        yield self._count("llmbatch_attempts", "Requests that were sent.", summary.attempts)
        yield self._count(
            "llmbatch_fallbacks",
            "Rows that another route than the first answered.",
            summary.fallbacks,
        )

    def _money(self, summary: Summary) -> Iterator[Metric]:
        usage = summary.usage
        yield self._counts(
            "llmbatch_tokens",
            "Tokens as the providers counted them.",
            "type",
            {"input": usage.input_tokens, "output": usage.output_tokens},
        )
        yield self._count(
            "llmbatch_cached_input_tokens",
            "Input tokens out of a provider's cache: a part of type input.",
            usage.cached_tokens,
        )
        yield self._count(
            "llmbatch_reasoning_output_tokens",
            "Tokens of reasoning: a part of type output.",
            usage.reasoning_tokens,
        )
        if summary.cost_usd is not None:
            yield self._count("llmbatch_cost_usd", "What the rows cost, in USD.", summary.cost_usd)
        unknown = sum(summary.unpriced.values()) + summary.unmetered
        yield self._count("llmbatch_rows_without_cost", "Rows whose cost nobody knows.", unknown)
        if summary.budget is not None and summary.budget.max_cost is not None:
            yield self._one(
                "llmbatch_budget_usd", "What all runs of the job may cost.", summary.budget.max_cost
            )
            yield self._one(
                "llmbatch_budget_used_usd",
                "What all of them have used, at worst.",
                summary.budget.used_usd,
            )

    def _routes(self, summary: Summary) -> Iterator[Metric]:
        routes = summary.routes
        for name, text, values in (
            (
                "llmbatch_route_concurrency_limit",
                "Most requests that may be in flight.",
                {route: each.concurrency for route, each in routes.items()},
            ),
            (
                "llmbatch_route_requests_per_minute_limit",
                "Requests a minute that the server named.",
                {route: each.rpm for route, each in routes.items()},
            ),
            (
                "llmbatch_route_tokens_per_minute_limit",
                "Tokens a minute that the server named.",
                {route: each.tpm for route, each in routes.items()},
            ),
        ):
            known = {(label(route),): value for route, value in values.items() if value is not None}
            yield self._by(GaugeMetricFamily, name, text, ("route",), known.items())
        for name, text, sums in (
            (
                "llmbatch_route_limited_seconds",
                "How long a limit held rows that were ready.",
                {route: each.limited_s for route, each in routes.items()},
            ),
            (
                "llmbatch_route_outages",
                "How often the route did not answer.",
                {route: each.outages for route, each in routes.items()},
            ),
            (
                "llmbatch_route_outage_seconds",
                "For how long.",
                {route: each.outage_s for route, each in routes.items()},
            ),
        ):
            yield self._counts(name, text, "route", sums)

    def _models(self, models: Sequence[ModelReading]) -> Iterator[Metric]:
        by = {(each.operation, each.provider, each.model): each for each in models}
        rows = {(*who, how): count for who, each in by.items() for how, count in each.rows.items()}
        yield self._by(
            CounterMetricFamily,
            "llmbatch_model_rows",
            "Rows that were asked, by who was asked last.",
            (*BY_MODEL, "status"),
            rows.items(),
        )
        tokens: dict[tuple[str, ...], float] = {}
        for who, each in by.items():
            tokens[(*who, "input")] = each.usage.input_tokens
            tokens[(*who, "output")] = each.usage.output_tokens
        yield self._by(
            CounterMetricFamily,
            "llmbatch_model_tokens",
            "Tokens by who answered.",
            (*BY_MODEL, "type"),
            tokens.items(),
        )
        costs = {who: each.cost_usd for who, each in by.items() if each.cost_usd is not None}
        yield self._by(
            CounterMetricFamily,
            "llmbatch_model_cost_usd",
            "USD by who answered.",
            BY_MODEL,
            costs.items(),
        )
        for name, text, found in (
            (
                "llmbatch_request_duration_seconds",
                "From the first send of a row to its last byte, of rows that have an answer.",
                {who: each.answered for who, each in by.items()},
            ),
            (
                "llmbatch_time_to_first_token_seconds",
                "From the last send of a row to its first token.",
                {who: each.first_chunk for who, each in by.items()},
            ),
            (
                "llmbatch_time_per_chunk_seconds",
                "Between two chunks of an answer: the mean of each row.",
                {who: each.per_chunk for who, each in by.items()},
            ),
        ):
            family = HistogramMetricFamily(name, text, labels=(*BY_MODEL, "output"))
            for who, distribution in found.items():
                if distribution.count:
                    family.add_metric((*who, self._output), _le(distribution), distribution.total)
            yield family

    def _one(self, name: str, text: str, value: float) -> Metric:
        return self._by(GaugeMetricFamily, name, text, (), [((), value)])

    def _count(self, name: str, text: str, value: float) -> Metric:
        return self._by(CounterMetricFamily, name, text, (), [((), value)])

    def _counts(self, name: str, text: str, by: str, values: Mapping[str, float]) -> Metric:
        labelled = {(label(key),): value for key, value in values.items()}
        return self._by(CounterMetricFamily, name, text, (by,), labelled.items())

    def _by(
        self,
        kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        text: str,
        labels: Sequence[str],
        values: Iterable[tuple[tuple[str, ...], float]],
    ) -> Metric:
        family = kind(name, text, labels=(*labels, "output"))
        for found, value in values:
            family.add_metric((*found, self._output), value)
        return family


def _le(found: Distribution) -> list[tuple[str, float]]:
    bounds = [f"{bound:g}" for bound in found.bounds]
    return list(zip([*bounds, "+Inf"], found.cumulated, strict=True))
