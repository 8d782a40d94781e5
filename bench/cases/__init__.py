"""The cases, one a file, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from ..lab import Lab
from ..report import Figure
from . import (
    analyze,
    auto,
    cache,
    chunks,
    cost,
    long,
    memory,
    million,
    outage,
    plan,
    processes,
    quota,
    rate,
    report,
    resume,
    serve,
    shared,
    start,
    streams,
    telemetry,
    versus,
)

Measure = Callable[[Lab], Iterator[Figure]]


class Case(Struct, frozen=True):
    """``measure`` yields figures as they come and raises BenchFailed; ``method`` says how.

    ``idle``: it mostly waits, so that it is measured at the same time as its idle neighbours.
    """

    method: str
    measure: Measure
    idle: bool = False


CASES: Mapping[str, Case] = {
    # Before the cases that make the measuring process larger: a child inherits its peak.
    "memory": Case(memory.METHOD, memory.measure),
    "million": Case(million.METHOD, million.measure),
    "streams": Case(streams.METHOD, streams.measure),
    "cost": Case(cost.METHOD, cost.measure),
    "versus": Case(versus.METHOD, versus.measure),
    "long": Case(long.METHOD, long.measure),
    "processes": Case(processes.METHOD, processes.measure),
    "telemetry": Case(telemetry.METHOD, telemetry.measure),
    "serve": Case(serve.METHOD, serve.measure),
    "start": Case(start.METHOD, start.measure),
    "chunks": Case(chunks.METHOD, chunks.measure),
    "analyze": Case(analyze.METHOD, analyze.measure),
    "cache": Case(cache.METHOD, cache.measure),
    "plan": Case(plan.METHOD, plan.measure),
    "report": Case(report.METHOD, report.measure),
    "resume": Case(resume.METHOD, resume.measure),
    "auto": Case(auto.METHOD, auto.measure),
    "rate": Case(rate.METHOD, rate.measure, idle=True),
    "quota": Case(quota.METHOD, quota.measure, idle=True),
    "shared": Case(shared.METHOD, shared.measure, idle=True),
    "outage": Case(outage.METHOD, outage.measure, idle=True),
}
