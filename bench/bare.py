"""The limit: aiohttp on uvloop, 64 workers, the same rows and the same streams, and nothing else.

`python -m bench.bare FILE URL [--no-stream] [--model PROVIDER/NAME]` prints one JSON line about
itself. No retry, limit, timing, file or fingerprint: what it costs is what any tool has to pay that
asks through aiohttp's session.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

from .bare_values import Chunk, Outcome
from .bare_wires import WIRES, BareWire
from .shapes import text_of

WORKERS = 64


class Bare:
    """The workers' shared state."""

    __slots__ = ("decode", "join", "reads", "rows", "session", "url")

    def __init__(self, session: aiohttp.ClientSession, url: str, wire: BareWire) -> None:
        self.session = session
        self.url = url + wire.path
        self.join = wire.join
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
                    text, tokens, reads = await self.join(response.content.iter_any())
                else:
                    text, tokens, reads = self._whole(await response.read())
            if text != text_of_known(tokens):
                raise SystemExit("an answer is not whole")
            self.rows += 1
            self.reads += reads

    def _whole(self, body: bytes) -> tuple[str, int, int]:
        chunk = self.decode(body)
        message = chunk.choices[0].message
        assert message is not None
        assert chunk.usage is not None
        return message.content or "", chunk.usage.completion_tokens, 1


_texts: dict[int, str] = {}


def text_of_known(tokens: int) -> str:
    """``text_of``, remembered: checking an answer must cost next to nothing."""
    if tokens not in _texts:
        _texts[tokens] = text_of(tokens)
    return _texts[tokens]


async def run(file: Path, url: str, wire: BareWire, stream: bool) -> Outcome:
    bodies = list(read_bodies(file, wire, stream))
    connector = aiohttp.TCPConnector(limit=WORKERS)
    headers = {"Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=timeout
    ) as session:
        bare = Bare(session, url, wire)
        wall, cpu = time.perf_counter(), cpu_seconds()
        shared = iter(bodies)
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(bare.work(shared, stream))
        return Outcome(bare.rows, time.perf_counter() - wall, cpu_seconds() - cpu, bare.reads)


def read_bodies(file: Path, wire: BareWire, stream: bool) -> Iterator[bytes]:
    """The request bodies, ready before the loop starts."""
    with file.open("rb") as lines:
        for line in lines:
            row = msgspec.json.decode(line, type=dict[str, Any])
            del row["id"]
            body = wire.body(row.pop("prompt"), row)
            if not stream:
                del body["stream"], body["stream_options"]
            yield msgspec.json.encode(body)


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.bare")
    parser.add_argument("file", type=Path)
    parser.add_argument("url")
    parser.add_argument("--no-stream", action="store_true")
    parser.add_argument("--model", default="openai/m")
    args = parser.parse_args()
    spoken = WIRES[args.model.partition("/")[0]]
    outcome = uvloop.run(run(args.file, args.url, spoken, not args.no_stream))
    print(msgspec.json.encode(outcome).decode())
