"""What every client of `bench/rivals/clients` shares: rows in, 64 at a time, each answer checked.

These scripts run in environments of their own, where there is nothing but the tool, what it needs
and uvloop; so the standard library alone is used here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

Row = dict[str, Any]


class Job:
    """The rows to be asked, and how: ``url`` ends in ``/v1``, ``text`` is the right answer."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.file: Path = args.file
        self.url: str = args.url
        self.concurrency: int = args.concurrency
        self.stream: bool = not args.no_stream
        self.text: str = args.text
        self.done = 0

    def rows(self) -> Iterator[Row]:
        """``prompt``, ``max_tokens`` and ``temperature`` of each, read as they are needed."""
        with self.file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def check(self, text: str | None) -> None:
        """Count an answer; the run ends where it is not the right one."""
        if text != self.text:
            raise SystemExit(f"an answer is not whole: {text!r:.100}")
        self.done += 1

    async def ask_each(self, ask: Callable[[Row], Awaitable[str | None]]) -> None:
        """As many workers as may be in flight; each takes the next row when its last is done."""
        shared = self.rows()

        async def work() -> None:
            for row in shared:
                self.check(await ask(row))

        async with asyncio.TaskGroup() as group:
            for _ in range(self.concurrency):
                group.create_task(work())


def messages_of(row: Row) -> list[dict[str, str]]:
    return [{"role": "user", "content": row["prompt"]}]


def drive(client: Callable[[Job], Awaitable[None]]) -> None:
    """Run the client on uvloop over the rows it is given, and print what was done as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("url")
    parser.add_argument("--text", required=True, help="what every answer must be")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--no-stream", action="store_true")
    job = Job(parser.parse_args())

    async def timed() -> float:
        began = time.perf_counter()
        await client(job)
        return time.perf_counter() - began

    wall = uvloop.run(timed())
    print(json.dumps({"rows": job.done, "wall": wall}))
