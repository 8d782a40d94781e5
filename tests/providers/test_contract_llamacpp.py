"""The contract on a real server: llama.cpp speaks OpenAI's, Anthropic's and Responses' wires.

The model is tiny: what it says is nobody's business here, only how it comes. One thing matters:
where an answer opens with a token that is half a character (an emoji), this server leaves out the
event that opens the stream, and with it Anthropic's count of the input.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from llmbatch.jobs.answer import Answer
from llmbatch.jobs.dialects import APIS, KNOWN, Dialect
from llmbatch.jobs.embedded.server import EmbeddedServer
from llmbatch.jobs.errors import AuthFailed, BadRequest, ContextTooLong, ProviderError
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Endpoint, Request
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.native import Native
from llmbatch.jobs.providers.opening import wire_of

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


class Way(NamedTuple):
    """One way to ask: the finish when the tokens are used up, and at a stop sequence."""

    dialect: Dialect
    endpoint: Endpoint
    at_limit: tuple[tuple[str, str], ...]
    at_stop: tuple[str, str] | None


# Responses have no stop sequences; and llama.cpp calls them completed when they are cut short.
_RESPONSES = (("completed", "ok"), ("max_output_tokens", "truncated"))
WAYS = {
    "chat": Way(KNOWN["llamacpp"], "chat", (("length", "truncated"),), ("stop", "ok")),
    "completions": Way(
        KNOWN["llamacpp"], "completions", (("length", "truncated"),), ("stop", "ok")
    ),
    "responses": Way(KNOWN["llamacpp"], "responses", _RESPONSES, None),
    "chat through responses": Way(APIS["openai-responses"], "chat", _RESPONSES, None),
    "messages": Way(APIS["anthropic"], "chat", (("max_tokens", "truncated"),), ("end_turn", "ok")),
}
QUESTION = "What is the weather in Paris?"
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def llama(smollm2: Path) -> AsyncIterator[EmbeddedServer]:
    async with await EmbeddedServer.start(smollm2, parallel=2, context=512) as server:
        yield server


@asynccontextmanager
async def opened(
    llama: EmbeddedServer, dialect: Dialect, key: str | None = None
) -> AsyncIterator[Native]:
    base = llama.base_url
    http = Http(
        base.removesuffix("/v1") if dialect.wire == "anthropic" else base,
        name="llama.cpp",
        key=Key(key or llama.key),
        header=dialect.header,
        headers={**llama.headers, **dialect.headers},
    )
    provider = Native(http, wire_of(dialect, http.failures), name="llama.cpp")
    try:
        yield provider
    finally:
        await provider.aclose()


def request(way: Way, prompt: str = "", **params: Any) -> Request:
    chat = way.endpoint == "chat"
    prompt = prompt or ("Once upon a time" if way.endpoint == "completions" else QUESTION)
    limit = "max_output_tokens" if way.endpoint == "responses" else "max_tokens"
    return Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint=way.endpoint,
        model="SmolLM2",
        fingerprint="f",
        messages=[{"role": "user", "content": prompt}] if chat else (),
        input=None if chat else prompt,
        params={limit: 6, "temperature": 0, **params},
    )


async def ask(
    llama: EmbeddedServer, way: Way, asked: Request, *, whole: bool = False
) -> tuple[Answer, int]:
    """The answer, and in how many pieces of text it came."""
    answer, pieces = Answer(0.0), 0
    async with opened(llama, way.dialect) as provider:
        async for delta in provider.stream(asked, whole=whole):
            answer.add(delta, 0.0)
            pieces += bool(delta.text)
    return answer, pieces


async def refused(
    llama: EmbeddedServer, way: Way, asked: Request, key: str | None = None
) -> ProviderError:
    async with opened(llama, way.dialect, key) as provider:
        with pytest.raises(ProviderError) as caught:
            async for _ in provider.stream(asked):
                pass
    return caught.value


@each_way
@pytest.mark.parametrize("whole", [False, True], ids=["stream", "whole"])
async def test_an_answer_ends_at_its_limit_with_its_usage(
    llama: EmbeddedServer, way: Way, whole: bool
) -> None:
    answer, pieces = await ask(llama, way, request(way), whole=whole)
    assert (answer.finish_reason, answer.status) in way.at_limit
    assert answer.output.strip()
    assert pieces == 1 if whole else pieces > 1
    assert answer.usage is not None
    assert answer.usage.output_tokens == 6
    assert 0 <= answer.usage.cached_tokens <= answer.usage.input_tokens
    assert answer.usage.input_tokens > 3
    assert (answer.tool_calls, answer.reasoning) == ([], "")


@each_way
async def test_what_is_in_the_cache_is_part_of_the_input(llama: EmbeddedServer, way: Way) -> None:
    prompt = f"Count from one to nine, {way.endpoint}, then backwards, and then once more."
    first, _ = await ask(llama, way, request(way, prompt))
    again, _ = await ask(llama, way, request(way, prompt))
    assert first.usage is not None
    assert again.usage is not None
    assert first.usage.input_tokens == again.usage.input_tokens
    assert 0 < again.usage.cached_tokens < again.usage.input_tokens


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.at_stop])
async def test_an_answer_ends_by_itself_at_a_stop_sequence(
    llama: EmbeddedServer, name: str
) -> None:
    way = WAYS[name]
    answer, _ = await ask(llama, way, request(way, stop=[" ", "\n"], max_tokens=64))
    assert (answer.finish_reason, answer.status) == way.at_stop
    assert " " not in answer.output


@each_way
async def test_the_real_errors_are_the_errors_they_are(llama: EmbeddedServer, way: Way) -> None:
    long = await refused(llama, way, request(way, "hello " * 2000))
    assert (type(long), long.http_status) == (ContextTooLong, 400)
    stranger = await refused(llama, way, request(way), key="not-the-key-at-all")
    assert (type(stranger), stranger.http_status) == (AuthFailed, 401)
    assert "not-the-key" not in str(stranger)


async def test_a_server_without_embeddings_says_so_once(llama: EmbeddedServer) -> None:
    way = WAYS["chat"]._replace(endpoint="embeddings")
    error = await refused(llama, way, request(way))
    assert (type(error), error.http_status) == (BadRequest, 501)
    assert "does not support embeddings" in str(error)
