"""Messages both ways over a stream socket: a length of four bytes, then a list in MessagePack."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec

MANY = 1000
"""Messages that may wait to be looked at before nothing more is read."""

M = TypeVar("M")


class Channel(asyncio.Protocol, Generic[M]):
    """One end. What is sent in one turn of the loop goes out as one write.

    What the other side sends is taken with :meth:`get`; where nobody does, reading stops, and soon
    the other side finds :meth:`room` wanting.
    """

    def __init__(self, read: Callable[[bytes], Sequence[M]]) -> None:
        self._read = read
        self._loop = asyncio.get_running_loop()
        self._encode = msgspec.msgpack.Encoder().encode
        self._transport: asyncio.Transport | None = None
        self._out: list[Any] = []
        self._in = bytearray()
        self._messages: deque[M] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._held = False
        self._over: asyncio.Future[None] | None = None
        self._full: asyncio.Future[None] | None = None
        self.ended = False

    @classmethod
    async def over(cls, sock: socket.socket, read: Callable[[bytes], Sequence[M]]) -> Channel[M]:
        """The end of this socket, which belongs to it from now on."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(read), sock=sock)
        return channel

    def send(self, message: object) -> None:
        """Never blocks; of a channel that has ended it is lost, as with any that dies."""
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(message)

    def flush(self) -> None:
        """Write what was sent now, and not at the end of this turn."""
        out, self._out = self._out, []
        if out and self._transport is not None:
            data = self._encode(out)
            self._transport.write(len(data).to_bytes(4, "big") + data)

    async def room(self) -> None:
        """Return when the other side has read most of what was sent."""
        if self._full is not None:
            await asyncio.shield(self._full)

    async def get(self) -> M | None:
        """The next message; None where the other side has gone."""
        while not self._messages:
            if self.ended:
                return None
            self._waiter = self._loop.create_future()
            await self._waiter
        if self._held and len(self._messages) < MANY // 2 and self._transport is not None:
            self._held = False
            self._transport.resume_reading()
        return self._messages.popleft()

    def close(self) -> None:
        """Send what is left and hang up. Safe to call twice."""
        self.flush()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    async def aclose(self) -> None:
        """The same, and wait until the other side has all of it, or is gone."""
        self.close()
        if not self.ended:
            self._over = self._loop.create_future()
            await self._over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        buffer = self._in
        buffer += data
        start = 0
        while len(buffer) >= start + 4:
            end = start + 4 + int.from_bytes(buffer[start : start + 4], "big")
            if len(buffer) < end:
                break
            self._messages.extend(self._read(bytes(buffer[start + 4 : end])))
            start = end
        if start:
            del buffer[:start]
            self._wake()
            if len(self._messages) > MANY and not self._held and self._transport is not None:
                self._held = True
                self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - gone is gone
        self.ended = True
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
        self._transport = None
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        if self._full is None:
            self._full = self._loop.create_future()

    def resume_writing(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __repr__(self) -> str:
        return f"<Channel, {len(self._messages)} to read, ended={self.ended}>"
