"""Every fault below and around HTTP, on real sockets."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import ssl
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from faultreplies import (
    Act,
    Recipe,
    Reply,
    answer,
    context_too_long,
    cut,
    cut_at_once,
    error,
    held,
    insufficient_quota,
    never,
    rate_limited,
    redirect,
    stalled,
    unauthorized,
    web_page,
)

from faultserver import FaultServer
from llmbatch.jobs import errors
from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.dialects import ANY_SERVER
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Request
from llmbatch.jobs.providers import http as http_module
from llmbatch.jobs.providers import sse, turns
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.native import Native
from llmbatch.jobs.providers.openai import OpenAIWire
from llmbatch.jobs.providers.opening import open_provider
from llmbatch.jobs.providers.registry import resolve

pytestmark = pytest.mark.usefixtures("each_way")

Ask = Callable[..., Request]
Collect = Callable[..., Any]
Connect = Callable[..., Native]


async def failure(
    provider: Native, request: Request, *, whole: bool = False
) -> errors.ProviderError:
    """The error of one attempt, which must not drag a foreign exception along."""
    with pytest.raises(errors.ProviderError) as caught:
        async for _ in provider.stream(request, whole=whole):
            pass
    assert caught.value.provider == "fault"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


FAULTS: list[tuple[Recipe, type[errors.ProviderError], int | None, str]] = [
    (error(400, "bad temperature"), errors.BadRequest, 400, "HTTP 400: bad temperature"),
    (error(422), errors.BadRequest, 422, "HTTP 422: It went wrong"),
    (context_too_long(), errors.ContextTooLong, 400, "maximum context length is 4096"),
    (unauthorized(), errors.AuthFailed, 401, "Incorrect API key provided: ***."),
    (error(403, "not for you"), errors.Refused, 403, "not for you"),
    (error(403, "this API key is blocked"), errors.AuthFailed, 403, "this API key is blocked"),
    (error(404, "no model m"), errors.NotFound, 404, "no model m"),
    (error(402, body=""), errors.QuotaExhausted, 402, "Payment Required"),
    (insufficient_quota(), errors.QuotaExhausted, 429, "exceeded your current quota"),
    (rate_limited(), errors.RateLimited, 429, "Rate limit reached"),
    (error(408, body=""), errors.Overloaded, 408, "Request Timeout"),
    (error(409, body=""), errors.Overloaded, 409, "Conflict"),
    (error(500, body=""), errors.Overloaded, 500, "Internal Server Error"),
    (error(503, "busy"), errors.Overloaded, 503, "HTTP 503: busy"),
    (error(502, body="<html>", content_type="text/html"), errors.Overloaded, 502, "a web page"),
    (error(500, body=b"\xff\xfe{"), errors.Overloaded, 500, "HTTP 500"),
    (web_page(404), errors.NotFound, 404, "is the base URL right (it ends in /v1)?"),
    (web_page(200), errors.MalformedResponse, 200, "is the base URL right (it ends in /v1)?"),
    (web_page(200, "Hello"), errors.MalformedResponse, 200, "this is a web page"),
    (redirect("https://new.example/v1"), errors.PermanentError, 307, "https://new.example/v1"),
    (redirect("/login", 302), errors.PermanentError, 302, "--base-url"),
    (cut_at_once(), errors.Unanswered, None, "closed the connection before it answered"),
    (cut_at_once(Act.RESET), errors.Unanswered, None, "closed the connection before"),
]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize(("recipe", "kind", "status", "text"), FAULTS)
async def test_each_fault_is_its_own_error(
    server: FaultServer,
    connect: Connect,
    ask: Ask,
    secret: str,
    recipe: Recipe,
    kind: type[errors.ProviderError],
    status: int | None,
    text: str,
    stream: bool,
) -> None:
    server.replies = recipe
    caught = await failure(connect(), ask(), whole=not stream)
    assert type(caught) is kind
    assert caught.http_status == status
    assert text in str(caught)
    assert secret not in f"{caught} {caught!r} {vars(caught)!r}"
    assert len(server.calls) == 1


@pytest.mark.parametrize("act", [Act.CUT, Act.RESET])
async def test_a_connection_cut_in_the_middle_is_a_broken_stream(
    server: FaultServer, connect: Connect, ask: Ask, act: Act
) -> None:
    server.replies = cut(after=2, act=act)
    caught = await failure(connect(), ask())
    assert isinstance(caught, errors.StreamBroken)
    assert caught.http_status == 200
    assert "cut in the middle of the answer" in str(caught)


async def test_a_whole_body_cut_in_the_middle_is_a_broken_stream(
    server: FaultServer, connect: Connect, ask: Ask
) -> None:
    half = Reply([b'{"choices": [', Act.CUT], headers={"Content-Length": "500"})
    server.replies = lambda call: half
    caught = await failure(connect(), ask(), whole=True)
    assert isinstance(caught, errors.StreamBroken)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After-Ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": formatdate(0, usegmt=True)}, 0.0),
        (
            {
                "Date": formatdate(2_000_000_000, usegmt=True),
                "Retry-After": formatdate(2_000_000_045, usegmt=True),
            },
            45.0,
        ),
    ],
)
async def test_the_wait_a_server_asks_for_is_carried(
    server: FaultServer, connect: Connect, ask: Ask, headers: dict[str, str], wait: float | None
) -> None:
    server.replies = [rate_limited(headers=headers), error(503, headers=headers)]
    provider = connect()
    for _ in range(2):
        caught = await failure(provider, ask())
        assert isinstance(caught, errors.RateLimited | errors.Overloaded)
        assert caught.retry_after == wait
        assert caught.should_retry is None


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("false", False)])
async def test_the_servers_word_on_retrying_is_carried(
    server: FaultServer, connect: Connect, ask: Ask, word: str, expected: bool
) -> None:
    server.replies = error(500, headers={"X-Should-Retry": word})
    caught = await failure(connect(), ask())
    assert isinstance(caught, errors.Overloaded)
    assert caught.should_retry is expected


async def test_a_stream_that_falls_silent_has_stalled(
    server: FaultServer, connect: Connect, ask: Ask
) -> None:
    server.replies = stalled(asyncio.Event(), after=3)
    caught = await failure(connect(stall_timeout=0.05), ask())
    assert isinstance(caught, errors.Stalled)
    assert caught.http_status == 200
    assert str(caught) == "no byte for 0.05 s in the middle of the answer"


@pytest.mark.parametrize("recipe", [never, lambda: stalled(asyncio.Event(), after=0)])
async def test_a_first_token_that_does_not_come_is_a_timeout_of_the_whole_request(
    server: FaultServer, connect: Connect, ask: Ask, recipe: Callable[[], Recipe]
) -> None:
    server.replies = recipe()
    caught = await failure(connect(timeout=0.2, stall_timeout=0.02), ask())
    assert isinstance(caught, errors.TimedOut)
    assert caught.http_status is None
    assert str(caught) == "no complete answer within 0.2 s"


async def test_a_stream_that_never_ends_is_a_timeout_of_the_whole_request(
    server: FaultServer, connect: Connect, ask: Ask
) -> None:
    server.replies = stalled(asyncio.Event(), after=2)
    stream = connect(timeout=1.0, stall_timeout=60.0).stream(ask())
    assert (await anext(stream)).text
    with pytest.raises(errors.TimedOut) as caught:
        await anext(stream)
    assert caught.value.http_status == 200


async def test_after_a_timeout_the_task_goes_on_and_the_next_request_works(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = [never(), answer("fine")]
    provider = connect(timeout=0.1)
    await failure(provider, ask())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert (await collect(provider, ask()))[-1].status == "ok"


async def test_a_cancelled_request_is_cancelled_and_lets_go_of_its_connection(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = held(asyncio.Event())
    task = asyncio.create_task(collect(connect(), ask()))
    while not server.in_flight:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while server.in_flight:  # the server sees the connection go
        await asyncio.sleep(0)


async def test_an_abandoned_stream_ends_at_the_server_too(
    server: FaultServer, connect: Connect, ask: Ask
) -> None:
    server.replies = stalled(asyncio.Event(), after=3)
    stream = connect().stream(ask())
    assert (await anext(stream)).text
    await stream.aclose()
    while server.in_flight:
        await asyncio.sleep(0)


async def test_a_refused_connection_names_the_host(connect: Connect, ask: Ask) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = taken.getsockname()[1]
        caught = await failure(connect(f"http://127.0.0.1:{port}/v1"), ask())
    assert isinstance(caught, errors.ConnectionFailed)
    assert caught.http_status is None
    assert f"can't connect to 127.0.0.1:{port}: " in str(caught)


async def test_a_server_that_does_not_speak_http_is_reported(connect: Connect, ask: Ask) -> None:
    async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(gibberish, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        caught = await failure(connect(f"http://127.0.0.1:{port}/v1"), ask())
    assert isinstance(caught, errors.MalformedResponse)
    assert "is not HTTP" in str(caught)


async def test_https_to_a_plain_server_is_a_failed_connection(
    server: FaultServer, connect: Connect, ask: Ask
) -> None:
    caught = await failure(connect(server.url.replace("http:", "https:")), ask())
    assert isinstance(caught, errors.ConnectionFailed)
    assert "does it speak https?" in str(caught)


async def test_a_certificate_that_nobody_signed_is_refused(connect: Connect, ask: Ask) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("selfsigned.pem"))
    async with FaultServer(tls=context) as secured:
        caught = await failure(connect(secured.url), ask())
        assert secured.calls == []
    assert isinstance(caught, errors.Untrusted)
    assert "certificate" in str(caught)


async def test_connections_are_kept_and_used_again(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = [answer(), answer(), error(429), error(500), answer(stream=False), answer()]
    provider = connect()
    for _ in range(2):
        await collect(provider, ask())
    for _ in range(2):
        await failure(provider, ask())
    for _ in range(2):
        await collect(provider, ask())
    assert server.connections == 1


async def test_concurrent_requests_have_a_connection_each(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    release = asyncio.Event()
    server.replies = held(release)
    provider = connect()
    async with asyncio.TaskGroup() as group:
        for _ in range(150):  # more than aiohttp's own limit of 100
            group.create_task(collect(provider, ask()))
        while server.in_flight < 150:
            await asyncio.sleep(0)
        release.set()
    assert server.peak == 150


async def test_the_headers_carry_the_key_and_ask_for_no_compression(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, secret: str
) -> None:
    await collect(connect(headers={"X-Team": "blue"}), ask())
    await collect(connect(key=None), ask())
    await collect(connect(headers={"authorization": "Basic abc"}), ask())
    first, keyless, own = (call.headers for call in server.calls)
    assert first["Authorization"] == f"Bearer {secret}"
    assert first["X-Team"] == "blue"
    assert first["Accept-Encoding"] == "identity"
    assert first["Content-Type"] == "application/json"
    assert "Authorization" not in keyless
    assert own["Authorization"] == "Basic abc"


async def test_a_cookie_is_never_sent_back(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = answer(headers={"Set-Cookie": "spy=1"})
    provider = connect()
    await collect(provider, ask())
    await collect(provider, ask())
    assert "Cookie" not in server.calls[1].headers


async def test_a_proxy_of_the_environment_is_used(
    server: FaultServer,
    connect: Connect,
    ask: Ask,
    collect: Collect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    deltas = await collect(connect("http://llm.example/v1"), ask())
    assert deltas[-1].status == "ok"
    assert server.calls[0].headers["Host"] == "llm.example"


async def test_a_proxy_that_is_not_there_is_named_as_such(
    connect: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://user:hunter2@127.0.0.1:{port}")
        caught = await failure(connect("http://llm.example/v1"), ask())
    assert isinstance(caught, errors.ConnectionFailed)
    assert "can't connect to the proxy for llm.example:80" in str(caught)
    assert "hunter2" not in f"{caught!r}"


async def test_large_response_headers_are_taken(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = answer(headers={"X-Policy": "p" * 20_000})
    assert (await collect(connect(), ask()))[-1].status == "ok"


async def test_compression_that_nobody_asked_for_is_undone_or_reported(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    def squeezed(parts: list[bytes]) -> list[bytes]:
        return [gzip.compress(b"".join(parts))]

    packed = {"Content-Encoding": "gzip"}
    server.replies = [answer(headers=packed, edit=squeezed), answer(headers=packed)]
    provider = connect()
    assert (await collect(provider, ask()))[-1].status == "ok"
    caught = await failure(provider, ask())
    assert isinstance(caught, errors.MalformedResponse)
    assert "compression is broken" in str(caught)


async def test_what_arrived_before_a_cut_is_handed_out(
    server: FaultServer, connect: Connect, ask: Ask
) -> None:
    server.replies = cut(after=4, text="one two three four")
    stream = connect().stream(ask())
    said = ""
    while said != "one two three":  # in one read or in several
        said += (await anext(stream)).text
    with pytest.raises(errors.StreamBroken):
        await anext(stream)


async def test_closing_twice_is_safe_and_leaves_nothing_behind(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    provider = connect()
    await collect(provider, ask())
    await provider.aclose()
    await provider.aclose()
    del provider
    gc.collect()


@pytest.mark.parametrize("opening", [b'data: {"x": "', b'{"choices": [{"message": {"content": "'])
async def test_an_answer_without_an_end_is_given_up_and_not_asked_for_again(
    server: FaultServer, connect: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch, opening: bytes
) -> None:
    monkeypatch.setattr(sse, "LARGEST_EVENT", 100_000)
    monkeypatch.setattr(http_module, "LARGEST_ANSWER", 100_000)
    server.replies = lambda call: Reply([opening, *[b"x" * 10_000] * 30, Act.HANG])
    error = await failure(connect(), ask())
    assert isinstance(error, errors.MalformedResponse)
    assert error.should_retry is False
    assert "has no end" in str(error)


@pytest.mark.parametrize("reply", [web_page(200), web_page(404), error(404, body=b"")])
@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("groq/m", "(it ends in /v1)"),
        ("anthropic/m", "(without /v1)"),
        ("gemini/m", "(without /v1beta)"),
        ("azure/m", "(as https://NAME.openai.azure.com, without a path)"),
    ],
)
async def test_the_advice_about_the_base_url_is_that_of_the_provider(
    server: FaultServer, ask: Ask, collect: Collect, model: str, hint: str, reply: Recipe
) -> None:
    server.replies = reply
    (route,) = resolve(JobConfig(model=model, base_url=server.root), {})
    provider = open_provider(route, timeout=10.0, stall_timeout=10.0)
    with pytest.raises(errors.ProviderError) as caught:
        await collect(provider, ask())
    await provider.aclose()
    assert f"is the base URL right {hint}?" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "api.example/v1", "ftp://h/v1", "http://", "http://u:p@h/v1", "http://h:x/v1"]
)
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.ConfigError, match=r"https://HOST$"):
        Http(url, name="x")


@pytest.mark.parametrize("headers", [{"X Y": "a"}, {"": "a"}, {"X-A": "a\r\nX-B: b"}])
def test_a_header_that_can_not_be_sent_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(errors.ConfigError, match="header"):
        Http("http://h/v1", name="x", headers=headers)


def test_nothing_shows_the_key(secret: str) -> None:
    http = Http("http://h/v1", name="x", key=Key(secret), headers={"X-Api-Key": "other-secret"})
    provider = Native(http, OpenAIWire(http.failures, ANY_SERVER), name="x")
    shown = f"{http!r} {vars(http)!r} {http.failures!r} {provider!r}"
    assert secret not in shown
    assert "other-secret" not in shown
    assert "other-secret" not in http.failures.clean("is other-secret wrong?")


async def test_streams_that_have_to_wait_in_line_lose_nothing(
    server: FaultServer, connect: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where more comes than can be read: each turn of the loop reads from one of fifty."""
    monkeypatch.setattr(turns, "SHARE", 1)
    text = " ".join(f"word{number}" for number in range(200))
    server.replies = answer(text, chunks=200)
    provider = connect()

    async def whole() -> str:
        return "".join([delta.text async for delta in provider.stream(ask("x"))])

    assert set(await asyncio.gather(*(whole() for _ in range(50)))) == {text}


async def test_a_stream_that_breaks_while_it_waits_in_line_hands_out_what_came(
    server: FaultServer, connect: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SHARE", 1)
    server.replies = cut(after=5)
    provider = connect()

    async def broken() -> str:
        parts: list[str] = []

        async def read() -> None:
            async for delta in provider.stream(ask("one two three four five six seven eight")):
                parts.append(delta.text)

        with pytest.raises(errors.StreamBroken):
            await read()
        return "".join(parts)

    alone = await broken()
    assert alone
    assert set(await asyncio.gather(*(broken() for _ in range(20)))) == {alone}
