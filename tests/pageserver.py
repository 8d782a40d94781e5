"""The web app on a real socket, in the test's own loop, and clients of every kind.

async with page(tmp_path) as server:
    answer = await server.get("/api/files")
    async with server.socket() as socket: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from llmbatch.cli.web.server import Place, Serving, opened
from llmbatch.jobs.config import JobConfig

PATIENCE = 60.0
"""Seconds after which what is waited for will not come."""


@dataclass(slots=True)
class Reply:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any


@dataclass(slots=True)
class Page:
    """A server and the client that is let in; ``headers`` show the token."""

    place: Place
    client: aiohttp.ClientSession

    @property
    def root(self) -> str:
        return self.place.root.rstrip("/")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.place.guard.token}"}

    async def get(self, path: str, **query: Any) -> Reply:
        return await self.ask("GET", path, params=query, headers=self.headers)

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        """As the request says it, redirects included; nothing is added."""
        async with self.client.request(
            method, self.root + path, allow_redirects=False, **request
        ) as answer:
            text = await answer.text()
            told = answer.content_type == "application/json" and text
            return Reply(answer.status, answer.headers, text, await answer.json() if told else None)

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncIterator[Ear]:
        """A page that is open, and has been greeted."""
        async with self.socket() as socket:
            hello = await socket.receive_json()
            assert hello["type"] == "hello"
            yield Ear(socket, hello)

    def socket(self, **headers: str) -> Any:
        """A WebSocket, as the page itself opens it; ``headers`` on top, by name with _ for -."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        shown = {"Origin": self.root, **self.headers, **more}
        return self.client.ws_connect(f"{self.root}/ws", headers=shown, max_msg_size=0)


@contextlib.asynccontextmanager
async def page(
    folder: Path, *, environ: Mapping[str, str] | None = None, **config: Any
) -> AsyncIterator[Page]:
    """The server of that folder, with these settings; ``environ`` on top of a bare one."""
    serving = Serving(folder=folder, config=JobConfig(**config), port=0)
    bare = {"HOME": str(folder), "PATH": os.environ["PATH"], "TMPDIR": str(folder)}
    jar = aiohttp.DummyCookieJar()
    async with (
        opened(serving, {**bare, **(environ or {})}) as place,
        aiohttp.ClientSession(cookie_jar=jar) as client,
    ):
        yield Page(place, client)


class Ear:
    """What a browser is told over its WebSocket, message by message.

    ``async with server.browser() as ear`` connects; the `hello` has been heard.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, hello: dict[str, Any]) -> None:
        self.socket = socket
        self.hello = hello
        self.heard: list[dict[str, Any]] = []
        self._passed: list[dict[str, Any]] = []

    async def say(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def next(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next message of that type with these fields; those before it are not lost."""
        wanted = {"type": kind, **fields}

        def fits(message: dict[str, Any]) -> bool:
            return all(message.get(name) == value for name, value in wanted.items())

        for message in self._passed:
            if fits(message):
                self._passed.remove(message)
                return message
        while not fits(message := await self._receive()):
            self._passed.append(message)
        return message

    async def answered(self, chat: str) -> tuple[str, dict[str, Any]]:
        """The text of an answer as a page shows it, and the message of its end."""
        text = ""
        while True:
            message = await self._receive()
            if message.get("chat") != chat:
                continue
            if message["type"] != "chunk":
                return text, message
            text = "" if message["text"] is None else text + message["text"]

    async def _receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            message: dict[str, Any] = await self.socket.receive_json()
        self.heard.append(message)
        return message
