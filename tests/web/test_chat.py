"""The chat over the WebSocket: it streams, it stops, and it says why there is no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faultreplies import answer, cut, error, stalled, unauthorized
from pageserver import Page, page

from faultserver import FaultServer

HELLO = [{"role": "user", "content": "Hello"}]
KEY = "sk-recognisable-0123456789abcdef"


@pytest.fixture
async def model() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def server(tmp_path: Path, model: FaultServer) -> AsyncIterator[Page]:
    environ = {"OPENAI_API_KEY": KEY}
    settings = {"model": "openai/m", "base_url": model.url, "fallbacks": ("openai/n",)}
    async with page(tmp_path, environ=environ, retries=1, max_wait=0.01, **settings) as opened:
        yield opened


async def test_the_models_of_the_configuration_are_offered(server: Page) -> None:
    async with server.browser() as ear:
        assert ear.hello["chat"] == {"models": ["openai/m", "openai/n"], "default": "openai/m"}


async def test_an_answer_streams_and_ends_with_its_figures(
    server: Page, model: FaultServer
) -> None:
    hold = asyncio.Event()
    model.replies = stalled(hold, text="Good morning to you all", after=4)
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO, model="openai/m", system="Be kind.")
        first = await ear.next("chunk", chat="c1", attempt=None)
        assert model.calls[0].body["messages"][0] == {"role": "system", "content": "Be kind."}
        hold.set()
        _, done = await ear.answered("c1")
        text = "".join(m["text"] or "" for m in ear.heard if m["type"] == "chunk")
        assert (text, first["type"]) == ("Good morning to you all", "chunk")
        assert done["type"] == "done"
        assert done["stopped"] is False
        result = done["result"]
        assert (result["status"], result["model"]) == ("ok", "m")
        assert result["usage"]["output_tokens"] > 0
        assert result["metrics"]["ttft_s"] > 0
        assert "output" not in result  # its text is not repeated


async def test_stopping_closes_the_providers_stream(server: Page, model: FaultServer) -> None:
    never = asyncio.Event()
    model.replies = stalled(never, text="One two three four", after=3)
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO)
        await ear.next("chunk", chat="c1")
        await ear.say(type="stop", chat="c1")
        done = await ear.next("done", chat="c1")
        assert (done["stopped"], done["result"]) == (True, None)
        async with asyncio.timeout(10):
            while model.in_flight:
                await asyncio.sleep(0.01)
        model.replies = answer("Again")
        await ear.say(type="chat", chat="c1", messages=HELLO)
        assert (await ear.answered("c1"))[0] == "Again"


async def test_an_answer_that_is_stopped_before_it_began_is_told_too(server: Page) -> None:
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO)
        await ear.say(type="stop", chat="c1")  # comes in with it: nothing is waited for between
        assert (await ear.next("done", chat="c1"))["stopped"] is True


async def test_a_page_that_is_closed_stops_its_answers(server: Page, model: FaultServer) -> None:
    model.replies = stalled(asyncio.Event(), after=3)
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO)
        await ear.next("chunk", chat="c1")
        assert model.in_flight == 1
    async with asyncio.timeout(10):
        while model.in_flight:
            await asyncio.sleep(0.01)


async def test_a_new_attempt_makes_void_what_came(server: Page, model: FaultServer) -> None:
    model.replies = [cut(text="One two three four"), answer("Whole")]
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO)
        text, done = await ear.answered("c1")
        assert text == "Whole"
        assert done["result"]["metrics"]["attempts"] == 2


async def test_one_chat_has_one_answer_at_a_time(server: Page, model: FaultServer) -> None:
    hold = asyncio.Event()
    model.replies = stalled(hold, after=3)
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO)
        await ear.next("chunk", chat="c1")
        await ear.say(type="chat", chat="c1", messages=HELLO)
        refused = await ear.next("error")
        assert "stop it first" in refused["message"]
        assert "chat" not in refused  # which would be the end of the first answer
        await ear.say(type="chat", chat="c2", messages=HELLO)
        await ear.next("chunk", chat="c2")
        hold.set()
        assert (await ear.answered("c2"))[1]["result"]["status"] == "ok"


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        "[]",
        '{"type":"chat"}',
        '{"type":"chat","chat":1,"messages":[]}',
        '{"type":"dance"}',
        '{"type":"watch","job":7}',
        "[" * 100_000,
        '{"type":"chat","chat":"c","messages":' + "[" * 100_000,
    ],
)
async def test_a_message_that_is_none_is_answered_by_what_is_wrong(
    server: Page, message: str
) -> None:
    async with server.browser() as ear:
        await ear.socket.send_str(message)
        assert "no message" in (await ear.next("error"))["message"]
        await ear.say(type="chat", chat="c1", messages=HELLO)  # and the connection lives
        await ear.next("done", chat="c1")


async def test_a_message_that_is_too_long_is_refused(server: Page, model: FaultServer) -> None:
    async with server.browser() as ear:
        await ear.say(
            type="chat", chat="c1", messages=[{"role": "user", "content": "x" * 5_000_000}]
        )
        assert "4 MB" in (await ear.next("error"))["message"]
        assert model.calls == []


@pytest.mark.parametrize("name", ["openai/other", "local/../secret.gguf", "", "x" * 1000])
async def test_no_model_but_those_of_the_configuration_is_asked(
    server: Page, model: FaultServer, name: str
) -> None:
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO, model=name)
        assert "none of the models" in (await ear.next("error", chat="c1"))["message"]
        assert model.calls == []


async def test_wrong_messages_are_named(server: Page, model: FaultServer) -> None:
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=[{"role": "robot", "content": "x"}])
        done = await ear.next("done", chat="c1")
        assert done["result"]["status"] == "invalid"
        assert "role" in done["result"]["error"]["message"]
        assert model.calls == []


async def test_a_key_never_reaches_the_browser(server: Page, model: FaultServer) -> None:
    model.replies = [error(400, f"Bad request with {KEY}"), unauthorized(), unauthorized()]
    async with server.browser() as ear:
        for number in range(3):
            await ear.say(type="chat", chat=f"c{number}", messages=HELLO)
            await ear.answered(f"c{number}")
        assert KEY not in str(ear.heard)
        assert KEY in model.calls[0].headers["Authorization"]


async def test_a_refused_key_is_told_in_the_commands_words(
    server: Page, model: FaultServer
) -> None:
    model.replies = lambda call: unauthorized()(call)
    async with server.browser() as ear:
        await ear.say(type="chat", chat="c1", messages=HELLO)
        _, told = await ear.answered("c1")
        assert "key" in str(told)


async def test_without_weights_it_says_what_to_do(tmp_path: Path) -> None:
    async with page(tmp_path) as server, server.browser() as ear:
        chat = ear.hello["chat"]
        assert (chat["models"], chat["default"]) == ([], None)
        assert "llmbatch models pull" in chat["why"] or "pip install" in chat["why"]
        await ear.say(type="chat", chat="c1", messages=HELLO)
        assert (await ear.next("error", chat="c1"))["message"] == chat["why"]
