"""Looking at a job that runs, as the page's server does.

async with looking(job, environ) as look:
    told = await look.until(lambda message: message["type"] == "done")
    last = await look.last()
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from llmbatch.jobs.watching.client import follow, running
from llmbatch.jobs.watching.snapshot import Entry

PATIENCE = 30.0

Message = dict[str, Any]


class Look:
    """What a job says, message by message; ``said`` is all of it so far."""

    def __init__(self, lines: AsyncGenerator[bytes, None]) -> None:
        self._lines = lines
        self.said: list[Message] = []

    async def next(self) -> Message | None:
        """The next message; None where there is no more."""
        async with asyncio.timeout(PATIENCE):
            line = await anext(self._lines, None)
        if line is None:
            return None
        self.said.append(json.loads(line))
        return self.said[-1]

    async def until(self, wanted: Callable[[Message], Any]) -> Message:
        """The first message from now on of which that is so."""
        while (message := await self.next()) is not None:
            if wanted(message):
                return message
        raise AssertionError(f"it never said that; the last was {self.said[-1:]}")

    async def last(self) -> Message:
        """The last message, when the job is over."""
        while await self.next() is not None:
            pass
        return self.said[-1]

    def text(self, row: str) -> str:
        """What of an answer is to be seen."""
        shown = ""
        for said in self.said:
            if said["type"] == "chunk" and said["row"] == row:
                shown = "" if said["text"] is None else shown + said["text"]
        return shown


@asynccontextmanager
async def looking(job: str, environ: Mapping[str, str]) -> AsyncIterator[Look]:
    async with aclosing(follow(job, environ)) as lines:
        yield Look(lines)


async def found(environ: Mapping[str, str], output: str = "", count: int = 1) -> list[Entry]:
    """The jobs of the test's own folder, when there are so many."""
    async with asyncio.timeout(PATIENCE):
        while True:
            jobs = [job for job in await running(environ) if output in (job.output or "")]
            if len(jobs) >= count:
                return jobs
            await asyncio.sleep(0.01)
