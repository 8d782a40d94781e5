"""A conversation asks over the same routes as a job, and outlives whatever goes wrong with one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from faultreplies import (
    Call,
    Recipe,
    answer,
    context_too_long,
    cut,
    error,
    held,
    stalled,
    unauthorized,
)

from faultserver import FaultServer
from llmbatch.jobs.config import JobConfig, PriceConfig, ProviderConfig
from llmbatch.jobs.errors import AuthFailed, BudgetReached, ConfigError
from llmbatch.jobs.events import AttemptFailed, Event, Noted, RowFinished
from llmbatch.jobs.model import Result
from llmbatch.jobs.talk.messages import problem
from llmbatch.jobs.talk.talk import Talk, open_talk

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def second() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


def config(server: FaultServer, **more: Any) -> JobConfig:
    return JobConfig(model="m", base_url=server.url, **more)


def two(server: FaultServer, second: FaultServer, **more: Any) -> JobConfig:
    """Two servers of the configuration's own, by name."""
    providers = {
        "one": ProviderConfig(base_url=server.url),
        "two": ProviderConfig(base_url=second.url),
    }
    return JobConfig(providers=providers, model="one/m", retries=0, **more)


class Ear:
    """Hears an answer, and can be waited for."""

    def __init__(self) -> None:
        self.pieces: list[str | None] = []
        self.begun = asyncio.Event()

    def __call__(self, text: str | None) -> None:
        self.pieces.append(text)
        self.begun.set()


async def asked(talk: Talk, text: str = "Hello", **more: Any) -> Result:
    return await talk.ask([{"role": "user", "content": text}], Ear(), **more)


async def test_an_answer_is_heard_as_it_arrives_and_ends_with_its_figures(
    server: FaultServer,
) -> None:
    go_on, ear = asyncio.Event(), Ear()
    server.replies = stalled(go_on, after=2, text="one two three", chunks=3)
    price = {"*": PriceConfig(input=1, output=2)}
    async with open_talk(config(server, prices=price)) as talk:
        asking = asyncio.create_task(talk.ask(HELLO, ear))
        await ear.begun.wait()
        assert not asking.done()
        go_on.set()
        result = await asking
    assert "".join(piece or "" for piece in ear.pieces) == "one two three" == result.output
    assert len(ear.pieces) > 1
    assert result.status == "ok"
    assert result.usage is not None
    assert result.usage.output_tokens > 0
    assert result.cost_usd is not None
    assert result.cost_usd > 0
    assert result.metrics is not None
    assert result.metrics.ttft_s is not None


async def test_cancelling_closes_the_stream_at_once_and_the_next_question_works(
    server: FaultServer,
) -> None:
    ear = Ear()
    server.replies = [stalled(asyncio.Event()), answer("Yes")]
    async with open_talk(config(server)) as talk:
        asking = asyncio.create_task(talk.ask(HELLO, ear))
        await ear.begun.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        async with asyncio.timeout(10):
            while server.in_flight:
                await asyncio.sleep(0)
        assert (await asked(talk)).output == "Yes"


async def test_several_questions_are_under_way_at_once(server: FaultServer) -> None:
    go_on = asyncio.Event()
    server.replies = held(go_on, text="Yes")
    async with open_talk(config(server)) as talk:
        asking = [asyncio.create_task(asked(talk)) for _ in range(3)]
        async with asyncio.timeout(10):
            while server.in_flight < 3:
                await asyncio.sleep(0)
        go_on.set()
        assert [result.output for result in await asyncio.gather(*asking)] == ["Yes"] * 3


async def test_a_failed_question_is_a_result_with_its_reason(server: FaultServer) -> None:
    server.replies = [context_too_long(), answer("Yes")]
    async with open_talk(config(server)) as talk:
        result = await asked(talk)
        assert result.status == "error"
        assert result.error is not None
        assert result.error.type == "context_too_long"
        assert "4096" in result.error.message
        assert (await asked(talk)).status == "ok"


async def test_a_refused_key_is_an_error_and_the_next_question_tries_anew(
    server: FaultServer,
) -> None:
    server.replies = [unauthorized(), answer("Yes")]
    async with open_talk(config(server), {"OPENAI_API_KEY": "sk-secret"}) as talk:
        with pytest.raises(AuthFailed) as caught:
            await asked(talk)
        assert "sk-secret" not in str(caught.value)
        assert (await asked(talk)).output == "Yes"


async def test_what_a_broken_stream_brought_is_void(server: FaultServer) -> None:
    server.replies = [cut(after=2, text="wrong words", chunks=2), answer("Right")]
    ear = Ear()
    events: list[Event] = []
    async with open_talk(config(server, max_wait=0.01), observers=[events.append]) as talk:
        result = await talk.ask(HELLO, ear)
    void = ear.pieces.index(None)
    assert void > 0
    assert "".join(piece or "" for piece in ear.pieces[void:]) == "Right" == result.output
    failed, finished = events
    assert isinstance(failed, AttemptFailed)
    assert isinstance(finished, RowFinished)
    assert finished.result is result


async def test_the_first_attempt_voids_nothing(server: FaultServer) -> None:
    server.replies = [error(500), answer("Yes")]
    ear = Ear()
    async with open_talk(config(server, max_wait=0.01)) as talk:
        await talk.ask(HELLO, ear)
    assert None not in ear.pieces


async def test_a_fallback_answers(server: FaultServer, second: FaultServer) -> None:
    server.replies, second.replies = error(400), answer("Yes")
    async with open_talk(two(server, second, fallbacks=("two/n",))) as talk:
        result = await asked(talk)
    assert (result.provider, result.fallbacks, result.output) == ("two", 1, "Yes")


async def test_another_model_is_asked_by_its_name(server: FaultServer, second: FaultServer) -> None:
    async with open_talk(two(server, second, fallbacks=("two/n",))) as talk:
        assert talk.models[:2] == ("one/m", "two/n")
        assert (await asked(talk, model="two/n")).provider == "two"
        assert (await asked(talk, model="two/other")).model == "other"
        assert (await asked(talk)).provider == "one"
    assert [call.body["model"] for call in second.calls] == ["n", "other"]


async def test_models_on_the_same_route_share_its_limits(
    server: FaultServer, second: FaultServer
) -> None:
    go_on = asyncio.Event()
    server.replies, second.replies = error(400), held(go_on, text="Yes")
    async with open_talk(two(server, second, fallbacks=("two/n",), concurrency=1)) as talk:
        asking = [asyncio.create_task(asked(talk, model=name)) for name in ("one/m", "two/n")]
        async with asyncio.timeout(10):
            while not second.calls or not server.calls:
                await asyncio.sleep(0)
        go_on.set()
        results = await asyncio.gather(*asking)
    assert [result.output for result in results] == ["Yes", "Yes"]
    assert second.peak == 1


async def test_a_model_that_cannot_be_asked_says_why_and_the_others_answer(
    server: FaultServer,
) -> None:
    async with open_talk(two(server, server), {}) as talk:
        with pytest.raises(ConfigError, match="did you mean openai"):
            await asked(talk, model="opnai/gpt")
        with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
            await asked(talk, model="openai/gpt")
        assert (await asked(talk)).status == "ok"


async def test_what_is_about_rows_is_left_out(server: FaultServer) -> None:
    rows = {"inputs": ("x.jsonl",), "template": "{{x}}", "endpoint": "embeddings", "canary": 3}
    about = {"system": "Be brief.", "params": {"temperature": 0.5}}
    async with open_talk(config(server, **rows, **about)) as talk:
        await asked(talk, params={"max_tokens": 7})
        own = [{"role": "system", "content": "Be long."}, *HELLO]
        await talk.ask(own, Ear())
    first, other = (call.body for call in server.calls)
    assert first["messages"] == [{"role": "system", "content": "Be brief."}, *HELLO]
    assert (first["temperature"], first["max_tokens"]) == (0.5, 7)
    assert other["messages"] == own
    assert "max_tokens" not in other


async def test_a_budget_holds_over_all_questions(server: FaultServer) -> None:
    async def ask(talk: Talk, most: int) -> Result:
        return await asked(talk, params={"max_tokens": most})

    server.replies = answer("Yes", usage={"prompt_tokens": 10, "completion_tokens": 40})
    async with open_talk(config(server, max_tokens_total=300)) as talk:
        await ask(talk, 100)
        with pytest.raises(BudgetReached, match="300 tokens"):
            await ask(talk, 250)
        assert (await ask(talk, 100)).status == "ok"
        with pytest.raises(BudgetReached):
            await ask(talk, 150)
        assert talk.budget is not None
        assert talk.budget.used_tokens == 100
    assert len(server.calls) == 2


async def test_a_waiting_question_ends_where_the_budget_does(server: FaultServer) -> None:
    go_on = asyncio.Event()

    def used_up(call: Call) -> Recipe:
        return held(go_on, text="Yes", usage={"prompt_tokens": 50, "completion_tokens": 50})

    server.replies = used_up
    async with open_talk(config(server, max_tokens_total=230)) as talk:
        first = asyncio.create_task(asked(talk, params={"max_tokens": 100}))
        async with asyncio.timeout(10):
            while not server.calls:
                await asyncio.sleep(0)
        second = asyncio.create_task(asked(talk, params={"max_tokens": 100}))
        for _ in range(100):  # far enough to stand in line for the money
            await asyncio.sleep(0)
        go_on.set()
        assert (await first).status == "ok"
        with pytest.raises(BudgetReached):
            await second
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "empty"),
        ("Hello", "must be a list, got a string"),
        ([1], r"messages\[0\] must be an object, got a number"),
        ([{"role": "tool", "content": ""}], 'role must be system, user or assistant, got "tool"'),
        ([{"content": "x"}], "got nothing"),
        ([*HELLO, {"role": "user", "content": [{"type": "text"}]}], r"\[1\].content must be a str"),
    ],
)
async def test_what_is_no_conversation_is_told(
    server: FaultServer, messages: Any, reason: str
) -> None:
    async with open_talk(config(server)) as talk:
        result = await talk.ask(messages, Ear())
    assert result.status == "invalid"
    assert result.error is not None
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(result.error.message)
    assert problem(messages) == result.error.message
    assert not server.calls


async def test_text_that_no_request_can_carry_is_told(server: FaultServer) -> None:
    async with open_talk(config(server)) as talk:
        result = await asked(talk, "broken \ud800 text")
    assert result.status == "invalid"


async def test_answers_fit_the_schema_that_was_asked_for(server: FaultServer) -> None:
    server.replies = [answer('{"name": 1}'), answer('{"name": "Ada"}')]
    async with open_talk(config(server, schema="name:str")) as talk:
        assert (await asked(talk)).output == {"name": "Ada"}


@pytest.mark.model
async def test_the_embedded_model_answers_and_its_loading_is_said(smollm2: Path) -> None:
    events: list[Event] = []
    ear = Ear()
    job = JobConfig(params={"max_tokens": 12, "temperature": 0})
    async with open_talk(job, observers=[events.append]) as talk:
        assert talk.models[0] == "local/smollm2"
        result = await talk.ask(HELLO, ear)
        assert (await asked(talk)).status in ("ok", "truncated")
    assert result.output == "".join(piece or "" for piece in ear.pieces)
    assert [event.text for event in events if isinstance(event, Noted)] == [
        "loading the model local/smollm2"
    ]
