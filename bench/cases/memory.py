"""Peak memory, and whether it grows with the input."""

from __future__ import annotations

from collections.abc import Iterator

from ..child import own_peak
from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import serving

METHOD = (
    "Peak resident memory of the whole `llmbatch run` process (`ru_maxrss` from `wait4`), streamed "
    "20-token answers, concurrency 64, once at each size."
)
MB = 1_000_000


def measure(lab: Lab) -> Iterator[Figure]:
    small, large = (2_000, 20_000) if lab.quick else (20_000, 200_000)
    with serving() as server:
        low = _peak(lab, server.url(), small)
        yield Figure(f"peak memory at {small:,} rows", f"{low / MB:.1f} MB")
        high = _peak(lab, server.url(), large)
    yield at_most(f"peak memory at {large:,} rows", high, 120 * MB, f"{high / MB:.1f} MB", "120 MB")
    yield at_most("ratio", high / low, 1.2, f"{high / low:.2f}", "1.2")


def _peak(lab: Lab, url: str, rows: int) -> int:
    output = lab.fresh_output()
    ended = lab.llmbatch(lab.rows(rows), output, url, seconds=600)
    check_results(output, rows)
    return own_peak(ended)
