"""Contenders in turn over the same server, so that a noisy minute hits all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from msgspec import Struct

from .child import BenchFailed, Ended, own_peak
from .contenders import Contender
from .serving import Server
from .settings import Setting


class Cost(Struct, frozen=True):
    """What a request cost: medians over the runs; CPU times in seconds, the start-up taken off.

    ``rate`` is rows a second of the whole process, ``peak`` its memory in bytes (None where it
    can't be told from ours), ``served`` the server's CPU time a request, ``busy`` the largest part
    of a run that the server worked, ``together`` the most that it had in flight at once (0 where
    its answers take no time).
    """

    rows: int
    cpu: Sequence[float]
    start: float
    rate: float
    peak: int | None
    served: float
    busy: float
    together: int = 0

    @property
    def micros(self) -> float:
        return median(self.cpu) * 1e6


class Entry(Struct, frozen=True):
    """A contender, its rows a run, and what one row alone costs it (CPU seconds)."""

    contender: Contender
    rows: int
    start: float


def start_of(contender: Contender, setting: Setting, server: Server, runs: int = 5) -> float:
    """CPU seconds of a run over one row: starting, importing, and the first request."""
    url = setting.url(server)
    return median(contender.ask(setting, url, 1).cpu for _ in range(runs))


def in_turn(
    entries: Sequence[Entry], setting: Setting, server: Server, runs: int
) -> Mapping[str, Cost]:
    """So many runs each, one after the other; every second round in reverse."""
    seen: dict[str, list[_Run]] = {entry.contender.name: [] for entry in entries}
    for i in range(runs):
        for entry in entries if i % 2 == 0 else reversed(entries):
            seen[entry.contender.name].append(_run(entry, setting, server))
    return {entry.contender.name: _cost(entry, seen[entry.contender.name]) for entry in entries}


class _Run(Struct, frozen=True):
    cpu: float
    wall: float
    peak: int | None
    served: float
    together: int


def _run(entry: Entry, setting: Setting, server: Server) -> _Run:
    before = server.told().cpu
    ended = entry.contender.ask(setting, setting.url(server), entry.rows)
    told = server.told()
    return _Run(ended.cpu, ended.wall, _peak(ended), told.cpu - before, told.together)


def _peak(ended: Ended) -> int | None:
    try:
        return own_peak(ended)
    except BenchFailed:
        return None


def _cost(entry: Entry, runs: Sequence[_Run]) -> Cost:
    rows = entry.rows
    return Cost(
        rows=rows,
        cpu=[(run.cpu - entry.start) / (rows - 1) for run in runs],
        start=entry.start,
        rate=rows / median(run.wall for run in runs),
        peak=max((run.peak for run in runs if run.peak is not None), default=None),
        served=median(run.served for run in runs) / rows,
        busy=max(run.served / run.wall for run in runs),
        together=max(run.together for run in runs),
    )
