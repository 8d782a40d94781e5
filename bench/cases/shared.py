"""Two jobs that share one limit, as the server sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import serving
from ..windows import MINUTE, fewest_within, most_within

METHOD = (
    "Two `llmbatch run --shared-limit bench --rpm 600` are started at the same moment, each with "
    "its own input and output, against one server. The worst 60 s have the most arrivals of both "
    "together. The steady state begins 10 s after the first arrival and ends with the last; its "
    "use is judged in the 60 s of it with the fewest. How the limit was divided is what each had "
    "sent when the first of them had sent all."
)
RPM = 600
WARM_UP = 10.0
USE = 0.95


def measure(lab: Lab) -> Iterator[Figure]:
    half = RPM * (76 if lab.quick else 90) // 120
    jobs = [(half, lab.fresh_output("first")), (half + 1, lab.fresh_output("second"))]
    flags = ("--shared-limit", "bench", "--rpm", str(RPM))
    with ExitStack() as stack:
        server = stack.enter_context(serving())
        children = [
            stack.enter_context(lab.start(lab.rows(count), output, server.url(), *flags))
            for count, output in jobs
        ]
        for child, (count, output) in zip(children, jobs, strict=True):
            child.succeed()
            check_results(output, count)
        arrivals = server.seen().arrivals
    worst = most_within(arrivals, MINUTE)
    shown = f"{worst} ({len(arrivals)} in all)"
    yield at_most("most requests in 60 s, both together", worst, RPM, shown, str(RPM))
    fewest = fewest_within(arrivals, MINUTE, arrivals[0] + WARM_UP)
    use = fewest / RPM
    shown = f"{use:.1%} ({fewest} in the slowest 60 s)"
    yield Figure("use in the steady state", shown, f"at least {USE:.0%}", use >= USE)
    yield Figure("divided", _division([_starts(output) for _, output in jobs]))


def _division(starts: Sequence[Sequence[str]]) -> str:
    over = min(max(moments) for moments in starts)
    sent = [sum(moment <= over for moment in moments) for moments in starts]
    return f"{sent[0]} : {sent[1]} ({min(sent) / sum(sent):.0%} to the slower one)"


def _starts(output: Path) -> list[str]:
    """When each row was sent, in words that sort as the moments do."""
    with output.open("rb") as lines:
        return [msgspec.json.decode(line)["metrics"]["started_at"] for line in lines]
