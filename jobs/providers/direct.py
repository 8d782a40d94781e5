"""An HTTP exchange without what a request does not need, on aiohttp's connections and parser.

A session builds a request, a payload, a writer, a task that writes, and a response each time, and
merges and checks headers that are always the same. Here a path has one head, made by aiohttp once;
a request is that head, a length and the body, written at once. aiohttp's connector still does what
it is good at (the pool, DNS, happy eyeballs, TLS, proxies and their tunnels), and its parser in C
reads the answer.

This leans on inner parts of aiohttp, as they are since 3.14: ``BaseConnector.connect`` with a
``ClientRequest`` as the description of the connection, ``Connection.protocol`` and ``release``,
``ResponseHandler.set_response_params``, ``read`` and ``_reading_paused``, and the buffer of a
``StreamReader``. Nothing else in this project does. :func:`is_possible` looks whether
they are there.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDict
from yarl import URL

from .exchange import CONNECT_TIMEOUT, KNOWN_PATHS, LONGEST_FIELD, Answer, Exchange, connector
from .proxies import TOLD
from .session import ThroughSession

COPIED = 16 * 1024
"""Bytes of a body that are put behind the head in one piece; a larger one is not copied."""

_CALLED: Mapping[Callable[..., Any], frozenset[str]] = {
    aiohttp.ClientRequest: frozenset(
        {"method", "url", "headers", "data", "loop", "proxy", "proxy_headers"}
    ),
    aiohttp.BaseConnector.connect: frozenset({"req", "traces", "timeout"}),
    ResponseHandler.set_response_params: frozenset(
        {"read_until_eof", "max_line_size", "max_field_size"}
    ),
}
_USED = {
    Connection: ("protocol", "close", "release"),
    ResponseHandler: ("read", "resume_reading", "_reading_paused", "__len__"),
}
_OF_A_BODY = ("_buffer", "_eof", "_exception", "_http_chunk_splits", "_size", "_waiter")


@functools.cache
def is_possible() -> bool:
    """Whether aiohttp has the parts that this module leans on. A loop has to be running."""
    for function, taken in _CALLED.items():
        if not taken <= inspect.signature(function).parameters.keys():
            return False
    if not all(hasattr(owner, name) for owner, names in _USED.items() for name in names):
        return False
    protocol = ResponseHandler(asyncio.get_running_loop())
    body = aiohttp.StreamReader(protocol, 1, loop=asyncio.get_running_loop())
    return all(hasattr(body, name) for name in _OF_A_BODY)


def open_exchange(base_url: str, headers: CIMultiDict[str], proxy: str | None) -> Exchange:
    """Direct where that is possible. Nothing is connected yet, but a loop has to be running."""
    way = Direct if is_possible() else ThroughSession
    return way(base_url, headers, proxy)


class _Request(aiohttp.ClientRequest):
    """What the connector has to know of a request; never sent itself."""

    @functools.cached_property
    def connection_key(self) -> Any:
        """Which connections will do. Taken once: a tunnel's headers change with the first one."""
        return super().connection_key


class _Target:
    """A path: the connection it needs, and the head of all requests for it."""

    __slots__ = ("head", "request")

    def __init__(self, request: _Request) -> None:
        self.request = request
        self.head = b""

    def __repr__(self) -> str:
        return f"_Target({self.request.url})"  # the head holds the key

    def prepare(self) -> bytes:
        """The head up to the body's length. Not before the connector has added a proxy's words."""
        request = self.request
        headers = request.headers.copy()
        headers.popall(hdrs.CONTENT_LENGTH, None)
        by_proxy = request.proxy is not None and not request.is_ssl()
        target = str(request.url) if by_proxy else request.url.raw_path_qs
        fields = [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join((f"POST {target} HTTP/1.1", *fields, "Content-Length: "))
        self.head = head.encode()
        return self.head


class Direct:
    """The exchange with nothing between a request and its connection."""

    __slots__ = ("_base", "_connector", "_headers", "_loop", "_proxy", "_targets", "_timeout")

    def __init__(self, base_url: str, headers: CIMultiDict[str], proxy: str | None) -> None:
        self._base = base_url
        self._headers = headers
        self._proxy = URL(proxy) if proxy else None
        self._loop = asyncio.get_running_loop()
        self._connector = connector()
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
        self._targets: dict[str, _Target] = {}

    def __repr__(self) -> str:
        return f"Direct({self._base!r})"

    async def post(self, path: str, body: bytes) -> Answer:
        target = self._targets.get(path) or self._target(path)
        connection, protocol = await self._connect(target.request)
        try:
            transport = protocol.transport
            if transport is None or transport.is_closing():
                raise aiohttp.ClientConnectionResetError("closed as soon as it stood")
            protocol.set_response_params(
                read_until_eof=True, max_line_size=LONGEST_FIELD, max_field_size=LONGEST_FIELD
            )
            head = b"%b%d\r\n\r\n" % (target.head or target.prepare(), len(body))
            if len(body) <= COPIED:
                transport.write(head + body)
            else:
                transport.writelines((head, body))
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, content = await protocol.read()
        except BaseException as exc:
            _drop(connection)
            if isinstance(exc, OSError) and not isinstance(exc, aiohttp.ClientError):
                raise aiohttp.ClientOSError(*exc.args) from exc
            raise
        # Behind a 101 there is no telling what comes next, and whose answer it would be.
        last = message.code == 101 or transport.get_write_buffer_size() > 0
        content.on_eof(functools.partial(_drop, connection) if last else connection.release)
        return _Received(message, connection, protocol, content)

    async def aclose(self) -> None:
        await self._connector.close()

    async def _connect(self, request: _Request) -> tuple[Connection, ResponseHandler]:
        while True:
            connection = await self._connector.connect(request, [], self._timeout)
            protocol = connection.protocol
            assert protocol is not None  # noqa: S101 - it has just been connected
            if not len(protocol):
                return connection, protocol
            connection.close()  # an answer that nobody asked for is not the next one's

    def _target(self, path: str) -> _Target:
        if len(self._targets) >= KNOWN_PATHS:
            self._targets.clear()
        request = _Request(
            hdrs.METH_POST,
            URL(self._base + path),
            headers=self._headers,
            data=b"",
            loop=self._loop,
            proxy=self._proxy,
            proxy_headers=TOLD,
        )
        target = self._targets[path] = _Target(request)
        return target


class _Received:
    """An answer on its connection, which goes back to the pool at the end of the body."""

    __slots__ = ("_connection", "_content", "_held", "_protocol", "headers", "status")

    def __init__(
        self,
        message: RawResponseMessage,
        connection: Connection,
        protocol: ResponseHandler,
        content: aiohttp.StreamReader,
    ) -> None:
        self.status = message.code
        self.headers = cast(Mapping[str, str], message.headers)
        self._connection = connection
        self._protocol = protocol
        self._content = None if content is EMPTY_PAYLOAD else content
        self._held = False

    def __repr__(self) -> str:
        return f"_Received({self.status})"

    @property
    def ended(self) -> bool:
        content = self._content
        return content is None or (content._eof and not content._buffer)

    def ready(self) -> bytes:
        content = self._content
        if content is None:
            return b""
        # The reader's own way asks after each HTTP chunk whether the connection may go on.
        buffer = content._buffer
        data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        buffer.clear()
        content._size = 0
        if content._http_chunk_splits:
            content._http_chunk_splits.clear()
        if self._protocol._reading_paused and not content._eof:
            self._protocol.resume_reading()
        if self._held:
            self._held = False
            transport = self._protocol.transport
            if transport is not None and not transport.is_closing():
                transport.resume_reading()
        return data

    def hold(self) -> None:
        # Of the transport alone: aiohttp's own way stops its parser behind the next HTTP chunk.
        transport, content = self._protocol.transport, self._content
        if transport is None or transport.is_closing() or self._protocol._reading_paused:
            return
        if content is not None and not content._eof:
            transport.pause_reading()
            self._held = True

    async def read(self) -> bytes:
        content = self._content
        while content is not None and not content._buffer:
            if content._exception is not None:
                raise content._exception
            if content._eof:
                return b""
            if self._protocol.transport is None:
                raise aiohttp.ClientConnectionError("closed")
            content._waiter = asyncio.get_running_loop().create_future()
            try:
                await content._waiter
            finally:
                content._waiter = None
        return self.ready()

    def close(self) -> None:
        _drop(self._connection)


def _drop(connection: Connection) -> None:
    """End a connection, unless it has been given back; what it has not sent yet is not sent."""
    transport = connection.transport
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()
    connection.close()
