"""Ten thousand slow streams at once, at the pace of a large model and at a slower one."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from statistics import median
from typing import Any

import msgspec

from ..child import BenchFailed, own_peak
from ..lab import Lab, check_results, results_of
from ..report import Figure, at_least, at_most
from ..serving import process_with_port
from ..slowserver import SlowlySeen

METHOD = (
    "`llmbatch run --concurrency 10000` over 10,000 rows, one wave: every stream has its first "
    "token after 1 s, and then 200 tokens, one every 50 ms, each a write and an HTTP chunk of "
    "its own (and 40 tokens, one every 500 ms). The server counts how many are open at once. "
    "The lag is llmbatch's own figure (`loop_lag` of `--summary`): how late a timer came, "
    "looked at every 50 ms. The gap is what a row's `metrics` say: with more tokens than the "
    "machine can send and read it is longer than was asked for."
)
MB = 1_000_000
FIRST = 1.0


def measure(lab: Lab) -> Iterator[Figure]:
    streams = 1_000 if lab.quick else 10_000
    for gap, tokens in ((0.05, 200), (0.5, 40)):
        yield from _wave(lab, streams, gap, tokens)


def _wave(lab: Lab, streams: int, gap: float, tokens: int) -> Iterator[Figure]:
    rows, output = lab.rows(streams), lab.fresh_output()
    summary = lab.folder / "summary.json"
    arguments = (str(FIRST), str(gap), str(tokens))
    flags = ("--concurrency", str(streams), "--summary", str(summary))
    with process_with_port("bench.slowserver", *arguments) as port:
        ended = lab.llmbatch(rows, output, f"http://127.0.0.1:{port}/v1", *flags, seconds=120)
        seen = _seen(port)
    check_results(output, streams, tokens)
    came_to = msgspec.json.decode(summary.read_bytes())
    every = f"a token every {gap * 1000:.0f} ms: "
    yield at_least(f"{every}open at once", seen.peak, streams, f"{seen.peak:,}", f"{streams:,}")
    failed = came_to["attempts"] - streams
    yield at_most(f"{every}attempts that failed", failed, 0, str(failed), "0")
    lag = came_to["loop_lag"]
    p99, longest = lag["p99_s"], lag["max_s"]
    shown = f"{p99 * 1000:.0f} ms ({longest * 1000:.0f} ms at most)"
    yield at_most(f"{every}loop lag, p99", p99, 0.1, shown, "100 ms")
    peak = own_peak(ended)
    yield at_most(f"{every}peak memory", peak, 600 * MB, f"{peak / MB:.0f} MB", "600 MB")
    yield Figure(f"{every}gap at the client", _gaps(results_of(output)))
    late = f"p99 {seen.late_p99 * 1000:.0f} ms, {seen.late_max * 1000:.0f} ms at most"
    yield Figure(f"{every}writes late at the server", late)
    per_second = streams * tokens / (ended.wall - FIRST)
    shown = f"{per_second:,.0f} tokens/s, {ended.cpu / (streams * tokens) * 1e6:.1f} µs a token"
    yield Figure(f"{every}the whole run", shown)


def _gaps(results: Iterator[dict[str, Any]]) -> str:
    metrics = [result["metrics"] for result in results]
    mean = median(one["latency_s"] - one["ttft_s"] for one in metrics)
    longest = sorted(one["itl_max_s"] for one in metrics)
    reads = median(one["itl_mean_s"] for one in metrics)
    return (
        f"{reads * 1000:.0f} ms between reads, {longest[len(longest) * 99 // 100] * 1000:.0f} ms at"
        f" most in 99 of 100 streams; {mean:.1f} s from the first token to the last"
    )


def _seen(port: int) -> SlowlySeen:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/stats")
        seen = msgspec.json.decode(connection.getresponse().read(), type=SlowlySeen)
    finally:
        connection.close()
    if seen.open or seen.whole != seen.requests:
        raise BenchFailed(f"the server has {seen.open} streams open, and {seen.whole} were whole")
    return seen
