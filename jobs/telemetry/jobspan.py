"""The span of the job itself, and where in a trace it stands."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ..events import (
    BreakerClosed,
    BreakerOpened,
    ConcurrencyChanged,
    Draining,
    Event,
    JobStarted,
    RoutePaused,
    RouteStopped,
)
from ..summary import Summary
from . import names
from .attributes import Value, put, put_all
from .labels import label
from .spans import KNOWN, REMOTE, Trace, new_span_id

MOST_EVENTS = 128
"""Events of the job's span; what happens after that is dropped and counted, as in the SDK."""

_EVENTS: Mapping[type, str] = {
    RoutePaused: "llmbatch.route_paused",
    BreakerOpened: "llmbatch.breaker_opened",
    BreakerClosed: "llmbatch.breaker_closed",
    RouteStopped: "llmbatch.route_stopped",
    ConcurrencyChanged: "llmbatch.concurrency_changed",
    Draining: "llmbatch.draining",
}


def sampled_trace(command: str, environ: Mapping[str, str]) -> tuple[Trace, bool]:
    """The job's place in a trace, and whether that is sampled.

    It is below the span of ``TRACEPARENT`` where that variable names one, as CI servers set it.
    ``OTEL_TRACES_SAMPLER`` decides for the whole trace. Raises ValueError for a variable that the
    SDK can't read.
    """
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Decision
    from opentelemetry.trace import SpanKind, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {name.lower(): environ.get(name, "") for name in ("TRACEPARENT", "TRACESTATE")}
    context = TraceContextTextMapPropagator().extract(
        {name: value for name, value in carrier.items() if value}
    )
    above = get_current_span(context).get_span_context()
    known = above.is_valid
    trace_id = above.trace_id if known else random.getrandbits(128) or 1
    sampler = TracerProvider(shutdown_on_exit=False).sampler
    decided = sampler.should_sample(context, trace_id, _name(command), SpanKind.INTERNAL)
    sampled = decided.decision is Decision.RECORD_AND_SAMPLE
    trace = Trace(
        id=trace_id.to_bytes(16, "big"),
        span=new_span_id(),
        parent=above.span_id.to_bytes(8, "big") if known else None,
        state=above.trace_state.to_header() if known else "",
        flags=int(sampled),
    )
    return trace, sampled


class JobSpan:
    """Collects what happens to the job until it is over."""

    def __init__(self, trace: Trace, command: str) -> None:
        self._trace = trace
        self._command = command
        self._span = Span(
            trace_id=trace.id,
            span_id=trace.span,
            parent_span_id=trace.parent or b"",
            trace_state=trace.state,
            flags=trace.flags | KNOWN | (REMOTE if trace.parent else 0),
            name=_name(command),
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=time.time_ns(),
        )

    def __call__(self, event: Event) -> None:
        span = self._span
        if isinstance(event, JobStarted):
            span.start_time_unix_nano = time.time_ns()
            return
        name = _EVENTS.get(type(event))
        if name is None:
            return
        if len(span.events) >= MOST_EVENTS:
            span.dropped_events_count += 1
            return
        added = span.events.add(name=name, time_unix_nano=time.time_ns())
        put_all(added.attributes, _told(event))

    def ended(self, summary: Summary, code: int) -> bytes:
        """The span, whole."""
        span = self._span
        span.end_time_unix_nano = time.time_ns()
        put_all(span.attributes, self._attributes(summary, code))
        if code:
            span.status.code = Status.STATUS_CODE_ERROR
            cause = "rows_failed" if summary.stopped is None else summary.stopped.cause
            put(span.attributes, names.ERROR_TYPE, cause)
        whole: bytes = span.SerializeToString()
        return whole

    def _attributes(self, summary: Summary, code: int) -> dict[str, Value]:
        found: dict[str, Value] = {names.COMMAND: self._command, names.EXIT_CODE: code}
        if summary.output not in ("", "-"):
            found[names.OUTPUT] = label(Path(summary.output).name)
        if summary.model:
            found[names.ROUTE] = label(summary.model)
        for status, count in summary.rows.items():
            found[f"{names.ROWS}.{status}"] = count
        skipped = sum(summary.skipped.values())
        optional = {
            names.SKIPPED: skipped or None,
            names.TOTAL: summary.total,
            names.NOT_RUN: summary.not_run,
            names.COST: summary.cost_usd,
        }
        found |= {name: value for name, value in optional.items() if value is not None}
        found[names.ATTEMPTS] = summary.attempts
        found[names.ALL_INPUT_TOKENS] = summary.usage.input_tokens
        found[names.ALL_OUTPUT_TOKENS] = summary.usage.output_tokens
        if summary.stopped is not None:
            found[names.STOPPED] = summary.stopped.cause
        return found


def _name(command: str) -> str:
    return f"llmbatch {command}"


def _told(event: Event) -> dict[str, Value]:
    """Where and how long; never why: a reason may be in a provider's own words."""
    match event:
        case RoutePaused(route, seconds):
            return {names.ROUTE: label(route), names.SECONDS: seconds}
        case BreakerOpened(route, _, cooldown):
            return {names.ROUTE: label(route), names.SECONDS: cooldown}
        case BreakerClosed(route, outage):
            return {names.ROUTE: label(route), names.SECONDS: outage}
        case ConcurrencyChanged(route, _, now):
            return {names.ROUTE: label(route), names.CONCURRENCY: now}
        case RouteStopped(route):
            return {names.ROUTE: label(route)}
        case Draining(_, in_flight):
            return {names.IN_FLIGHT: in_flight}
        case _:
            return {}
