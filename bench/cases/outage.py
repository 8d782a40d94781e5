"""The server goes away for a while: what is lost, and how patiently is it awaited?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from ..child import BenchFailed
from ..lab import Lab, check_results
from ..report import Figure
from ..seen import Seen
from ..serving import serving
from ..windows import most_within, within

METHOD = (
    "Half way through 2,000 rows (64 in flight, answers of 250 ms on average) the server is gone "
    "for 20 s: every answer under way is reset, then either every connection is reset as soon as "
    "it is made, or every request is answered 503 at once. Requests and connections that it still "
    "gets in these 20 s are counted, all of them."
)
KINDS: Mapping[str, str] = {"connections reset": "reset", "HTTP 503": "503"}
SECONDS = 20.0
BOUND = 3.0
"""Requests a second that are too many."""


def measure(lab: Lab) -> Iterator[Figure]:
    rows = 1_000 if lab.quick else 2_000
    with ExitStack() as stack:
        runs = {}
        for name, how in KINDS.items():
            server = stack.enter_context(serving("outage", how, str(rows // 2), f"{SECONDS:g}"))
            output = lab.fresh_output(how)
            child = stack.enter_context(lab.start(lab.rows(rows), output, server.url(delay=0.25)))
            runs[name] = (server, output, child)
        for name, (server, output, child) in runs.items():
            child.succeed()
            check_results(output, rows)
            yield Figure(f"{name}: rows that ended well", f"{rows} of {rows}", "all", True)
            yield from _judge(name, server.seen())


def _judge(name: str, seen: Seen) -> Iterator[Figure]:
    if seen.outage is None:
        raise BenchFailed(f"{name}: the run ended before the outage")
    begin, end = seen.outage
    meanwhile = [moment for moment in seen.refused if begin <= moment < end]
    each = len(meanwhile) / (end - begin)
    worst = most_within(meanwhile, 1.0)
    late = within(meanwhile, begin + 2, end - begin - 2)
    shown = f"{each:.2f} a second ({len(meanwhile)}; {worst} in the worst second)"
    asked = f"fewer than {BOUND:g} a second"
    yield Figure(f"{name}: sent meanwhile", shown, asked, each < BOUND)
    yield Figure(f"{name}: of them after the first 2 s", f"{late}")
    back = next((moment for moment in seen.served if moment >= end), None)
    if back is None:
        raise BenchFailed(f"{name}: nothing was sent after the outage")
    yield Figure(f"{name}: first request after it", f"{back - end:.1f} s later")
