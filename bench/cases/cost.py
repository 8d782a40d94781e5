"""CPU time of a request, next to the bare loop's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import msgspec
from msgspec import Struct

from ..bare_values import Outcome
from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import serving

METHOD = (
    "llmbatch and a bare aiohttp + uvloop loop answer the same rows, in turn, 64 at a time, from "
    "the same local server; a request costs the process's user and system time, its start-up "
    "included, divided by the rows, and the figures are medians over the runs. "
    "An answer is 24 server-sent events (role, 20 tokens, finish, usage, `[DONE]`), each an HTTP "
    "chunk, in 4 writes that take turns with the other connections. "
    "Anthropic's and Gemini's streams are the same 20 tokens in as many writes, as 26 and 20 "
    "events of their own shape; the bare loop decodes those likewise. "
    "Few reads an answer are the hard case for llmbatch: waking up costs both the same, so with "
    "more of them the ratio falls."
)
STREAMED, PLAIN = 1.5, 1.6
"""How many times the bare loop a request may cost."""

VARIANTS: Sequence[tuple[str, int, Mapping[str, float | str]]] = (
    ("an answer as 1 write and 1 HTTP chunk", 2, {"writes": 1, "framed": "write"}),
    ("each event in a write of its own", 2, {"writes": 24}),
    ("the same, spread over 50 ms", 4, {"writes": 24, "delay": 0.05}),
)
"""What else is streamed: name, the part of the rows that are run, plan of the answers."""


WIRES: Mapping[str, str] = {"Anthropic's stream": "anthropic/m", "Gemini's stream": "gemini/m"}


class Pairs(Struct, frozen=True):
    """What alternating runs gave: seconds of CPU and of wall time a run, in order."""

    rows: int
    ours_cpu: Sequence[float]
    ours_wall: Sequence[float]
    bare_cpu: Sequence[float]
    bare_wall: Sequence[float]
    bare_loop_cpu: Sequence[float]
    reads: float

    @property
    def ratio(self) -> float:
        return median(self.ours_cpu) / median(self.bare_cpu)


def measure(lab: Lab) -> Iterator[Figure]:
    rows, runs = (4_000, 2) if lab.quick else (20_000, 5)
    with serving() as server:
        lab.bare(lab.rows(1), server.url())  # what is compiled once is compiled now
        start_cpu = [_ours(lab, server.url(), 1)[0] for _ in range(5)]
        streamed = _pairs(lab, server.url(), rows, runs)
        yield _each("streamed: llmbatch, CPU a request", streamed.ours_cpu, rows)
        yield _each("streamed: bare loop, CPU a request", streamed.bare_cpu, rows)
        ratio = streamed.ratio
        yield at_most("streamed: ratio", ratio, STREAMED, f"{ratio:.2f}", f"{STREAMED:g}")
        yield _without_start(streamed, median(start_cpu))
        yield _rates("streamed", streamed)
        yield Figure("streamed: pieces of body that aiohttp hands over", f"{streamed.reads:.1f}")

        for name, model in WIRES.items():
            pairs = _pairs(lab, server.root(), rows, min(runs, 3), "--model", model)
            shown = _compared(pairs)
            yield at_most(f"{name}: ratio", pairs.ratio, STREAMED, shown, f"{STREAMED:g}")

        plain = _pairs(lab, server.url(), rows, min(runs, 3), "--no-stream")
        yield _each("--no-stream: llmbatch, CPU a request", plain.ours_cpu, rows)
        yield _each("--no-stream: bare loop, CPU a request", plain.bare_cpu, rows)
        ratio = plain.ratio
        yield at_most("--no-stream: ratio", ratio, PLAIN, f"{ratio:.2f}", f"{PLAIN:g}")
        yield _rates("--no-stream", plain)

        for name, share, plan in VARIANTS:
            pairs = _pairs(lab, server.url(**plan), rows // share, min(runs, 3))
            yield Figure(f"{name}: ratio", _compared(pairs))


def _pairs(lab: Lab, url: str, rows: int, runs: int, *flags: str) -> Pairs:
    """Alternate, so that a noisy minute hits both."""
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    outcomes: list[Outcome] = []
    for _ in range(runs):
        ours.append(_ours(lab, url, rows, *flags))
        ended = lab.bare(lab.rows(rows), url, *flags)
        bare.append((ended.cpu, ended.wall))
        outcomes.append(msgspec.json.decode(ended.out, type=Outcome))
    return Pairs(
        rows=rows,
        ours_cpu=[cpu for cpu, _ in ours],
        ours_wall=[wall for _, wall in ours],
        bare_cpu=[cpu for cpu, _ in bare],
        bare_wall=[wall for _, wall in bare],
        bare_loop_cpu=[outcome.cpu for outcome in outcomes],
        reads=median(outcome.reads for outcome in outcomes) / rows,
    )


def _ours(lab: Lab, url: str, rows: int, *flags: str) -> tuple[float, float]:
    output = lab.fresh_output()
    ended = lab.llmbatch(lab.rows(rows), output, url, *flags)
    check_results(output, rows)
    return ended.cpu, ended.wall


def _without_start(pairs: Pairs, start_cpu: float) -> Figure:
    ours = median(pairs.ours_cpu) - start_cpu
    bare = median(pairs.bare_loop_cpu)
    return Figure(
        "streamed: ratio without start-up",
        f"{ours / bare:.2f} ({_micros([ours], pairs.rows)} : {_micros([bare], pairs.rows)}; "
        f"one row costs llmbatch {start_cpu * 1000:.0f} ms of CPU)",
    )


def _compared(pairs: Pairs) -> str:
    """The ratio, and what it is of."""
    ours, bare = (_micros(cpu, pairs.rows) for cpu in (pairs.ours_cpu, pairs.bare_cpu))
    return (
        f"{pairs.ratio:.2f} ({ours} : {bare}, {pairs.reads:.1f} pieces; "
        f"{len(pairs.ours_cpu)} runs of {pairs.rows} rows)"
    )


def _each(what: str, cpu: Sequence[float], rows: int) -> Figure:
    low, high = (f"{edge / rows * 1e6:.0f}" for edge in (min(cpu), max(cpu)))
    return Figure(what, f"{_micros(cpu, rows)} ({low} to {high}, {len(cpu)} runs of {rows} rows)")


def _rates(name: str, pairs: Pairs) -> Figure:
    ours, bare = (pairs.rows / median(wall) for wall in (pairs.ours_wall, pairs.bare_wall))
    return Figure(f"{name}: rows a second, whole process", f"{ours:.0f} (bare loop {bare:.0f})")


def _micros(cpu: Sequence[float], rows: int) -> str:
    return f"{median(cpu) / rows * 1e6:.0f} µs"
