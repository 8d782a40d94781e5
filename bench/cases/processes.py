"""One process and two, over the same rows: what the second core gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from msgspec import Struct

from ..lab import Lab, check_results
from ..machine import cores
from ..report import Figure, at_least
from ..serving import serving

METHOD = (
    "`llmbatch run` over the same rows with `--processes 1` and `--processes 2`, in turn, 64 "
    "requests at a time for all processes together. Rows a second are those that the server saw, "
    "from its first request to its last, so that starting is left out; a row costs the user and "
    "system time of all of llmbatch's processes, starting included. The server works on the same "
    "cores: what it used while two processes asked is taken off the cores that there are, and the "
    "rest is free for llmbatch. A second core is used well where two processes do at least 1.7 "
    "times what one does on two free cores: 0.85 times for each core that is free."
)
EACH = 0.85


class _Run(Struct, frozen=True):
    rate: float
    micros: float
    served: float
    """Cores that the server took while it was asked."""


def measure(lab: Lab) -> Iterator[Figure]:
    rows, runs = (4_000, 1) if lab.quick else (30_000, 3)
    for name, flags in (("streamed", ()), ("plain", ("--no-stream",))):
        one: list[_Run] = []
        two: list[_Run] = []
        for _ in range(runs):
            one.append(_run(lab, rows, "1", flags))
            two.append(_run(lab, rows, "2", flags))
        yield Figure(f"{name}: one process", _shown(one))
        yield Figure(f"{name}: two processes", _shown(two))
        free = min(2.0, cores() - median(run.served for run in two))
        ratio = median(run.rate for run in two) / median(run.rate for run in one)
        asked = EACH * free
        shown = f"{ratio:.2f}, {ratio / free:.2f} for each free core ({free:.2f} of {cores()})"
        yield at_least(
            f"{name}: rows a second, two against one", ratio, asked, shown, f"{asked:.2f}"
        )


def _run(lab: Lab, rows: int, processes: str, flags: Sequence[str]) -> _Run:
    output = lab.fresh_output()
    with serving() as server:
        ended = lab.llmbatch(lab.rows(rows), output, server.url(), "--processes", processes, *flags)
        seen = server.seen()
    check_results(output, rows)
    lasted = seen.arrivals[-1] - seen.arrivals[0]
    return _Run(
        rate=(len(seen.arrivals) - 1) / lasted,
        micros=ended.cpu / rows * 1e6,
        served=seen.cpu / lasted,
    )


def _shown(runs: Sequence[_Run]) -> str:
    rate, micros, served = (
        median(getattr(run, name) for run in runs) for name in ("rate", "micros", "served")
    )
    low, high = (edge(run.rate for run in runs) for edge in (min, max))
    return (
        f"{rate:,.0f} rows/s ({low:,.0f} to {high:,.0f}, {len(runs)} runs); "
        f"{micros:.0f} µs of CPU time a row; the server took {served:.2f} cores"
    )
