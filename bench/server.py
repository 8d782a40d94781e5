"""A fast server on loopback, in a process of its own: `python -m bench.server [MOOD ...]`.

It prints its port and serves until its standard input closes, so it never outlives whoever
started it. Answers are prepared bytes; the work a request costs here is finding its end. A mood
(see :mod:`.moods`) makes it refuse, slow down or go away.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import cast

import uvloop

from .answers import whole, with_headers
from .book import Book
from .descriptors import raise_limit
from .moods import Meeting, Mood, mood_of

LARGEST = 64 * 1024 * 1024
"""Bytes of a request that are still read."""

BACKLOG = 16_384
"""Connections that may wait to be accepted; the system caps it (Linux: net.core.somaxconn)."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


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
        if self.book.turned_away(time.monotonic()):
            self.reset()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None
        self.book.flying.discard(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.busy:
            self._serve()

    def reset(self) -> None:
        """End it with RST, whatever is under way."""
        if self.transport is not None:
            own = cast(socket.socket, self.transport.get_extra_info("socket"))
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()
            self.transport = None

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
        book = self.book
        if target.startswith(b"/stats"):
            self._write((book.stats(target.endswith(b"?all")),), 0, 0.0)
            return
        ready = book.look_up(target)
        if ready is None:
            self._refuse(b"404 Not Found")
            return
        now = time.monotonic()
        book.arrivals.append(now)
        # quotes within a JSON string are escaped, so only a key can look like this
        wants_stream = b'"stream":true' in body or b'"stream": true' in body
        parts: Sequence[bytes] = ready.stream
        if ready.plain is not None and not (wants_stream and parts):
            parts = (ready.plain,)
        delay = ready.plan.delay
        if book.mood is not None:
            meeting = book.mood.meet(now, len(book.flying))
            if meeting.cut or meeting.refusal:
                book.refused.append(now)
            if meeting.cut:
                for connection in (self, *book.flying):
                    connection.reset()
                return
            parts, delay = _altered(parts, delay, meeting)
        if not delay:
            self._write(parts, 0, 0.0)
            return
        book.take_off(self)
        # 0.5 to 1.5 times the delay: answers that all end together are no model of a server
        pause = delay * (0.5 + len(book.arrivals) * 0.618 % 1) / len(parts)
        self.busy = True
        self.loop.call_later(pause, self._write, parts, 0, pause)

    def _write(self, parts: Sequence[bytes], i: int, pause: float) -> None:
        """Send a part; the next one goes in a later turn of the loop, behind other connections."""
        if self.transport is None:
            return
        self.transport.write(parts[i])
        self.busy = i + 1 < len(parts)
        if not self.busy:
            if pause:
                self.book.flying.discard(self)
                self.book.answered.append(time.monotonic())
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


def _altered(
    parts: Sequence[bytes], delay: float, meeting: Meeting
) -> tuple[Sequence[bytes], float]:
    """The answer and its delay as the mood will have them."""
    if meeting.refusal:
        parts, delay = (meeting.refusal,), 0.0
    elif meeting.delay is not None:
        delay = meeting.delay
    if meeting.headers:
        parts = (with_headers(parts[0], meeting.headers), *parts[1:])
    return parts, delay


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(lowered[at + 17 :].split(b"\r\n", 1)[0])


async def serve(mood: Mood | None) -> None:
    """Serve on a free port of loopback until standard input ends."""
    loop = asyncio.get_running_loop()
    book = Book(mood)
    server = await loop.create_server(
        lambda: Connection(book, loop), "127.0.0.1", 0, backlog=BACKLOG
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    gone = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), gone.set)
    await gone.wait()
    loop.remove_reader(sys.stdin.fileno())
    server.close()


if __name__ == "__main__":
    raise_limit()
    uvloop.run(serve(mood_of(sys.argv[1:])))
