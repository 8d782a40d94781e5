"""A fast OpenAI-compatible server on loopback, in a process of its own: `python -m bench.server`.

It prints its port and serves until its standard input closes, so it never outlives whoever
started it. Answers are prepared bytes; the work a request costs here is finding its end.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections.abc import Sequence
from typing import cast

import msgspec
import uvloop
from msgspec import Struct

from .answers import Plan, plain, plan_of, streamed, whole

LARGEST = 64 * 1024 * 1024
"""Bytes of a request that are still read."""


class Ready(Struct, frozen=True):
    """A path's prepared answers."""

    plan: Plan
    stream: tuple[bytes, ...]
    plain: bytes


class Book:
    """What the server saw: the arrival (CLOCK_MONOTONIC, seconds) of each request for an answer."""

    __slots__ = ("arrivals", "ready")

    def __init__(self) -> None:
        self.arrivals = array("d")
        self.ready: dict[bytes, Ready | None] = {}

    def __repr__(self) -> str:
        return f"Book(requests={len(self.arrivals)})"

    def look_up(self, path: bytes) -> Ready | None:
        if path not in self.ready:
            plan = plan_of(path.decode("latin-1"))
            ready = None if plan is None else Ready(plan, streamed(plan), plain(plan))
            self.ready[path] = ready
        return self.ready[path]

    def stats(self, with_arrivals: bool) -> bytes:
        seen: dict[str, object] = {"requests": len(self.arrivals)}
        if with_arrivals:
            seen["arrivals"] = list(self.arrivals)
        return whole(b"200 OK", msgspec.json.encode(seen))


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered in turn."""

    __slots__ = ("book", "busy", "loop", "received", "transport")

    def __init__(self, book: Book, loop: asyncio.AbstractEventLoop) -> None:
        self.book = book
        self.loop = loop
        self.received = bytearray()
        self.busy = False
        self.transport: asyncio.Transport | None = None

    def __repr__(self) -> str:
        return f"Connection(busy={self.busy}, buffered={len(self.received)})"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.busy:
            self._serve()

    def _serve(self) -> None:
        """Answer the request at the front of the buffer, once it is whole."""
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self.received[:head_end])
        end = head_end + 4 + _content_length(head)
        if end > LARGEST:
            self._refuse(b"413 Content Too Large")
        elif len(self.received) >= end:
            body = bytes(self.received[head_end + 4 : end])
            del self.received[:end]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, target: bytes, body: bytes) -> None:
        if target.startswith(b"/stats"):
            self._write((self.book.stats(target.endswith(b"?arrivals")),), 0, 0.0)
            return
        ready = self.book.look_up(target)
        if ready is None:
            self._refuse(b"404 Not Found")
            return
        arrivals = self.book.arrivals
        arrivals.append(time.monotonic())
        # quotes within a JSON string are escaped, so only a key can look like this
        wants_stream = b'"stream":true' in body or b'"stream": true' in body
        parts: Sequence[bytes] = ready.stream if wants_stream else (ready.plain,)
        if not ready.plan.delay:
            self._write(parts, 0, 0.0)
            return
        # 0.5 to 1.5 times the delay: answers that all end together are no model of a server
        pause = ready.plan.delay * (0.5 + len(arrivals) * 0.618 % 1) / len(parts)
        self.busy = True
        self.loop.call_later(pause, self._write, parts, 0, pause)

    def _write(self, parts: Sequence[bytes], i: int, pause: float) -> None:
        """Send a part; the next one goes in a later turn of the loop, behind other connections."""
        if self.transport is None:
            return
        self.transport.write(parts[i])
        self.busy = i + 1 < len(parts)
        if not self.busy:
            if self.received:
                self._serve()
        elif pause:
            self.loop.call_later(pause, self._write, parts, i + 1, pause)
        else:
            self.loop.call_soon(self._write, parts, i + 1, pause)

    def _refuse(self, status: bytes) -> None:
        if self.transport is not None:
            self.transport.write(whole(status, b'{"error":{"message":"not served here"}}'))
            self.transport.close()


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(lowered[at + 17 :].split(b"\r\n", 1)[0])


async def serve() -> None:
    """Serve on a free port of loopback until standard input ends."""
    loop = asyncio.get_running_loop()
    book = Book()
    server = await loop.create_server(lambda: Connection(book, loop), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    gone = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), gone.set)
    await gone.wait()
    loop.remove_reader(sys.stdin.fileno())
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
