"""An OpenAI-compatible server on a loopback socket that fails on demand.

    async with FaultServer() as server:
        server.replies = [rate_limited(retry_after="2"), answer("Hello")]
        ...                                   # send to server.url, which ends in /v1
        assert server.calls[1].body["model"] == "m"

``replies`` is one recipe (see :mod:`faultreplies`) for every call, or a list that is used up in
order; after that, and by default, the server echoes the prompt. A test's own function may choose:
``lambda call: error(500) if "bad" in call.prompt else answer()``.

In a synchronous test: ``with in_thread() as server``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import anthropicwire
import geminiwire
from aiohttp import web
from faultreplies import Act, Call, Recipe, Reply, answer, error

from faultwire import SHAPES

ENDPOINTS = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/embeddings": "embeddings",
    "/responses": "responses",
    "/messages": "anthropic",
}
DEPLOYMENTS = "/openai/deployments/"
"""Azure OpenAI's paths begin with it, and the deployment's name."""
SHAPES["anthropic"] = anthropicwire
SHAPES["gemini"] = geminiwire


class FaultServer:
    """The server; see the module. ``peak`` is the most calls that were ever in flight at once."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.replies: Recipe | list[Recipe] | None = None
        self.in_flight = 0
        self.peak = 0
        self.url = ""
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._site: web.BaseSite | None = None
        self._place: socket.socket | None = None
        self._handlers: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"FaultServer({self.url!r}, calls={len(self.calls)}, in_flight={self.in_flight})"

    @property
    def root(self) -> str:
        """``url`` without its ``/v1``: the base URL where the version is part of the path."""
        return self.url.removesuffix("/v1")

    @property
    def connections(self) -> int:
        """How many connections the calls came over."""
        return len({call.peer for call in self.calls})

    def busiest(self, seconds: float) -> int:
        """The most calls in any sliding window of that length."""
        times = sorted(call.at for call in self.calls)
        start = best = 0
        for end, at in enumerate(times):
            while start < end and at - times[start] >= seconds:
                start += 1
            best = max(best, end - start + 1)
        return best

    async def __aenter__(self) -> FaultServer:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await self._site.start()
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._handlers:
            task.cancel()
        if self._place is not None:
            self._place.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def go_away(self) -> None:
        """Refuse every connection from now on, and drop those that are there."""
        assert self._runner is not None
        assert self._runner.server is not None
        assert self._site is not None
        address = self._runner.addresses[0]
        await self._site.stop()
        self._place = socket.socket()  # bound and deaf: nobody else gets the port meanwhile
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(address)
        for connection in self._runner.server.connections:
            connection.force_close()

    async def come_back(self) -> None:
        """Listen again, where it did before."""
        assert self._runner is not None
        assert self._place is not None
        self._site = web.SockSite(self._runner, self._place, ssl_context=self._tls)
        self._place = None
        await self._site.start()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            call = await self._record(request)
            reply = await self._choose(call)
            return await _perform(request, reply)
        finally:
            self.in_flight -= 1
            self._handlers.discard(task)

    async def _record(self, request: web.Request) -> Call:
        at = time.monotonic()
        raw = await request.read()
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        path = request.path.removeprefix("/v1")
        if path.startswith(DEPLOYMENTS):
            path = "/" + path.removeprefix(DEPLOYMENTS).partition("/")[2]
        endpoint = ENDPOINTS.get(path, "")
        if request.path.startswith("/v1beta/") and request.path.endswith(geminiwire.METHODS):
            endpoint = "gemini"
        peer = request.transport and request.transport.get_extra_info("peername")
        call = Call(
            at, request.path, endpoint, request.headers.copy(), body, peer, request.raw_path
        )
        self.calls.append(call)
        return call

    async def _choose(self, call: Call) -> Reply:
        if not call.endpoint:
            chosen: Any = error(404, f"No such path: {call.path}", kind="not_found_error")
        elif isinstance(self.replies, list):
            chosen = self.replies.pop(0) if self.replies else answer()
        else:
            chosen = self.replies or answer()
        while not isinstance(chosen, Reply):
            chosen = chosen(call)
            if inspect.isawaitable(chosen):
                chosen = await chosen
        return chosen


async def _perform(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Play the steps; a stream of bytes alone goes out in one write, to be quick."""
    pieces = [step for step in reply.steps if isinstance(step, bytes)]
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    steady = len(pieces) == len(reply.steps)
    assert request.transport is not None
    for step in [b"".join(pieces)] if steady else reply.steps:
        if isinstance(step, bytes):
            if not reply.stream:
                return web.Response(status=reply.status, headers=reply.headers, body=step)
            if not response.prepared:
                await response.prepare(request)
            await response.write(step)
        elif isinstance(step, float | int):
            await asyncio.sleep(step)
        elif isinstance(step, asyncio.Event):
            await step.wait()
        elif step is Act.HANG:
            await asyncio.Event().wait()
        else:
            _drop(request.transport, reset=step is Act.RESET)
            await asyncio.Event().wait()
    return response


def _drop(transport: asyncio.Transport, *, reset: bool) -> None:
    if not reset:
        transport.close()
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@contextlib.contextmanager
def in_thread(server: FaultServer | None = None) -> Iterator[FaultServer]:
    """The same server for a synchronous test, on a loop in a thread of its own."""
    served = server or FaultServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(served.__aenter__(), loop).result(10)
        try:
            yield served
        finally:
            asyncio.run_coroutine_threadsafe(served.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
