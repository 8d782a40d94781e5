"""Killed again and again: is anything lost, doubled, or paid for twice?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from ..child import BenchFailed, last_words
from ..lab import CONCURRENCY, Lab, check_results
from ..report import Figure, at_most
from ..serving import serving

METHOD = (
    "The same command is started and killed (SIGKILL) again and again at random moments, from its "
    "start-up on, then run to its end; answers take 250 ms on average, spread over 4 writes. "
    "Then every id is looked up in the output, and the server's requests are counted."
)
DELAY = 0.25
"""Seconds an answer takes: enough that every kill finds 64 requests in flight."""


def measure(lab: Lab) -> Iterator[Figure]:
    rows, kills = (600, 4) if lab.quick else (3_000, 20)
    seed = Random().randrange(10_000)
    with serving() as server:
        url = server.url(delay=DELAY)
        start = lab.llmbatch(lab.rows(1), lab.fresh_output(), url).wall
        before = server.requests()
        output = lab.fresh_output()
        done = _kill_repeatedly(lab, url, kills, rows, start, seed)
        asked_before_end = server.requests() - before
        lab.llmbatch(lab.rows(rows), output, url)
        sent = server.requests() - before
    check_results(output, rows)
    yield Figure("kills, and rows done at the last one", f"{kills}, {done} of {rows} (seed {seed})")
    yield Figure("every id exactly once, ended well", f"{rows} of {rows}", "all", True)
    limit = rows + kills * CONCURRENCY
    shown = f"{sent} ({asked_before_end} before the last run; {sent - rows} more than rows)"
    yield at_most("requests the server saw", sent, limit, shown, f"{limit} (rows + kills x 64)")


def _kill_repeatedly(lab: Lab, url: str, kills: int, rows: int, start: float, seed: int) -> int:
    """Returns how many rows were done at the end; each moment leaves work for those to come."""
    random = Random(seed)
    output = lab.folder / "results.jsonl"
    for i in range(kills):
        working = (rows - _done(output)) / CONCURRENCY * DELAY
        moment = random.uniform(0.3 * start, start + 1.2 * working / (kills - i + 1))
        ended = lab.killed_llmbatch(lab.rows(rows), output, url, moment)
        if ended.code == 0:
            raise BenchFailed(f"the job was done after {i} kills of {kills} (seed {seed})")
        if ended.code != -9:
            why = last_words(ended.err)
            raise BenchFailed(f"run {i + 1} ended with code {ended.code} before its kill: {why}")
    return _done(output)


def _done(output: Path) -> int:
    return output.read_bytes().count(b"\n") if output.exists() else 0
