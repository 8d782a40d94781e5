"""One exchange, byte for byte, by both ways to do it: directly, and through aiohttp's session."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDict
from rawserver import HEAD_END, OK, RawServer, Talk, fields_of

from llmbatch.jobs.providers import direct
from llmbatch.jobs.providers.direct import Direct, open_exchange
from llmbatch.jobs.providers.exchange import Answer, Exchange
from llmbatch.jobs.providers.session import ThroughSession

# A session says it of every body above 1 MB; outside of tests, nobody hears it.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")

PEM = Path(__file__).with_name("selfsigned.pem")
HEADERS = CIMultiDict(
    {"Content-Type": "application/json", "User-Agent": "llmbatch", "authorization": "Bearer k"}
)
LARGE = b"x" * (20 << 20)
"""More than any socket holds."""

Open = Callable[..., Exchange]


@pytest.fixture(params=[Direct, ThroughSession])
def way(request: pytest.FixtureRequest) -> type[Exchange]:
    chosen: type[Exchange] = request.param
    return chosen


@pytest.fixture
async def opened(way: Callable[..., Exchange]) -> AsyncIterator[Open]:
    """``opened(url, proxy=None)``: an exchange of the way; all are closed in the end."""
    all_of_them: list[Exchange] = []

    def open_one(url: str, proxy: str | None = None) -> Exchange:
        all_of_them.append(way(url, HEADERS, proxy))
        return all_of_them[-1]

    yield open_one
    for one in all_of_them:
        await one.aclose()


async def body_of(answer: Answer) -> bytes:
    parts = []
    try:
        while data := await answer.read():
            parts.append(data)
    finally:
        answer.close()
    return b"".join(parts)


async def turns(count: int = 50) -> None:
    """Let the loop turn: what was written on loopback arrives."""
    for _ in range(count):
        await asyncio.sleep(0)


async def ask(exchange: Exchange, body: bytes = b"{}", path: str = "/chat") -> bytes:
    return await body_of(await exchange.post(path, body))


@pytest.mark.parametrize("base", ["", "/v1", "/a b/%2F/ä"])
@pytest.mark.parametrize(
    "path", ["/chat", "/models/m:generate?alt=sse", "/d/x?api-version=1&b=%20"]
)
@pytest.mark.parametrize("proxied", [False, True])
async def test_both_ways_send_the_same_head(base: str, path: str, proxied: bool) -> None:
    heads: list[bytes] = []

    async def script(talk: Talk) -> None:
        while True:
            head, body = await talk.request()
            assert body == b'{"a": "\xc3\xa4"}'
            heads.append(head)
            talk.answer()

    headers = CIMultiDict({**HEADERS, "X-Näme".encode("ascii", "ignore").decode(): "blü"})
    async with RawServer(script) as server:
        url, proxy = server.url + base, None
        if proxied:
            url = "http://llm.example:81" + base
            proxy = server.url.replace("://", "://user:pw@")
        for made in (Direct, ThroughSession):
            exchange = made(url, headers, proxy)
            for _ in range(2):  # over a new connection, and over one that was kept
                assert await ask(exchange, '{"a": "ä"}'.encode(), path) == b"{}"
            await exchange.aclose()
    lines = {head.split(b"\r\n")[0] for head in heads}
    assert len(lines) == 1
    ours, again, theirs, theirs_again = map(fields_of, heads)
    assert ours == again == theirs == theirs_again
    assert ("proxy-authorization" in ours) == proxied


@pytest.mark.parametrize(
    "between",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_answers_that_are_none_yet_are_passed_over(
    opened: Open, between: bytes, at_once: bool
) -> None:
    async def script(talk: Talk) -> None:
        for _ in range(2):
            await talk.request()
            talk.say(between)
            if not at_once:
                await turns()
            talk.answer(b"real")
        await talk.gone()

    async with RawServer(script) as server:
        exchange = opened(server.url)
        assert [await ask(exchange) for _ in range(2)] == [b"real", b"real"]
        assert server.connections == 1


BODIES = [
    (b"Content-Length: 5\r\n\r\nhello", False),
    (b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-T: 1\r\n\r\n", False),
    (b"Content-Length: 5\r\nConnection: close\r\n\r\nhello", True),
    (b"Connection: close\r\n\r\nhello", True),
    (b"\r\nhello", True),
]


@pytest.mark.parametrize(("rest", "ends"), BODIES)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
async def test_each_kind_of_body_is_read_and_only_a_whole_one_keeps_its_connection(
    opened: Open, rest: bytes, ends: bool, size: int
) -> None:
    async def script(talk: Talk) -> None:
        while True:
            await talk.request()
            for at in range(0, len(rest), size):
                talk.say((OK if at == 0 else b"") + rest[at : at + size])
                await asyncio.sleep(0)
            if ends:
                return

    async with RawServer(script) as server:
        exchange = opened(server.url)
        for _ in range(2):
            assert await ask(exchange) == b"hello"
        assert server.connections == (2 if ends else 1)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_keeps_its_connection(opened: Open, status: bytes) -> None:
    async def script(talk: Talk) -> None:
        while True:
            await talk.request()
            talk.say(b"HTTP/1.1 " + status + HEAD_END)

    async with RawServer(script) as server:
        exchange = opened(server.url)
        for _ in range(2):
            answer = await exchange.post("/chat", b"{}")
            assert answer.status == int(status[:3])
            assert answer.ready() == b""
            assert answer.ended
            assert await body_of(answer) == b""
        assert server.connections == 1


async def test_an_answer_has_ended_when_all_of_it_came_and_was_handed_out(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.say(OK + b"Content-Length: 4\r\n\r\nab")
        assert await go_on.wait()
        talk.say(b"cd")

    go_on = asyncio.Event()
    async with RawServer(script) as server:
        answer = await opened(server.url).post("/chat", b"{}")
        body = await answer.read()
        assert body == b"ab"
        assert not answer.ended
        go_on.set()
        body += await answer.read()
        assert body == b"abcd"
        assert answer.ended
        assert await answer.read() == b""


async def test_redirects_are_not_followed_and_cookies_not_sent_back(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        for _ in range(2):
            head, _ = await talk.request()
            assert "cookie" not in fields_of(head)
            talk.say(b"HTTP/1.1 307 Away\r\nLocation: /there\r\nSet-Cookie: a=b\r\n")
            talk.say(b"Content-Length: 0" + HEAD_END)
        await talk.gone()

    async with RawServer(script) as server:
        exchange = opened(server.url)
        for _ in range(2):
            answer = await exchange.post("/chat", b"{}")
            assert (answer.status, answer.headers["location"]) == (307, "/there")
            assert await body_of(answer) == b""


async def test_a_refusal_is_heard_while_the_body_is_still_on_its_way(opened: Open) -> None:
    came: list[int] = []

    async def script(talk: Talk) -> None:
        if talk.number:
            await talk.request()
            talk.answer()
            return
        await talk.head()
        talk.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await turns()  # it does not read, so the rest can't leave
        came.append(await talk.gone())

    async with RawServer(script) as server:
        exchange = opened(server.url)
        answer = await exchange.post("/chat", LARGE)
        assert answer.status == 413
        assert await body_of(answer) == b"big"
        assert await ask(exchange) == b"{}"
        assert server.connections == 2  # half a request is on the first one
        while not came:
            await asyncio.sleep(0)


async def test_a_large_body_arrives_whole_at_a_server_that_reads_slowly(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        while True:
            head = await talk.head()
            left = len(LARGE)
            assert int(fields_of(head)["content-length"][0]) == left
            while left:
                data = await talk.reader.read(min(left, 300_000))
                assert data == LARGE[: len(data)]
                left -= len(data)
                await asyncio.sleep(0)
            talk.answer()

    async with RawServer(script) as server:
        exchange = opened(server.url)
        for _ in range(2):
            assert await ask(exchange, LARGE) == b"{}"
        assert server.connections == 1


async def test_a_slow_reader_holds_the_server_back_and_gets_everything(opened: Open) -> None:
    sent = 0

    async def script(talk: Talk) -> None:
        nonlocal sent
        await talk.request()
        talk.say(OK + b"Content-Length: %d" % len(LARGE) + HEAD_END)
        for at in range(0, len(LARGE), 1 << 16):
            talk.say(LARGE[at : at + (1 << 16)])
            await talk.writer.drain()
            sent = at
        await talk.gone()

    async with RawServer(script) as server:
        answer = await opened(server.url).post("/chat", b"{}")
        first = await answer.read()
        before = -1
        while before != sent:  # until nothing moves any more
            before = sent
            await turns()
        assert sent < len(LARGE) - (4 << 20)
        assert first + await body_of(answer) == LARGE


async def test_a_request_that_is_cancelled_while_it_is_sent_ends_its_connection() -> None:
    heads: list[bytes] = []
    came: list[int] = []

    async def script(talk: Talk) -> None:
        heads.append(await talk.head())
        while not came:
            await asyncio.sleep(0)
        came.append(await talk.gone())

    async with RawServer(script) as server:
        exchange = Direct(server.url, HEADERS, None)
        task = asyncio.create_task(exchange.post("/chat", LARGE))
        while not heads:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        came.append(0)
        while len(came) < 2:
            await asyncio.sleep(0)
        await exchange.aclose()
    assert came[1] < len(LARGE)


@pytest.mark.parametrize("told", [b"", OK, OK + b"Content-Length: 9" + HEAD_END + b"half"])
async def test_a_request_that_is_cancelled_while_it_waits_ends_its_connection(
    opened: Open, told: bytes
) -> None:
    asked = asyncio.Event()
    ended = asyncio.Event()

    async def script(talk: Talk) -> None:
        if talk.number:
            await talk.request()
            talk.answer()
            return
        await talk.request()
        talk.say(told)
        asked.set()
        await talk.gone()
        ended.set()

    async with RawServer(script) as server:
        exchange = opened(server.url)
        task = asyncio.create_task(ask(exchange))
        await asked.wait()
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if b"half" not in told:
            await ended.wait()
        assert await ask(exchange) == b"{}"
        assert server.connections == 2


async def test_a_request_that_is_cancelled_while_it_connects_leaves_nothing(opened: Open) -> None:
    greeted = asyncio.Event()
    ended = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.reader.read(1)  # TLS's first word, which gets no answer
        greeted.set()
        await talk.gone()
        ended.set()

    async with RawServer(script) as server:
        exchange = opened(server.url.replace("http:", "https:"))
        task = asyncio.create_task(ask(exchange))
        await greeted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ended.wait()


async def test_an_answer_that_is_let_go_ends_its_connection(opened: Open) -> None:
    ended = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        talk.say(OK + b"Content-Length: 9" + HEAD_END + b"half")
        await talk.gone()
        ended.set()

    async with RawServer(script) as server:
        answer = await opened(server.url).post("/chat", b"{}")
        assert await answer.read() == b"half"
        answer.close()
        answer.close()
        await ended.wait()


async def test_what_came_before_a_cut_is_there_and_then_the_cut(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.say(OK + b"Transfer-Encoding: chunked" + HEAD_END + b"3\r\none\r\n3\r\ntwo\r\n")

    async with RawServer(script) as server:
        answer = await opened(server.url).post("/chat", b"{}")
        got: list[bytes] = []

        async def read_on() -> None:
            while True:
                got.append(await answer.read())

        for _ in range(2):
            with pytest.raises(aiohttp.ClientPayloadError):
                await read_on()
            got.append(answer.ready())
        assert b"".join(got) == b"onetwo"
        answer.close()


async def test_a_kept_connection_that_the_server_ended_is_not_used(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.answer(b"%d" % talk.number)

    async with RawServer(script) as server:
        exchange = opened(server.url)
        for number in range(3):
            assert await ask(exchange) == b"%d" % number
            await turns()


async def test_a_kept_connection_that_ends_on_the_next_request_is_no_answer(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.answer()
        await talk.head()

    async with RawServer(script) as server:
        exchange = opened(server.url)
        assert await ask(exchange) == b"{}"
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(exchange)
        assert server.connections == 1


async def test_an_answer_that_nobody_asked_for_is_not_the_next_ones() -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.answer(b"yours")
        await turns()
        talk.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate")
        await talk.gone()

    async with RawServer(script) as server:
        exchange = Direct(server.url, HEADERS, None)
        for _ in range(2):
            answer = await exchange.post("/chat", b"{}")
            assert answer.status == 200
            assert await body_of(answer) == b"yours"
            await turns()
        assert server.connections == 2
        await exchange.aclose()


async def test_a_switch_of_protocols_is_an_answer_and_ends_its_connection(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.say(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade" + HEAD_END)
        await talk.gone()

    async with RawServer(script) as server:
        answer = await opened(server.url).post("/chat", b"{}")
        assert answer.status == 101
        answer.close()


async def test_an_answer_behind_a_switch_that_names_no_protocol_is_not_the_next_ones() -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        if talk.number == 0:
            talk.say(b"HTTP/1.1 101 Switching" + HEAD_END)
            with suppress(asyncio.IncompleteReadError):
                await talk.request()
        talk.answer(b"of %d" % talk.number)
        await talk.gone()

    async with RawServer(script) as server:
        exchange = Direct(server.url, HEADERS, None)
        answer = await exchange.post("/chat", b"{}")
        assert answer.status == 101
        answer.close()
        assert await ask(exchange) == b"of 1"
        await exchange.aclose()


async def test_ipv6_and_tls(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(cafile=PEM)
    context.check_hostname = False
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(PEM)

    async def script(talk: Talk) -> None:
        while True:
            head, body = await talk.request()
            assert fields_of(head)["host"] == [server.url.removeprefix("https://")]
            talk.answer(body)

    async with RawServer(script, host="::1", tls=own) as server:
        exchange = opened(server.url)
        for body in (b"small", os.urandom(3_000_000)):
            assert await ask(exchange, body) == body
        assert server.connections == 1


async def test_the_direct_way_is_taken_where_aiohttp_has_its_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = open_exchange("http://127.0.0.1:1", HEADERS, None)
    assert isinstance(first, Direct)
    await first.aclose()
    monkeypatch.delattr("aiohttp.connector.Connection.release")
    direct.is_possible.cache_clear()
    try:
        second = open_exchange("http://127.0.0.1:1", HEADERS, None)
        assert isinstance(second, ThroughSession)
        await second.aclose()
    finally:
        direct.is_possible.cache_clear()


async def test_nothing_shows_the_headers(opened: Open) -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.answer()

    async with RawServer(script) as server:
        exchange = opened(server.url)
        answer = await exchange.post("/chat", b"{}")
        assert "Bearer" not in f"{exchange!r} {answer!r} {getattr(exchange, '_targets', '')!r}"
        await body_of(answer)


@pytest.mark.parametrize("ends", [False, True])
async def test_what_comes_while_a_connection_is_held_comes_whole(opened: Open, ends: bool) -> None:
    """Also what the server says last, before it closes or keeps the connection."""
    pieces = [b"%d," % number for number in range(2000)]
    held, said = asyncio.Event(), asyncio.Event()

    async def script(talk: Talk) -> None:
        while True:
            await talk.request()
            close = b"Connection: close\r\n" if ends else b""
            talk.say(OK + close + b"Transfer-Encoding: chunked\r\n\r\n2\r\n0,\r\n")
            await held.wait()
            for piece in pieces[1:]:
                talk.say(b"%x\r\n%b\r\n" % (len(piece), piece))
            talk.say(b"0\r\n\r\n")
            said.set()
            if ends:
                return

    async with RawServer(script) as server:
        exchange = opened(server.url)
        for _ in range(2):
            answer = await exchange.post("/chat", b"{}")
            assert await answer.read() == b"0,"
            answer.hold()
            held.set()
            await said.wait()
            await turns()
            data = answer.ready()
            assert data + await body_of(answer) == b"".join(pieces[1:])
            held.clear()
            said.clear()
        assert server.connections == (2 if ends else 1)


async def test_a_held_connection_can_be_closed(opened: Open) -> None:
    gone = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        talk.say(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n0,\r\n")
        await talk.gone()
        gone.set()

    async with RawServer(script) as server:
        answer = await opened(server.url).post("/chat", b"{}")
        assert await answer.read() == b"0,"
        answer.hold()
        answer.close()
        await gone.wait()
