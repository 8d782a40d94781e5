"""How fast documents are cut into chunks, and in how much memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..child import ROOT, BenchFailed, Ended, own_peak, succeed
from ..documents import HOSTILE, Outcome, write_again, write_prose
from ..lab import Lab
from ..report import Figure, at_most

METHOD = (
    "A file of generated English prose (lines of 72 characters, a chapter every 40 paragraphs) is "
    "decoded and cut into chunks of 3000 tokens in a process of its own, to the end; MB/s are of "
    "its bytes over the CPU time of that process from opening the file on, memory is the peak of "
    "the whole process, with the vocabulary that counts tokens. Then documents of one thing again "
    "and again are cut, as Markdown, with an overlap of 200 tokens, at two sizes: with linear time "
    "the larger takes twice as long."
)
MB = 1_000_000


def measure(lab: Lab) -> Iterator[Figure]:
    size = (100 if lab.quick else 1000) * MB
    path = lab.folder / "prose.txt"
    written = write_prose(path, size)
    for overlap in (0, 200):
        ended, outcome = _cut(path, overlap, written)
        what = f"{written / MB:,.0f} MB of prose, overlap {overlap}"
        speed = written / outcome.cpu / MB
        shown = f"{speed:.0f} MB/s ({outcome.chunks:,} chunks of {_mean(outcome)} tokens)"
        yield Figure(f"{what}: speed", shown, "at least 30 MB/s", speed >= 30)
        peak = ended.peak_rss
        yield at_most(f"{what}: peak memory", peak, 150 * MB, f"{peak / MB:.0f} MB", "150 MB")
        yield Figure(f"{what}: until the first chunk", f"{outcome.first * 1000:.0f} ms of CPU time")
    path.unlink()
    for name, unit in HOSTILE.items():
        yield _hostile(lab, name, unit)


def _hostile(lab: Lab, name: str, unit: str) -> Figure:
    size = (1 if lab.quick else 5) * MB
    path = lab.folder / "hostile.md"
    times, peak = [], 0
    for times_as_large in (1, 2):
        written = write_again(path, unit, size * times_as_large)
        ended, outcome = _cut(path, 200, written)
        times.append(outcome.cpu)
        peak = max(peak, ended.peak_rss)
    ratio = times[1] / times[0]
    shown = f"{ratio:.2f} times as long at {2 * size / MB:.0f} as at {size / MB:.0f} MB"
    rest = f"{2 * size / times[1] / MB:.1f} MB/s, peak {peak / MB:.0f} MB"
    return at_most(name, ratio, 2.6, f"{shown}; {rest}", "2.6 times")


def _cut(path: Path, overlap: int, written: int) -> tuple[Ended, Outcome]:
    argv = [sys.executable, "-m", "bench.chunking", path, "3000", str(overlap)]
    ended = succeed(argv, ROOT, 300)
    own_peak(ended)
    outcome = msgspec.json.decode(ended.out, type=Outcome)
    if outcome.bytes != written:
        raise BenchFailed(f"the chunks have {outcome.bytes:,} bytes of {written:,}")
    return ended, outcome


def _mean(outcome: Outcome) -> str:
    return f"{outcome.tokens / outcome.chunks:.0f}"
