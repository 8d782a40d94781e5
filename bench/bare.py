"""The limit: aiohttp on uvloop, 64 workers, the same rows and the same streams, and nothing else.

`python -m bench.bare FILE URL [--no-stream]` prints one JSON line about itself. No retry, limit,
timing, file or fingerprint: what it costs is what any tool on this stack has to pay.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

from .answers import text_of
from .bare_values import Chunk, Outcome

WORKERS = 64


class Bare:
    """The workers' shared state."""

    __slots__ = ("decode", "reads", "rows", "session", "url")

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.decode = msgspec.json.Decoder(Chunk).decode
        self.rows = 0
        self.reads = 0

    def __repr__(self) -> str:
        return f"Bare(rows={self.rows}, reads={self.reads})"

    async def work(self, bodies: Iterator[bytes], stream: bool) -> None:
        for body in bodies:
            async with self.session.post(self.url, data=body) as response:
                response.raise_for_status()
                if stream:
                    text, tokens = await self._join(response.content.iter_any())
                else:
                    text, tokens = self._whole(await response.read())
            if text != text_of_known(tokens):
                raise SystemExit("an answer is not whole")
            self.rows += 1

    async def _join(self, pieces: AsyncIterator[bytes]) -> tuple[str, int]:
        texts: list[str] = []
        rest = b""
        finished, tokens = False, 0
        async for piece in pieces:
            self.reads += 1
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if not line or line == b"data: [DONE]":
                    continue
                chunk = self.decode(line[6:])
                if chunk.choices:
                    choice = chunk.choices[0]
                    if choice.delta is not None and choice.delta.content:
                        texts.append(choice.delta.content)
                    finished = finished or choice.finish_reason is not None
                if chunk.usage is not None:
                    tokens = chunk.usage.completion_tokens
        return "".join(texts) if finished else "", tokens

    def _whole(self, body: bytes) -> tuple[str, int]:
        self.reads += 1
        chunk = self.decode(body)
        message = chunk.choices[0].message
        assert message is not None
        assert chunk.usage is not None
        return message.content or "", chunk.usage.completion_tokens


_texts: dict[int, str] = {}


def text_of_known(tokens: int) -> str:
    """``text_of``, remembered: checking an answer must cost next to nothing."""
    if tokens not in _texts:
        _texts[tokens] = text_of(tokens)
    return _texts[tokens]


async def run(file: Path, url: str, stream: bool) -> Outcome:
    bodies = list(read_bodies(file, stream))
    connector = aiohttp.TCPConnector(limit=WORKERS)
    headers = {"Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=timeout
    ) as session:
        bare = Bare(session, f"{url}/chat/completions")
        wall, cpu = time.perf_counter(), cpu_seconds()
        shared = iter(bodies)
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(bare.work(shared, stream))
        return Outcome(bare.rows, time.perf_counter() - wall, cpu_seconds() - cpu, bare.reads)


def read_bodies(file: Path, stream: bool) -> Iterator[bytes]:
    """The request bodies, ready before the loop starts."""
    with file.open("rb") as lines:
        for line in lines:
            row = msgspec.json.decode(line, type=dict[str, Any])
            del row["id"]
            messages = [{"role": "user", "content": row.pop("prompt")}]
            body = {"model": "m", "messages": messages, **row}
            if stream:
                body |= {"stream": True, "stream_options": {"include_usage": True}}
            yield msgspec.json.encode(body)


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    outcome = uvloop.run(run(Path(sys.argv[1]), sys.argv[2], "--no-stream" not in sys.argv[3:]))
    print(msgspec.json.encode(outcome).decode())
