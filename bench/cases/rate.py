"""The rate limit, as the server sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..child import BenchFailed, serving
from ..lab import Lab, check_results
from ..report import Figure, at_most

METHOD = (
    "`llmbatch run --rpm 600`, concurrency 64, against a server that notes when each request is "
    "complete; the worst 60 s are the 60 s (open at the end, starting anywhere) with the most "
    "arrivals. "
    "The steady state begins 10 s after the first arrival and ends with the last; its use is "
    "judged in the 60 s of it with the fewest."
)
RPM = 600
WINDOW = 60.0
WARM_UP = 10.0


def measure(lab: Lab) -> Iterator[Figure]:
    seconds = 75 if lab.quick else 130
    rows = RPM * seconds // 60
    print(f"  ({rows} rows at {RPM} a minute: about {seconds} s)", flush=True)
    with serving() as server:
        output = lab.fresh_output()
        ended = lab.llmbatch(
            lab.rows(rows), output, server.url(), "--rpm", str(RPM), seconds=2 * seconds + 60
        )
        check_results(output, rows)
        arrivals = server.arrivals()
    worst = most_within(arrivals, WINDOW)
    yield at_most(
        "most requests in 60 s", worst, RPM, f"{worst} ({len(arrivals)} in all)", str(RPM)
    )
    fewest = fewest_within(arrivals, WINDOW, arrivals[0] + WARM_UP)
    use = fewest / RPM
    shown = f"{use:.1%} ({fewest} in the slowest 60 s)"
    yield Figure("use in the steady state", shown, "at least 97 %", use >= 0.97)
    yield Figure("mean use in the steady state", f"{_mean_use(arrivals):.1%}")
    yield Figure("CPU of the whole run", f"{ended.cpu:.2f} s")


def most_within(arrivals: Sequence[float], window: float) -> int:
    """The most arrivals in any ``[t, t + window)``; ``arrivals`` are sorted."""
    most = first = 0
    for last, moment in enumerate(arrivals):
        while moment - arrivals[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


def fewest_within(arrivals: Sequence[float], window: float, begin: float) -> int:
    """The fewest arrivals in any ``(t, t + window]`` between ``begin`` and the last arrival.

    The emptiest window starts just behind an arrival, or at ``begin``.
    """
    fewest = len(arrivals)
    end = 0
    starts = [(begin, sum(moment <= begin for moment in arrivals))]
    starts += [(moment, i + 1) for i, moment in enumerate(arrivals) if moment > begin]
    if begin + window > arrivals[-1]:
        raise BenchFailed("the run was too short to judge its steady state")
    for start, first in starts:
        if start + window > arrivals[-1]:
            break
        while end < len(arrivals) and arrivals[end] <= start + window:
            end += 1
        fewest = min(fewest, end - first)
    return fewest


def _mean_use(arrivals: Sequence[float]) -> float:
    steady = [moment for moment in arrivals if moment >= arrivals[0] + WARM_UP]
    return (len(steady) - 1) / (steady[-1] - steady[0]) * 60 / RPM
