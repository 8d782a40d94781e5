"""A whole analysis of a large document: memory, and how soon the first request is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec

from ..child import BenchFailed, Child, Ended, own_peak, started
from ..documents import write_prose
from ..lab import CONCURRENCY, Lab
from ..report import Figure, at_most
from ..serving import Server, serving

METHOD = (
    "`llmbatch analyze` over a file of generated English prose against the local server, chunks "
    "of 3000 tokens, overlap 100, folded into a report; its summary must say that every byte was "
    "analysed. "
    "Memory is the peak of the whole process (`ru_maxrss` from `wait4`). The first request is "
    "timed from starting the process to its arrival at the server, on the same file, the process "
    "killed then; the median is judged."
)
MB = 1_000_000


def measure(lab: Lab) -> Iterator[Figure]:
    size = (50 if lab.quick else 1000) * MB
    path = lab.folder / "prose.txt"
    written = write_prose(path, size)
    what = f"{written / MB:,.0f} MB of prose"
    firsts = []
    for _ in range(3 if lab.quick else 7):
        with serving() as server:
            firsts.append(_first(lab, path, server))
    del firsts[0]  # it warms the file cache
    shown = f"{median(firsts) * 1000:.0f} ms (slowest {max(firsts) * 1000:.0f} ms)"
    yield at_most(f"{what}: until the first request", median(firsts), 1.0, shown, "1 s")
    with serving() as server:
        with _analyzing(lab, path, server) as child:
            ended = child.succeed()
        requests = server.requests()
    summary = msgspec.json.decode((lab.folder / "summary.json").read_bytes())
    coverage = summary["analysis"]["coverage"]
    if not coverage["analysed_bytes"] == coverage["bytes"] == written:
        raise BenchFailed(f"{coverage['analysed_bytes']:,} of {written:,} bytes were analysed")
    yield _memory(what, ended)
    yield Figure(
        f"{what}: the whole run",
        f"{ended.wall:.0f} s, {written / ended.wall / MB:.1f} MB/s; {coverage['chunks']:,} "
        f"chunks, {summary['analysis']['folds']:,} folds; {ended.cpu / requests * 1e6:.0f} µs of "
        "CPU time a request, chunking included",
    )
    path.unlink()


def _memory(what: str, ended: Ended) -> Figure:
    peak = own_peak(ended)
    return at_most(f"{what}: peak memory", peak, 150 * MB, f"{peak / MB:.0f} MB", "150 MB")


def _first(lab: Lab, path: Path, server: Server) -> float:
    began = time.monotonic()
    with _analyzing(lab, path, server):
        while time.monotonic() < began + 30:
            if arrivals := server.seen().arrivals:
                return arrivals[0] - began
            time.sleep(0.005)
    raise BenchFailed("no request arrived within 30 s")


@contextmanager
def _analyzing(lab: Lab, path: Path, server: Server) -> Iterator[Child]:
    """The command on its way, with results where nothing is yet."""
    results, report = lab.fresh_output("analysis"), lab.folder / "report.md"
    argv = [lab.command, "analyze", path, "--base-url", server.url(), "--model", "m", "--quiet"]
    argv += ["--chunk-tokens", "3000", "--overlap", "100", "--concurrency", str(CONCURRENCY)]
    argv += ["--results", results, "-o", report, "--summary", lab.folder / "summary.json"]
    with started(argv, lab.folder, 900) as child:
        yield child
