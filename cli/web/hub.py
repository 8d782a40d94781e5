"""The WebSocket: what each browser is told, and what it asks for. See docs/websocket.md."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Struct

from .board import Board
from .chats import Asked, Chats, Models
from .following import Following
from .outbox import Outbox, TooSlow
from .replies import as_line, refused

HEARTBEAT_S = 20.0
"""Seconds between two signs of life that are asked of a browser."""

LONGEST = 4 << 20
"""Bytes of a message from a browser: a chat with all that was said in it."""

BROWSERS = 200
"""That are connected at once."""


class Watch(Struct, tag="watch"):
    """Which job this browser looks at."""

    job: str | None


class Stop(Struct, tag="stop"):
    """The answer that is to end."""

    chat: str


class Hub:
    """All browsers that look at this server; each is told ``hello`` first."""

    def __init__(
        self, hello: Mapping[str, Any], board: Board, models: Models, environ: Mapping[str, str]
    ) -> None:
        self.board = board
        self.models = models
        self._hello = as_line(hello)
        self._environ = environ
        self._browsers: set[_Browser] = set()
        self._followed: dict[str, Following] = {}

    def __repr__(self) -> str:
        return f"<Hub, {len(self._browsers)} browsers>"

    async def talk_to(self, request: web.Request) -> web.StreamResponse:
        """One browser, until it goes."""
        if len(self._browsers) >= BROWSERS:
            return refused(503, f"{BROWSERS} pages are open already: close one")
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=2 * LONGEST, compress=False, timeout=0.5
        )
        await socket.prepare(request)
        browser = _Browser(self, socket)
        self._browsers.add(browser)
        browser.outbox.say(self._hello)
        self.board.add(browser.list_jobs)
        try:
            await browser.serve(request)
        finally:
            self._browsers.discard(browser)
            self.follow(browser, None)
            await self.board.remove(browser.list_jobs)
        return socket

    def follow(self, browser: _Browser, job: str | None) -> None:
        """Tell it of this job and of no other; a job that nobody looks at is left alone."""
        if browser.job is not None and (old := self._followed.get(browser.job)) is not None:
            old.remove(browser.outbox)
            if not old:
                del self._followed[browser.job]
                old.close()
        browser.job = job
        if job is None:
            return
        following = self._followed.get(job)
        if following is None:
            following = Following(job, self._environ, lambda: self._ended(job))
            self._followed[job] = following
        following.add(browser.outbox)

    def _ended(self, job: str) -> None:
        self._followed.pop(job, None)
        self.board.changed()

    async def aclose(self) -> None:
        """The server ends: say so to all of them."""
        await asyncio.gather(*(browser.bye() for browser in tuple(self._browsers)))
        for following in tuple(self._followed.values()):
            following.close()


class _Browser:
    """A connection: the messages that go out, and those that come in."""

    def __init__(self, hub: Hub, socket: web.WebSocketResponse) -> None:
        self.outbox = Outbox()
        self.job: str | None = None
        self._hub = hub
        self._socket = socket
        self._chats = Chats(hub.models, self.outbox)

    def __repr__(self) -> str:
        return f"<_Browser at {self.job}>"

    def list_jobs(self, line: str) -> None:
        self.outbox.show("jobs", line)

    async def serve(self, request: web.Request) -> None:
        pump = asyncio.create_task(self._pump(request))
        try:
            async for message in self._socket:
                if message.type == WSMsgType.TEXT:
                    self._hear(message.data)
                else:
                    self._complain("messages are text")
        finally:
            pump.cancel()
            await self._chats.aclose()
            await asyncio.gather(pump, return_exceptions=True)

    async def bye(self) -> None:
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server has ended")

    async def _pump(self, request: web.Request) -> None:
        try:
            await self.outbox.pump(self._socket.send_str)
        except (TooSlow, ConnectionError):
            if request.transport is not None:
                request.transport.abort()

    def _hear(self, data: str) -> None:
        if len(data) > LONGEST:
            self._complain(f"a message may be {LONGEST >> 20} MB long: begin a new chat")
            return
        try:
            heard = _read(data)
        except (msgspec.DecodeError, RecursionError) as error:
            self._complain(f"this is no message: {error}")
            return
        if isinstance(heard, Watch):
            self._hub.follow(self, heard.job)
        elif isinstance(heard, Stop):
            self._chats.stop(heard.chat)
        else:
            self._chats.ask(heard)

    def _complain(self, why: str) -> None:
        self.outbox.say(as_line({"type": "error", "message": why}))


_read = msgspec.json.Decoder(Watch | Asked | Stop).decode
