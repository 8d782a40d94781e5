"""A reading as OTLP takes it: metrics of the GenAI conventions, and a few of our own.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/: sums and histograms are cumulative,
from the job's start, or what was added since the last reading that was taken
(``OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_DELTA,
    Metric,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from . import names
from .attributes import put
from .buckets import Distribution
from .labels import label, provider_name
from .reading import Reading
from .sending import Target, send

EVERY = 60.0
"""Seconds, where ``OTEL_METRIC_EXPORT_INTERVAL`` does not say so."""

Attributes = Mapping[str, str]
Series = tuple[str, tuple[tuple[str, str], ...]]
"""A metric's name, and its attributes."""


class OtlpMetrics:
    """Sends each reading."""

    def __init__(
        self, target: Target, resource: Resource, version: str, *, every: float, delta: bool
    ) -> None:
        self.every = every
        self._target = target
        self._resource = resource
        self._version = version
        self._delta = delta
        self._sent: dict[Series, float | Distribution] = {}
        self._since: float | None = None

    def take(self, reading: Reading, timeout: float) -> None:
        request = ExportMetricsServiceRequest()
        resource = request.resource_metrics.add()
        resource.resource.CopyFrom(self._resource)
        scope = resource.scope_metrics.add()
        scope.scope.name, scope.scope.version = names.SCOPE, self._version
        found = dict(_series(reading))
        for (name, attributes), value in found.items():
            self._add(scope.metrics.add(), name, attributes, value, reading)
        for route, figures in reading.summary.routes.items():
            if figures.concurrency is not None:
                metric = scope.metrics.add(name=names.M_CONCURRENCY, unit="{request}")
                point = metric.gauge.data_points.add(as_int=figures.concurrency)
                point.time_unix_nano = _nanos(reading.at)
                put(point.attributes, names.ROUTE, label(route))
        if reading.pulse is not None:
            metric = scope.metrics.add(name=names.M_IN_FLIGHT, unit="{request}")
            point = metric.gauge.data_points.add(as_int=reading.pulse.in_flight)
            point.time_unix_nano = _nanos(reading.at)
        body = request.SerializeToString()
        send(self._target, body, timeout=min(timeout, self._target.timeout))
        self._sent, self._since = found, reading.at

    def _add(
        self,
        metric: Metric,
        name: str,
        attributes: tuple[tuple[str, str], ...],
        value: float | Distribution,
        reading: Reading,
    ) -> None:
        metric.name, metric.unit = name, UNITS[name]
        before = self._sent.get((name, attributes)) if self._delta else None
        began = self._since if self._delta and self._since else reading.started_at
        kind = AGGREGATION_TEMPORALITY_DELTA if self._delta else AGGREGATION_TEMPORALITY_CUMULATIVE
        if isinstance(value, Distribution):
            metric.histogram.aggregation_temporality = kind
            point = metric.histogram.data_points.add(explicit_bounds=value.bounds)
            counts, total = value.counts, value.total
            if isinstance(before, Distribution):
                counts = [now - then for now, then in zip(counts, before.counts, strict=True)]
                total -= before.total
            point.bucket_counts.extend(counts)
            point.count, point.sum = sum(counts), total
        else:
            metric.sum.aggregation_temporality, metric.sum.is_monotonic = kind, True
            point = metric.sum.data_points.add()
            more = value - (before if isinstance(before, (int, float)) else 0)
            if isinstance(more, int):
                point.as_int = more
            else:
                point.as_double = more
        point.start_time_unix_nano, point.time_unix_nano = _nanos(began), _nanos(reading.at)
        for key, text in attributes:
            put(point.attributes, key, text)

    def __str__(self) -> str:
        return f"the collector {self._target.shown}"


UNITS: Mapping[str, str] = {
    names.DURATION: "s",
    names.FIRST_CHUNK: "s",
    names.PER_CHUNK: "s",
    names.TOKENS: "{token}",
    names.M_ROWS: "{row}",
    names.M_FAILURES: "{row}",
    names.M_RETRIES: "{attempt}",
    names.M_COST: "USD",
}


def _series(reading: Reading) -> Iterator[tuple[Series, float | Distribution]]:
    summary = reading.summary
    for status, count in summary.rows.items():
        yield (names.M_ROWS, ((names.STATUS, status),)), count
    for error, count in summary.failures.items():
        yield (names.M_FAILURES, ((names.ERROR_TYPE, label(error)),)), count
    for error, count in summary.retries.items():
        yield (names.M_RETRIES, ((names.ERROR_TYPE, label(error)),)), count
    for model in reading.models:
        who = (
            (names.OPERATION, model.operation),
            (names.PROVIDER, provider_name(model.provider)),
            (names.REQUEST_MODEL, model.model),
        )
        for error, durations in model.durations.items():
            ended = ((names.ERROR_TYPE, label(error)),) if error else ()
            yield (names.DURATION, (*who, *ended)), durations
        if model.cost_usd is not None:
            yield (names.M_COST, who), model.cost_usd
        for name, found in (
            ((names.FIRST_CHUNK, who), model.first_chunk),
            ((names.PER_CHUNK, who), model.per_chunk),
            ((names.TOKENS, (*who, (names.TOKEN_TYPE, "input"))), model.input_tokens),
            ((names.TOKENS, (*who, (names.TOKEN_TYPE, "output"))), model.output_tokens),
        ):
            if found.count:
                yield name, found


def _nanos(at: float) -> int:
    return round(at * 1e9)
