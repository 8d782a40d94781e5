"""A server on a loopback socket that says byte for byte what a test wants it to say.

    async def script(talk: Talk) -> None:
        await talk.request()
        talk.say(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")

    async with RawServer(script) as server:
        ...                                # send to server.url

The script runs once for each connection, which is closed behind it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

HEAD_END = b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


class Talk:
    """One connection; ``number`` counts them from 0."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    def __repr__(self) -> str:
        return f"Talk({self.number})"

    async def head(self) -> bytes:
        """The head of the next request, its empty line included."""
        return await self.reader.readuntil(HEAD_END)

    async def request(self) -> tuple[bytes, bytes]:
        """The next request's head and body."""
        head = await self.head()
        return head, await self.reader.readexactly(length_of(head))

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    def answer(self, body: bytes = b"{}") -> None:
        """A whole answer; the connection stays."""
        self.say(OK + b"Content-Length: %d" % len(body) + HEAD_END + body)

    async def gone(self) -> int:
        """Wait until the other side has ended the connection; the bytes that still came."""
        came = 0
        try:
            while data := await self.reader.read(1 << 20):
                came += len(data)
        except ConnectionError:
            pass
        return came


Script = Callable[[Talk], Awaitable[None]]


class RawServer:
    """The server; a test that fails in a script fails at the end of the context."""

    def __init__(
        self, script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.connections = 0
        self._script = script
        self._host = host
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"RawServer({self.connections} connections)"

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """``http://HOST:PORT``"""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(
            self._accept, self._host, 0, ssl=self._tls, limit=1 << 20
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._talks:
            task.cancel()
        ended = await asyncio.gather(*self._talks, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, AssertionError):
                raise failure

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(self.connections, reader, writer)
        self.connections += 1
        self._talks.add(asyncio.create_task(self._run(talk)))

    async def _run(self, talk: Talk) -> None:
        try:
            await self._script(talk)
            await talk.writer.drain()
        finally:
            talk.writer.close()


def length_of(head: bytes) -> int:
    """The Content-Length of a request."""
    return int(fields_of(head)["content-length"][0])


def fields_of(head: bytes) -> dict[str, list[str]]:
    """A head's fields, their names in lower case."""
    fields: dict[str, list[str]] = {}
    for line in head.removesuffix(HEAD_END).split(b"\r\n")[1:]:
        name, _, value = line.decode().partition(": ")
        fields.setdefault(name.lower(), []).append(value)
    return fields
