"""The limit: aiohttp on uvloop, some workers, the same rows and streams, and nothing else.

`python -m bench.bare FILE URL [--no-stream | --embeddings] [--concurrency N]
[--model PROVIDER/NAME]` prints one JSON line about itself. No retry, limit, timing, file or
fingerprint: what it costs is what any tool has to pay that asks through aiohttp's session.
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
from msgspec import Struct

from .answers import EMBEDDINGS, VECTOR
from .bare_values import Chunk, Outcome, Vectors
from .bare_wires import WIRES, BareWire
from .descriptors import raise_limit
from .shapes import text_of


class Order(Struct, frozen=True):
    """What is to be done, as the flags say."""

    file: Path
    url: str
    wire: BareWire
    stream: bool
    embeddings: bool
    workers: int


class Bare:
    """The workers' shared state."""

    __slots__ = ("decode", "join", "reads", "rows", "session", "stream", "url")

    def __init__(self, session: aiohttp.ClientSession, order: Order) -> None:
        self.session = session
        path = EMBEDDINGS.removeprefix("/v1") if order.embeddings else order.wire.path
        self.url = order.url + path
        self.stream = order.stream
        self.join = order.wire.join
        self.decode = msgspec.json.Decoder(Chunk).decode
        self.rows = 0
        self.reads = 0

    def __repr__(self) -> str:
        return f"Bare(rows={self.rows}, reads={self.reads})"

    async def work(self, bodies: Iterator[bytes]) -> None:
        stream = self.stream
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

    async def embed(self, bodies: Iterator[bytes]) -> None:
        decode = msgspec.json.Decoder(Vectors).decode
        for body in bodies:
            async with self.session.post(self.url, data=body) as response:
                response.raise_for_status()
                answer = decode(await response.read())
            if len(answer.data[0].embedding) != len(VECTOR) or not answer.usage.prompt_tokens:
                raise SystemExit("an answer is not whole")
            self.rows += 1
            self.reads += 1

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


async def run(order: Order) -> Outcome:
    bodies = list(read_bodies(order))
    connector = aiohttp.TCPConnector(limit=order.workers)
    headers = {"Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=timeout
    ) as session:
        bare = Bare(session, order)
        wall, cpu = time.perf_counter(), cpu_seconds()
        shared = iter(bodies)
        async with asyncio.TaskGroup() as group:
            for _ in range(order.workers):
                working = bare.embed(shared) if order.embeddings else bare.work(shared)
                group.create_task(working)
        return Outcome(bare.rows, time.perf_counter() - wall, cpu_seconds() - cpu, bare.reads)


def read_bodies(order: Order) -> Iterator[bytes]:
    """The request bodies, ready before the loop starts."""
    with order.file.open("rb") as lines:
        for line in lines:
            row = msgspec.json.decode(line, type=dict[str, Any])
            del row["id"]
            if order.embeddings:
                yield msgspec.json.encode({"model": "m", **row})
                continue
            body = order.wire.body(row.pop("prompt"), row)
            if not order.stream:
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
    parser.add_argument("--embeddings", action="store_true")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--model", default="openai/m")
    args = parser.parse_args()
    raise_limit()
    order = Order(
        file=args.file,
        url=args.url,
        wire=WIRES[args.model.partition("/")[0]],
        stream=not args.no_stream,
        embeddings=args.embeddings,
        workers=args.concurrency,
    )
    outcome = uvloop.run(run(order))
    print(msgspec.json.encode(outcome).decode())
