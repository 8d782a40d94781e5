"""A million rows: looked through, run, and taken up again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median

import msgspec

from ..child import ROOT, BenchFailed, Ended, own_peak, succeed
from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..scanning import Scanned
from ..serving import serving

METHOD = (
    "The scan is the pass over the whole input before a job begins (no id twice), "
    "alone in a process, three times, the median shown. Then `llmbatch run --no-stream` runs "
    "100,000 and 1,000,000 rows to their end, 64 at a time, once each, with everything that is on "
    "by itself (dedupe, warming, durable output, manifest); memory is the peak of the whole "
    "process. Then 100 rows are added behind the million and the same command is run again: from "
    "the start of the process to the moment at which the first of them was sent."
)
MB = 1_000_000
ADDED = 100
LIMIT = 600.0
"""Seconds that a run may take."""


def measure(lab: Lab) -> Iterator[Figure]:
    small, large = (10_000, 100_000) if lab.quick else (100_000, 1_000_000)
    scans = [_scan(lab.rows(large), large) for _ in range(3)]
    wall, cpu = median(scan.wall for scan in scans), median(scan.cpu for scan in scans)
    shown = f"{wall:.2f} s ({cpu:.2f} s of CPU time)"
    yield at_most(f"scan of {large:,} rows", wall, 5, shown, "5 s")
    with serving() as server:
        url = server.url()
        low = own_peak(_run(lab, url, small, lab.fresh_output()))
        yield Figure(f"peak memory at {small:,} rows", f"{low / MB:.1f} MB")
        output = lab.fresh_output()
        ended = _run(lab, url, large, output)
        high = own_peak(ended)
        yield at_most(
            f"peak memory at {large:,} rows", high, 150 * MB, f"{high / MB:.1f} MB", "150 MB"
        )
        yield at_most("ratio", high / low, 1.2, f"{high / low:.2f}", "1.2")
        yield Figure("run", f"{large / ended.wall:,.0f} rows/s, {_micros(ended, large)} a row")
        yield from _resume(lab, url, large, output, low)
    output.unlink()


def _resume(lab: Lab, url: str, done: int, output: Path, low: int) -> Iterator[Figure]:
    size = output.stat().st_size
    rows = lab.rows(done + ADDED)
    began = time.time()
    ended = lab.llmbatch(rows, output, url, "--no-stream", seconds=LIMIT)
    first = _first_sent(output, size) - began
    check_results(output, done + ADDED)
    cpu = f"{first:.2f} s (the whole run: {ended.wall:.2f} s, {ended.cpu:.2f} s of CPU time)"
    yield at_most(f"{done:,} rows done: until the first request", first, 10, cpu, "10 s")
    peak = own_peak(ended)
    shown = f"{peak / MB:.1f} MB ({peak / low:.2f} times that of the smaller run)"
    yield at_most(f"{done:,} rows done: peak memory", peak, 150 * MB, shown, "150 MB")


def _run(lab: Lab, url: str, rows: int, output: Path) -> Ended:
    ended = lab.llmbatch(lab.rows(rows), output, url, "--no-stream", seconds=LIMIT)
    check_results(output, rows)
    return ended


def _scan(path: Path, rows: int) -> Scanned:
    ended = succeed([sys.executable, "-m", "bench.scanning", path], ROOT, 120)
    scanned = msgspec.json.decode(ended.out, type=Scanned)
    if scanned.rows != rows:
        raise BenchFailed(f"the scan counted {scanned.rows} rows of {rows}")
    return scanned


def _first_sent(output: Path, size: int) -> float:
    """When the first of the rows behind ``size`` bytes was sent, in seconds since the epoch."""
    with output.open("rb") as file:
        file.seek(size)
        moments = [msgspec.json.decode(line)["metrics"]["started_at"] for line in file]
    return datetime.fromisoformat(min(moments)).timestamp()


def _micros(ended: Ended, rows: int) -> str:
    return f"{ended.cpu / rows * 1e6:.0f} µs of CPU time"
