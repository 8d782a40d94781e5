"""How long it takes until something happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from statistics import median

from ..child import succeed
from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import serving

METHOD = (
    "Wall time from starting the process to its end, 20 times each after one run that warms the "
    "file cache; medians are judged, the slowest run is shown."
)


def measure(lab: Lab) -> Iterator[Figure]:
    runs = 5 if lab.quick else 20
    times = [succeed([lab.command, "--help"], lab.folder, 30).wall for _ in range(runs + 1)]
    yield _judge("llmbatch --help", times[1:], 0.120)
    idle = [succeed([sys.executable, "-c", "pass"], lab.folder, 30).wall for _ in range(runs + 1)]
    yield Figure("for comparison: python -c pass", f"{median(idle[1:]) * 1000:.0f} ms")
    with serving() as server:
        times = [_one_row(lab, server.url()) for _ in range(runs + 1)]
    yield _judge("one row against the local server", times[1:], 0.500)


def _one_row(lab: Lab, url: str) -> float:
    output = lab.fresh_output()
    ended = lab.llmbatch(lab.rows(1), output, url, seconds=30)
    check_results(output, 1)
    return ended.wall


def _judge(what: str, times: Sequence[float], limit: float) -> Figure:
    middle, slowest = median(times), max(times)
    shown = f"{middle * 1000:.0f} ms (slowest {slowest * 1000:.0f} ms, {len(times)} runs)"
    return at_most(what, middle, limit, shown, f"{limit * 1000:.0f} ms")
