"""The cache of answers at work: `python -m bench.caching fill|look|write FOLDER ENTRIES`.

`fill` puts so many answers in, `look` looks random ones up and prints one JSON line, `write` puts
new ones in until it is ended.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from hashlib import blake2b
from itertools import count
from pathlib import Path

import msgspec
from msgspec import Struct

from llmbatch.jobs.cache.answers import Cache
from llmbatch.jobs.model import Result, Usage

LIMIT = 1_000_000_000
LOOKUPS = 50_000
UNWRITTEN = 4_000_000
"""Bytes that are handed over before the thread that writes has its turn."""


class Looked(Struct, frozen=True):
    """Seconds; ``found`` of all look-ups."""

    lookups: int
    found: int
    median: float
    p99: float
    longest: float


def fingerprint(number: int) -> str:
    return blake2b(str(number).encode(), digest_size=16).hexdigest()


def answer(number: int) -> Result:
    """An answer of 600 characters."""
    return Result(
        id="", line=0, fingerprint=fingerprint(number), status="ok", output=f"{number:06} " * 86,
        finish_reason="stop", provider="openai", model="m", fallbacks=0, usage=Usage(12, 150),
        cost_usd=None, metrics=None, error=None, metadata={},
    )  # fmt: skip


async def fill(cache: Cache, entries: int) -> None:
    for number in range(entries):
        await put(cache, number)


async def write(cache: Cache, entries: int) -> None:
    for number in count(entries):
        await put(cache, number)


async def put(cache: Cache, number: int) -> None:
    cache.keep(answer(number))
    while cache.unwritten > UNWRITTEN:
        await asyncio.sleep(0.01)


async def look(cache: Cache, entries: int) -> None:
    draw = random.Random(1)
    times, found = [], 0
    for _ in range(LOOKUPS):
        asked = fingerprint(draw.randrange(entries))
        began = time.perf_counter()
        result = cache.find(asked)
        times.append(time.perf_counter() - began)
        found += result is not None
    times.sort()
    at = len(times)
    looked = Looked(at, found, times[at // 2], times[at * 99 // 100], times[-1])
    print(msgspec.json.encode(looked).decode())


async def main(what: str, folder: str, entries: int) -> None:
    cache = Cache(Path(folder), LIMIT, sys.exit)
    cache.start()
    await {"fill": fill, "write": write, "look": look}[what](cache, entries)
    await cache.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
