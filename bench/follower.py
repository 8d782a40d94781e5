"""Looks at every job that it finds, as the page's server does; its standard input's end is its own.

    python -m bench.follower

Looks for jobs each second, and reads what they say. At its end it prints how many messages of
each kind it was told.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import suppress

import msgspec
import uvloop

from llmbatch.jobs.watching.client import Gone, follow, running

EVERY = 1.0


async def look(job: str, told: Counter[str]) -> None:
    with suppress(Gone):
        async for line in follow(job):
            told[msgspec.json.decode(line)["type"]] += 1


async def main() -> None:
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), gone.set)
    told: Counter[str] = Counter()
    looks: dict[str, asyncio.Task[None]] = {}
    print(0, flush=True)
    while not gone.is_set():
        for entry in await running():
            if entry.job not in looks:
                looks[entry.job] = asyncio.create_task(look(entry.job, told))
        with suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), EVERY)
    print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
