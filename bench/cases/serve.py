"""What it costs a job that it can be looked at, and that somebody does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import msgspec

from ..child import ROOT, BenchFailed
from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import serving

METHOD = (
    "`llmbatch run` over the same rows, 64 at a time, in turn: with `--no-live`, as it is with "
    "nobody looking, and while `llmbatch serve` runs and a WebSocket watches the job as the page "
    "does: its figures twice a second, and six of its answers chunk by chunk. A row costs the user "
    "and system time of the job's own process, starting included; the figures are medians over the "
    "runs, and every second round goes the other way round."
)
LOOKING = 1.03
"""How many times the CPU time of a job a job may take while somebody looks."""

WAYS = ("--no-live", "nobody looks", "somebody looks")


def measure(lab: Lab) -> Iterator[Figure]:
    rows, rounds = (4_000, 2) if lab.quick else (15_000, 7)
    for name, flags in (("streamed", ()), ("plain", ("--no-stream",))):
        cpu: dict[str, list[float]] = {way: [] for way in WAYS}
        told: dict[str, int] = {}
        with serving() as server:
            _cpu(lab, rows, server.url(), *flags)  # what is compiled once is compiled now
            for number in range(rounds):
                for way in WAYS if number % 2 == 0 else reversed(WAYS):
                    more = ("--no-live",) if way == "--no-live" else ()
                    if way != "somebody looks":
                        cpu[way].append(_cpu(lab, rows, server.url(), *flags, *more))
                        continue
                    with looking(lab, told):
                        cpu[way].append(_cpu(lab, rows, server.url(), *flags))
        for way in WAYS:
            yield Figure(f"{name}: {way}", _shown(cpu[way], rows))
        off, alone, looked = (median(cpu[way]) for way in WAYS)
        yield Figure(f"{name}: nobody looks, against --no-live", f"{alone / off:.3f}")
        ratio = looked / alone
        yield at_most(
            f"{name}: somebody looks, against nobody",
            ratio,
            LOOKING,
            f"{ratio:.3f}",
            f"{LOOKING:g}",
        )
        each = ", ".join(f"{count / rounds:.0f} {kind}" for kind, count in sorted(told.items()))
        yield Figure(f"{name}: messages a run that were read", each)


@contextmanager
def looking(lab: Lab, told: dict[str, int]) -> Iterator[None]:
    """Somebody looks; what was read is added to ``told``, and it has to be something."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.follower", lab.folder, lab.fresh_output()],
        cwd=ROOT,
        env=os.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise BenchFailed("nobody could look: see above")
        yield
        out, _ = process.communicate(b"", timeout=30)
        read = msgspec.json.decode(out, type=dict[str, int])
        if not {"job", "chunk", "done"} <= read.keys():
            raise BenchFailed("nobody looked at the job")
        for kind, count in read.items():
            told[kind] = told.get(kind, 0) + count
    finally:
        process.kill()
        process.wait()


def _cpu(lab: Lab, rows: int, url: str, *flags: str) -> float:
    output = lab.fresh_output()
    ended = lab.llmbatch(lab.rows(rows), output, url, *flags)
    check_results(output, rows)
    return ended.cpu


def _shown(cpu: Sequence[float], rows: int) -> str:
    middle, low, high = (f"{edge / rows * 1e6:.1f}" for edge in (median(cpu), min(cpu), max(cpu)))
    return f"{middle} µs a row ({low} to {high}, {len(cpu)} runs of {rows} rows)"
