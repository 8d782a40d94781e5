"""The rate limit, as the server sees it."""

from __future__ import annotations

from collections.abc import Iterator

from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import serving
from ..windows import MINUTE, fewest_within, most_within, rate

METHOD = (
    "`llmbatch run --rpm 600`, concurrency 64, against a server that notes when each request is "
    "complete; the worst 60 s are the 60 s (open at the end, starting anywhere) with the most "
    "arrivals. "
    "The steady state begins 10 s after the first arrival and ends with the last; its use is "
    "judged in the 60 s of it with the fewest."
)
RPM = 600
WARM_UP = 10.0


def measure(lab: Lab) -> Iterator[Figure]:
    seconds = 75 if lab.quick else 130
    rows = RPM * seconds // 60
    with serving() as server:
        output = lab.fresh_output()
        ended = lab.llmbatch(
            lab.rows(rows), output, server.url(), "--rpm", str(RPM), seconds=2 * seconds + 60
        )
        check_results(output, rows)
        arrivals = server.seen().arrivals
    worst = most_within(arrivals, MINUTE)
    yield at_most(
        "most requests in 60 s", worst, RPM, f"{worst} ({len(arrivals)} in all)", str(RPM)
    )
    fewest = fewest_within(arrivals, MINUTE, arrivals[0] + WARM_UP)
    use = fewest / RPM
    shown = f"{use:.1%} ({fewest} in the slowest 60 s)"
    yield Figure("use in the steady state", shown, "at least 97 %", use >= 0.97)
    mean = rate(arrivals, arrivals[0] + WARM_UP) * 60 / RPM
    yield Figure("mean use in the steady state", f"{mean:.1%}")
    yield Figure("CPU of the whole run", f"{ended.cpu:.2f} s")
