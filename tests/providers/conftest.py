"""A fault server, and providers that talk to it and are closed in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from faultserver import FaultServer
from llmbatch.jobs.dialects import ANY_SERVER, KNOWN, Dialect
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Delta, Request
from llmbatch.jobs.providers import direct
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.native import Native
from llmbatch.jobs.providers.opening import wire_of

SECRET = "sk-proj-Zq8fWm1x-do-not-print"

Connect = Callable[..., Native]


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running


@pytest.fixture(params=["direct", "session"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs by both ways of an exchange."""
    if request.param == "session":
        monkeypatch.setattr(direct, "is_possible", lambda: False)


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
async def connect(server: FaultServer) -> AsyncIterator[Connect]:
    """``connect(url=..., dialect=..., **options of Http)``: all of them are closed in the end.

    ``dialect`` is a known provider's name, or a Dialect; any OpenAI-compatible server by default.
    """
    opened: list[Native] = []

    def open_one(
        url: str | None = None, *, dialect: Dialect | str = ANY_SERVER, **options: Any
    ) -> Native:
        spoken = KNOWN[dialect] if isinstance(dialect, str) else dialect
        versioned = spoken.wire in ("openai", "openai-responses") and not spoken.path
        http = Http(
            url or (server.url if versioned else server.root),
            name="fault",
            **{"key": Key(SECRET), "header": spoken.header, "headers": spoken.headers, **options},
        )
        opened.append(Native(http, wire_of(spoken, http.failures), name="fault"))
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
    """``await collect(provider, request, whole=False)``: all deltas of one attempt."""

    async def run(provider: Native, request: Request, *, whole: bool = False) -> list[Delta]:
        return [delta async for delta in provider.stream(request, whole=whole)]

    return run
