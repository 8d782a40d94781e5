"""A fault server, and providers that talk to it and are closed in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from faultserver import FaultServer
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Delta, Request
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.openai import OpenAI

SECRET = "sk-proj-Zq8fWm1x-do-not-print"

Connect = Callable[..., OpenAI]


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
async def connect(server: FaultServer) -> AsyncIterator[Connect]:
    """``connect(url=..., stream=..., **options of Http)``, all of them closed in the end."""
    opened: list[OpenAI] = []

    def open_one(url: str | None = None, *, stream: bool = True, **options: Any) -> OpenAI:
        options.setdefault("key", Key(SECRET))
        http = Http(url or server.url, name="fault", **options)
        opened.append(OpenAI(http, name="fault", stream=stream))
        return opened[-1]

    yield open_one
    for provider in opened:
        await provider.aclose()


@pytest.fixture
def ask() -> Callable[..., Request]:
    """``ask("prompt", endpoint=..., params=...)``: a request."""

    def request(prompt: Any = "one two three", endpoint: Any = "chat", **params: Any) -> Request:
        chat = endpoint == "chat"
        return Request(
            id="r",
            line=1,
            path="in.jsonl",
            endpoint=endpoint,
            model="m",
            fingerprint="f",
            messages=[{"role": "user", "content": prompt}] if chat else (),
            input=None if chat else prompt,
            params=params,
        )

    return request


@pytest.fixture
def collect() -> Callable[..., Any]:
    """``await collect(provider, request)``: all deltas of one attempt."""

    async def run(provider: OpenAI, request: Request) -> list[Delta]:
        return [delta async for delta in provider.stream(request)]

    return run
