"""How long a look-up in the cache of answers holds the event loop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from llmbatch.jobs.cache.shelf import stats

from ..caching import Looked
from ..child import ROOT, BenchFailed, started, succeed
from ..lab import Lab
from ..report import Figure, at_most

METHOD = (
    "100,000 answers of 600 characters are put into a new cache; then a process of its own looks "
    "50,000 of them up at random, one after the other, as the event loop does: found, read and "
    "decoded. It does so alone, and again while another process puts new answers in as fast as it "
    "can."
)
ENTRIES = 100_000
MICRO = 1e-6


def measure(lab: Lab) -> Iterator[Figure]:
    folder = lab.folder / "cache"
    ended = succeed(_argv("fill", folder), ROOT, 300)
    size = sum(path.stat().st_size for path in folder.iterdir())
    what = f"{ENTRIES:,} answers: put in"
    yield Figure(what, f"{ended.wall:.1f} s, {size / 1e6:.0f} MB on the disk")
    yield from _figures("alone", _looked(folder))
    with started(_argv("write", folder), ROOT, 300) as writer:
        looked = _looked(folder)
        writer.discard()
    held = stats(folder)
    if held is None or held.entries <= ENTRIES:
        raise BenchFailed("the other process wrote nothing meanwhile")
    yield from _figures("while another process writes", looked)


def _figures(how: str, looked: Looked) -> Iterator[Figure]:
    shown = f"{looked.median / MICRO:.0f} µs"
    yield at_most(f"a look-up {how}: median", looked.median, 50 * MICRO, shown, "50 µs")
    rest = f"{looked.p99 / MICRO:.0f} µs, the longest {looked.longest / MICRO:.0f} µs"
    yield Figure(f"a look-up {how}: p99", rest)


def _looked(folder: Path) -> Looked:
    looked = msgspec.json.decode(succeed(_argv("look", folder), ROOT, 300).out, type=Looked)
    if looked.found != looked.lookups:
        raise BenchFailed(f"{looked.lookups - looked.found} of {looked.lookups} were not found")
    return looked


def _argv(what: str, folder: Path) -> list[str | Path]:
    return [sys.executable, "-m", "bench.caching", what, folder, str(ENTRIES)]
