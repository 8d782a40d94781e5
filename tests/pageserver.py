"""The web app on a real socket, in the test's own loop, and clients of every kind.

async with page(tmp_path) as server:
    answer = await server.get("/api/files")
    async with server.socket() as socket: ...
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from llmbatch.cli.web.server import Place, Serving, opened
from llmbatch.jobs.config import JobConfig


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

    def socket(self, **headers: str) -> Any:
        """A WebSocket, as the page itself opens it; ``headers`` on top, by name with _ for -."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        shown = {"Origin": self.root, **self.headers, **more}
        return self.client.ws_connect(f"{self.root}/ws", headers=shown, max_msg_size=0)


@contextlib.asynccontextmanager
async def page(folder: Path, **config: Any) -> AsyncIterator[Page]:
    """The server of that folder, with these settings."""
    serving = Serving(folder=folder, config=JobConfig(**config), port=0)
    jar = aiohttp.DummyCookieJar()
    async with opened(serving) as place, aiohttp.ClientSession(cookie_jar=jar) as client:
        yield Page(place, client)
