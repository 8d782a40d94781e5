"""Does `--concurrency auto` find what a sweep of fixed values finds?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from statistics import mean

from ..lab import Lab, check_results
from ..moods import ALONE, KNEE, SLOWDOWNS
from ..report import Figure
from ..seen import Seen
from ..serving import serving
from ..windows import flights, rate, within

METHOD = (
    f"Answers take {ALONE * 1000:.0f} ms on average with up to {KNEE} in flight, and longer the "
    "more there are beyond: on the plateau so that no more get through, in the collapse so that "
    "ever fewer do (10 % longer for each more). Fixed values run some seconds each; `auto` runs on "
    "for 20 s after its first 30 s, and is judged by those. Rates are answers a second, as the "
    "server ends them. It has settled when every 5 s from then on have at least 80 % of the best."
)
VALUES = (10, 20, 30, 40, 50, 60, 80)
SEARCH = 30.0
"""Seconds that `auto` may take to settle."""
NEAR = 0.8
SPAN = 5.0
WARM_UP = 1.0

Rates = dict[str, float]
"""Answers a second, by the kind of server."""


def measure(lab: Lab) -> Iterator[Figure]:
    values, seconds, after = ((20, 40, 60), 4, 10) if lab.quick else (VALUES, 5, 20)
    swept: dict[int, Rates] = {}
    for value in values:
        rows = {kind: int(seconds * _rate(kind, value)) for kind in SLOWDOWNS}
        swept[value] = {
            kind: rate(seen.answered, seen.arrivals[0] + WARM_UP)
            for kind, seen in _runs(lab, str(value), rows).items()
        }
    rows = dict.fromkeys(SLOWDOWNS, int((SEARCH + after) * KNEE / ALONE))
    for kind, seen in _runs(lab, "auto", rows).items():
        best = max(values, key=lambda value: swept[value][kind])
        top = swept[best][kind]
        each = ", ".join(f"{value}: {swept[value][kind]:.0f}" for value in values)
        yield Figure(f"{kind}: fixed values, rows a second", each)
        begin = seen.arrivals[0] + SEARCH
        reached = rate(seen.answered, begin)
        shown = f"{reached / top:.0%} of the best ({reached:.0f} : {top:.0f} with {best})"
        asked = f"at least {NEAR:.0%}"
        yield Figure(f"{kind}: auto after {SEARCH:g} s", shown, asked, reached >= NEAR * top)
        flying = flights(seen, begin)
        shown = f"{mean(flying):.0f} ({min(flying)} to {max(flying)})"
        yield Figure(f"{kind}: in flight then", shown)
        yield Figure(f"{kind}: auto settled", _settled(seen, NEAR * top))


def _rate(kind: str, value: int) -> float:
    """Answers a second that so many in flight should give."""
    return value / (ALONE * SLOWDOWNS[kind](value))


def _runs(lab: Lab, concurrency: str, rows: Mapping[str, int]) -> dict[str, Seen]:
    """Run so many rows against each kind of server, at the same time; what those saw."""
    with ExitStack() as stack:
        runs = {}
        for kind, count in rows.items():
            server = stack.enter_context(serving("crowd", kind))
            output = lab.fresh_output(kind)
            flags = ("--concurrency", concurrency)
            child = stack.enter_context(lab.start(lab.rows(count), output, server.url(), *flags))
            runs[kind] = (server, output, child)
        found = {}
        for kind, (server, output, child) in runs.items():
            child.succeed()
            check_results(output, rows[kind])
            found[kind] = server.seen()
        return found


def _settled(seen: Seen, enough: float) -> str:
    """From which second on all spans have enough answers a second."""
    first, last = seen.arrivals[0], seen.arrivals[-1]
    spans = range(int(last - first - SPAN) + 1)
    low = [i for i in spans if within(seen.answered, first + i, SPAN) < enough * SPAN]
    if low and low[-1] == spans[-1]:
        return "not at all"
    return f"after {low[-1] + 1 if low else 0} s"
