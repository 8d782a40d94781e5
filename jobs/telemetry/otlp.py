"""``--otlp``: a trace of the job, and its metrics, for a collector that speaks OTLP over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ..errors import ConfigError
from ..events import Event, JobStarted, RowFinished
from ..summary import Summary
from .courier import Courier
from .endpoint import number, otlp_target
from .jobspan import JobSpan, sampled_trace
from .otlpmetrics import EVERY as METRICS_EVERY
from .otlpmetrics import OtlpMetrics
from .outbox import BATCH, EVERY, MOST, Outbox, Sizes
from .record import record_of
from .resource import resource
from .sending import Target
from .spans import Trace


class Otlp:
    """Observes a job for its spans, and has its metrics sent.

    ``trace_id`` is that of the job, in hexadecimal digits; None where no trace is sent.
    """

    def __init__(
        self,
        setting: str,
        command: str,
        version: str,
        environ: Mapping[str, str],
        *,
        streams: bool,
        content: bool,
    ) -> None:
        """Raises ConfigError for an address or a variable that can't be right."""
        _silence()
        traces = otlp_target(setting, environ, "traces")
        metrics = otlp_target(setting, environ, "metrics")
        try:
            told = resource(version)
            trace, sampled = sampled_trace(command, environ)
        except ValueError as error:
            raise ConfigError(f"--otlp: {error}") from None
        self._streams = streams
        self._content = content
        self._spans: _Spans | None = None
        if traces is not None and sampled:
            self._spans = _Spans(traces, trace, told, command, version, environ)
        self.trace_id = None if self._spans is None else trace.hex
        self.metrics = None if metrics is None else _metrics(metrics, told, version, environ)

    def __call__(self, event: Event) -> None:
        spans = self._spans
        if spans is None:
            return
        if isinstance(event, RowFinished):
            record = record_of(event, streams=self._streams, content=self._content)
            spans.outbox.put(record)
            return
        if isinstance(event, JobStarted):
            spans.outbox.start()
        spans.job(event)

    def end(self, summary: Summary, code: int, deadline: float) -> None:
        """End the trace, and send what is left of it until then. Returns at once."""
        if self._spans is not None:
            self._spans.outbox.put_last(self._spans.job.ended(summary, code), deadline)

    def wait(self) -> None:
        """Until everything is sent or given up."""
        if self._spans is not None:
            self._spans.outbox.wait()

    @property
    def problem(self) -> str | None:
        """What went wrong in the end; None where nothing did."""
        metrics, spans = self.metrics, self._spans
        lost = 0 if spans is None else spans.outbox.lost
        unmeasured = None if metrics is None else metrics.problem
        if not lost:
            return (
                unmeasured
                and f"telemetry: {metrics and metrics.taker} took no metrics: {unmeasured}"
            )
        assert spans is not None  # noqa: S101 - it lost some
        outbox = spans.outbox
        why = outbox.problem or "more came than could be sent"
        also = " and no metrics" if unmeasured else ""
        return (
            f"telemetry: {lost:,} of {outbox.spans:,} spans{also} did not reach "
            f"{spans.shown}: {why}"
        )

    def __repr__(self) -> str:
        return f"<Otlp, trace {self.trace_id}>"


class _Spans:
    """The trace of a job on its way."""

    def __init__(
        self,
        target: Target,
        trace: Trace,
        told: Resource,
        command: str,
        version: str,
        environ: Mapping[str, str],
    ) -> None:
        self.shown = target.shown
        self.job = JobSpan(trace, command)
        self.outbox = Outbox(target, trace, told, version, _sizes(environ))


def _sizes(environ: Mapping[str, str]) -> Sizes:
    def variable(end: str, default: float) -> float:
        return number(environ.get(f"OTEL_BSP_{end}", ""), default)

    return Sizes(
        most=max(1, int(variable("MAX_QUEUE_SIZE", 2 * MOST) / 2)),
        batch=max(1, int(variable("MAX_EXPORT_BATCH_SIZE", BATCH))),
        every=variable("SCHEDULE_DELAY", EVERY * 1000) / 1000,
    )


def _metrics(target: Target, told: Resource, version: str, environ: Mapping[str, str]) -> Courier:
    wanted = environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower()
    every = number(environ.get("OTEL_METRIC_EXPORT_INTERVAL", ""), METRICS_EVERY * 1000) / 1000
    delta = wanted in ("delta", "lowmemory")
    return Courier(OtlpMetrics(target, told, version, every=every, delta=delta))


def _silence() -> None:
    """What OpenTelemetry logs is about telemetry alone, and a header may be in it."""
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
