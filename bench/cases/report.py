"""What looking at a million results costs: a page with plots of them, and two files compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec

from ..child import BenchFailed, own_peak, succeed
from ..lab import Lab
from ..report import Figure, at_most

METHOD = (
    "A results file of generated lines (0.8 kB each: an answer of 50 words, times of a log-normal "
    "distribution, one row in 20 with a second attempt, one in 50 failed, two models) is made "
    "into a page of HTML, and compared with itself as JSON; once each, in a process of its own."
)
MB = 1_000_000


def measure(lab: Lab) -> Iterator[Figure]:
    rows = 100_000 if lab.quick else 1_000_000
    limit = 30.0 * rows / 1_000_000
    results, page = lab.folder / "many.results.jsonl", lab.folder / "report.html"
    _write(results, rows)
    ended = succeed([lab.command, "report", results, "-o", page], lab.folder, 300)
    took = f"{ended.wall:.1f} s ({ended.cpu:.1f} s of CPU), {page.stat().st_size / MB:.2f} MB"
    size = f"{results.stat().st_size / MB:,.0f} MB"
    yield at_most(f"a page of {rows:,} rows ({size})", ended.wall, limit, took, f"{limit:g} s")
    peak = own_peak(ended)
    yield at_most("its peak memory", peak, 150 * MB, f"{peak / MB:.0f} MB", "150 MB")
    argv = [lab.command, "report", results, results, "--format", "json"]
    ended = succeed(argv, lab.folder, 300)
    found = msgspec.json.decode(ended.out)
    if found["comparison"]["matches"][0]["both"] != rows:
        raise BenchFailed(f"of {rows:,} rows other ones were matched")
    shown = f"{ended.wall:.1f} s ({ended.cpu:.1f} s of CPU), {own_peak(ended) / MB:.0f} MB"
    yield Figure(f"two files of {rows:,} rows compared", shown)


def _write(path: Path, rows: int) -> None:
    random = Random(1)
    encode = msgspec.json.Encoder().encode
    at = datetime(2026, 11, 22, tzinfo=UTC)
    with path.open("wb") as file:
        for number in range(rows):
            at += timedelta(seconds=random.expovariate(200))
            file.write(encode(_result(number, at, random)) + b"\n")


def _result(number: int, at: datetime, random: Random) -> dict[str, object]:
    latency = round(random.lognormvariate(0.3, 0.6), 6)
    failed, again = number % 50 == 7, number % 20 == 3
    route = f"openai/{('gpt-4o', 'gpt-4o-mini')[number % 2]}"
    first = {"at_s": 0.0, "took_s": latency / 8, "route": route, "error": "rate_limited"}
    last = {"at_s": latency / 2, "took_s": latency / 2, "route": route, "error": None}
    metrics = {
        "started_at": at.isoformat(timespec="milliseconds")[:-6] + "Z",
        "queue_s": 0.1, "limiter_s": 0.05, "ttft_s": None if failed else latency / 4,
        "itl_mean_s": None if failed else latency / 80, "itl_max_s": latency / 20,
        "latency_s": latency, "output_tokens_per_s": 88.1, "attempts": 2 if again else 1,
        "retried": ["rate_limited"] if again else [], **({"tried": [first, last]} if again else {}),
    }  # fmt: skip
    error = {"type": "overloaded", "http_status": 503, "message": "busy", "retryable": True}
    return {
        "id": f"row-{number}", "line": number + 1, "fingerprint": f"{number:032x}",
        "status": "error" if failed else "ok", "output": None if failed else "harbour " * 50,
        "finish_reason": None if failed else "stop", "provider": "openai",
        "model": route.removeprefix("openai/"), "fallbacks": 0,
        "usage": None if failed else {"input_tokens": 40, "output_tokens": 60 + number % 30},
        "cost_usd": None if failed else 0.0001 + number % 7 / 1e6, "metrics": metrics,
        "error": error if failed else None, "metadata": {},
    }  # fmt: skip
