"""What looking before and after costs: a plan of many rows, and an output that is verified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..child import Ended, own_peak, succeed
from ..lab import Lab
from ..report import Figure, at_most
from ..serving import serving

METHOD = (
    "`llmbatch plan` of 100,000 rows, once each: of 1 kB, of 0.1 kB, and of 0.1 kB where an output "
    "has them all and the system prompt changed since, so that each row is read twice. "
    "`llmbatch verify` of an output of 1,000,000 lines whose rows ask the same."
)
MB = 1_000_000
MODEL = ("--model", "openai/gpt-4o-mini", "--max-tokens", "20")
WORDS = ("harbour", "granite", "ledger", "winter", "copper", "orchard", "signal", "meadow")


def measure(lab: Lab) -> Iterator[Figure]:
    rows = 10_000 if lab.quick else 100_000
    limit = 2.0 if lab.quick else 5.0
    yield _plan(lab, f"plan of {rows:,} rows of 1 kB", _long_rows(lab, rows), limit)
    yield _plan(lab, f"plan of {rows:,} short rows", lab.rows(rows), limit)
    with serving() as server:
        output = lab.fresh_output()
        lab.llmbatch(lab.rows(rows), output, server.url(), seconds=600)
        route = ("--base-url", server.url(), "--model", "m", "--system", "Be brief.", "-o", output)
        what = f"plan of {rows:,} rows that all changed"
        yield _plan(lab, what, lab.rows(rows), limit, *route)
        yield from _verify(lab, server.url(), 10 * rows)


def _plan(lab: Lab, what: str, rows: Path, limit: float, *route: str | Path) -> Figure:
    ended = succeed([lab.command, "plan", rows, *(route or MODEL), "--json"], lab.folder, 120)
    requests = msgspec.json.decode(ended.out)["rows"]["requests"]
    took = f"{ended.wall:.2f} s ({ended.cpu:.2f} s of CPU)"
    shown = f"{took}, {own_peak(ended) / MB:.0f} MB, {requests:,} requests"
    return at_most(what, ended.wall, limit, shown, f"{limit:g} s")


def _verify(lab: Lab, url: str, rows: int) -> Iterator[Figure]:
    one, output = lab.rows(1), lab.fresh_output("one")
    lab.llmbatch(one, output, url)
    many, results = lab.folder / "same.jsonl", lab.folder / "same.results.jsonl"
    _repeat(one, many, rows)
    _repeat(output, results, rows)
    argv = [lab.command, "verify", results, "--input", many, "--base-url", url, "--model", "m"]
    ended: Ended = succeed(argv, lab.folder, 300)
    peak = own_peak(ended)
    what, shown = f"verify of {rows:,} lines", f"{ended.wall:.1f} s ({ended.cpu:.1f} s of CPU)"
    yield at_most(what, ended.wall, 60, shown, "60 s")
    yield at_most("its peak memory", peak, 200 * MB, f"{peak / MB:.0f} MB", "200 MB")


def _long_rows(lab: Lab, count: int) -> Path:
    path = lab.folder / f"long-{count}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = " ".join(
                WORDS[number * at % len(WORDS)] + str(number + at) for at in range(1, 85)
            )
            file.write(f'{{"id": "row-{number}", "prompt": "{text}"}}\n')
    return path


def _repeat(one: Path, path: Path, count: int) -> None:
    """The file's only line under so many ids."""
    line = one.read_text(encoding="utf-8")
    before, _, after = line.partition("row-0")
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{before}row-{number}{after}" for number in range(count))
