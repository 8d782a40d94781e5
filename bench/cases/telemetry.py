"""What it costs to tell OpenTelemetry and Prometheus of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from ..child import BenchFailed
from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import serving
from ..sink import sinking

METHOD = (
    "`llmbatch run` over the same rows without telemetry, with `--prometheus` and with `--otlp`, "
    "in turn, 64 requests at a time; a request costs the process's user and system time divided by "
    "the rows, start-up included, and the figures are medians over the runs. The collector is in "
    "another process and takes all: two spans a row, and one for the job."
)
LAG = 0.1
"""Seconds of a 99th percentile from which on a loop counts as late."""


class _Run(Struct, frozen=True):
    micros: float
    lag: float


def measure(lab: Lab) -> Iterator[Figure]:
    rows, runs = (4_000, 1) if lab.quick else (20_000, 5)
    file = str(lab.folder / "figures.prom")
    bare = _start(lab)
    extra = {
        "--prometheus": _start(lab, "--prometheus", file) - bare,
        "--otlp": _start(lab, "--otlp", "http://127.0.0.1:9") - bare,
    }
    without: list[_Run] = []
    prometheus: list[_Run] = []
    otlp: list[_Run] = []
    with serving() as server:
        for _ in range(runs):
            without.append(_run(lab, server.url(), rows))
            prometheus.append(_run(lab, server.url(), rows, "--prometheus", file))
            with sinking() as sink:
                otlp.append(_run(lab, server.url(), rows, "--otlp", sink.url))
                if sink.spans != 2 * rows + 1:
                    raise BenchFailed(f"{sink.spans} spans came of {2 * rows + 1}")
    for name, found in (("without", without), ("--prometheus", prometheus), ("--otlp", otlp)):
        yield Figure(f"{name}: CPU a request", f"{_micros(found):.0f} µs ({_range(found)})")
    for name, found in (("--prometheus", prometheus), ("--otlp", otlp)):
        more = _micros(found) - _micros(without)
        share = more / _micros(without)
        yield Figure(f"{name}: more than without", f"{more:.0f} µs a request, {share:.0%}")
        running = more - extra[name] / rows * 1e6
        shown = (
            f"{running:.0f} µs a request; to start costs {extra[name] * 1000:.0f} ms of CPU more"
        )
        yield Figure(f"{name}: the same without start-up", shown)
    late = max(run.lag for run in otlp)
    shown = f"{late * 1000:.1f} ms (without: {max(run.lag for run in without) * 1000:.1f} ms)"
    yield at_most("--otlp: loop lag, p99", late, LAG, shown, "100 ms")


def _run(lab: Lab, url: str, rows: int, *flags: str) -> _Run:
    output, summary = lab.fresh_output(), lab.folder / "summary.json"
    ended = lab.llmbatch(lab.rows(rows), output, url, "--summary", str(summary), *flags)
    check_results(output, rows)
    told: dict[str, Any] = msgspec.json.decode(summary.read_bytes())
    return _Run(ended.cpu / rows * 1e6, told["loop_lag"]["p99_s"])


def _start(lab: Lab, *flags: str) -> float:
    """CPU seconds of a job of one row."""
    with serving() as server:
        one = lab.rows(1)
        return median(
            lab.llmbatch(one, lab.fresh_output(), server.url(), *flags).cpu for _ in range(5)
        )


def _micros(runs: Sequence[_Run]) -> float:
    return median(run.micros for run in runs)


def _range(runs: Sequence[_Run]) -> str:
    found = [run.micros for run in runs]
    return f"{min(found):.0f} to {max(found):.0f}, {len(found)} runs"
