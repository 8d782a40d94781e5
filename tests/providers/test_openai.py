"""The provider on real sockets: what is sent, and every shape in which an answer may come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from faultreplies import (
    JSON,
    Act,
    Call,
    Recipe,
    Reply,
    Step,
    answer,
    commented,
    crlf,
    cut,
    error_in_stream,
    inserted,
    malformed,
    resplit,
    stalled,
    truncated,
)
from msgspec import structs

from faultserver import FaultServer
from faultwire import DONE, echo, vector
from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.model import Delta, Request, Usage
from llmbatch.jobs.providers.native import Native

Ask = Callable[..., Request]
Collect = Callable[..., Any]
Connect = Callable[..., Native]

CALLED = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
TOOL = {"id": "c1", "type": "function", "function": CALLED}


def joined(deltas: Sequence[Delta]) -> Answer:
    answer = Answer(0.0)
    for delta in deltas:
        answer.add(delta, 0.0)
    return answer


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("endpoint", ["chat", "completions", "responses"])
async def test_each_endpoint_is_asked_and_read(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, endpoint: str, stream: bool
) -> None:
    request = ask("say hi now", endpoint, temperature=0.5)
    result = joined(await collect(connect(), request, whole=not stream))
    assert (result.output, result.status) == (echo("say hi now"), "ok")
    assert result.usage == Usage(3, 5)
    call = server.calls[0]
    assert call.endpoint == endpoint
    assert (call.body["model"], call.body["temperature"]) == ("m", 0.5)
    assert call.body["stream"] is stream


async def test_a_stream_asks_for_its_usage_and_keeps_the_rows_options(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    provider = connect()
    await collect(provider, ask())
    await collect(provider, ask(stream_options={"include_obfuscation": False}))
    await collect(provider, ask(stream_options=None))
    await collect(provider, ask(stream_options={"include_obfuscation": False}), whole=True)
    sent = [call.body.get("stream_options") for call in server.calls]
    assert sent[0] == {"include_usage": True}
    assert sent[1] == {"include_usage": True, "include_obfuscation": False}
    assert "stream_options" not in server.calls[2].body
    assert "stream_options" not in server.calls[3].body


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
async def test_embeddings_come_as_vectors(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, stream: bool
) -> None:
    provider = connect()
    one = await collect(provider, ask("hello", "embeddings"), whole=not stream)
    two = await collect(provider, ask(["a", "bc"], "embeddings"), whole=not stream)
    assert [delta.value for delta in one] == [vector("hello")]
    assert two[0].value == [vector("a"), vector("bc")]
    assert "stream" not in server.calls[0].body


SHAPES: list[tuple[str, Recipe]] = [
    ("as usual", answer()),
    ("whole, although a stream was asked for", answer(stream=False)),
    ("a stream, although none was asked for", answer(stream=True)),
    ("one byte at a time", resplit(1)),
    ("odd splits", resplit(7)),
    ("CR LF", crlf()),
    ("comments", commented(b": OPENROUTER PROCESSING\n\n")),
    ("without usage", answer(usage=False)),
    ("a wrong content type", answer(headers={"Content-Type": "text/plain"})),
    ("JSON's content type", answer(headers={"Content-Type": "application/json"})),
    ("blanks first", answer(edit=lambda parts: [b"\n\n", b"   \n", *parts])),
    ("many blanks first", answer(edit=lambda parts: [b"\n" * 100, b"\n" * 60, *parts])),
    ("a BOM first", answer(edit=lambda parts: [b"\xef\xbb\xbf", *parts])),
    ("without [DONE]", answer(edit=lambda parts: [p for p in parts if p != DONE])),
    ("more after [DONE]", answer(edit=lambda parts: [*parts, b"data: {oops\n\n"])),
    (
        "text after [DONE]",
        answer(
            edit=lambda parts: [
                *parts,
                0.01,
                b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n',
            ]
        ),
    ),
    (
        "an error after [DONE]",
        answer(edit=lambda parts: [*parts, 0.01, b'data: {"error": {"message": "x"}}\n\n']),
    ),
    ("a filter chunk first", inserted({"choices": []}, after=0, then_end=False)),
    ("cut after the finish", answer(edit=lambda parts: [*parts[:-2], Act.CUT])),
    ("reset after [DONE]", answer(edit=lambda parts: [*parts, Act.RESET])),
]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("recipe", [r for _, r in SHAPES], ids=[name for name, _ in SHAPES])
async def test_an_answer_is_understood_whichever_way_it_comes(
    server: FaultServer,
    connect: Connect,
    ask: Ask,
    collect: Collect,
    recipe: Recipe,
    stream: bool,
) -> None:
    server.replies = recipe
    result = joined(await collect(connect(), ask("żółć 😀 end"), whole=not stream))
    assert (result.output, result.status) == (echo("żółć 😀 end"), "ok")


@pytest.mark.parametrize("lines", [1, 63, 64, 5_000])
async def test_empty_lines_before_a_whole_answer_are_no_part_of_it(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, lines: int
) -> None:
    plain = answer("Hi", stream=False)

    async def recipe(call: Call) -> Reply:
        (body,) = plain(call).steps
        return Reply([b"\n" * lines, 0.01, b"\n", body], headers={"Content-Type": JSON})

    server.replies = recipe
    result = joined(await collect(connect(), ask(), whole=True))
    assert (result.output, result.status) == ("Hi", "ok")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
async def test_everything_that_a_model_can_say_is_kept(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, stream: bool
) -> None:
    item = {"token": "Hi", "logprob": -0.5}
    server.replies = answer(
        "Hi", reasoning="hm", reasoning_key="reasoning", tool_calls=[TOOL], logprobs=[item]
    )
    result = joined(await collect(connect(), ask(), whole=not stream))
    assert (result.output, result.reasoning, result.logprobs) == ("Hi", "hm", [item])
    assert [call["function"] for call in result.tool_calls] == [CALLED]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
async def test_a_refusal_is_named(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, stream: bool
) -> None:
    server.replies = answer("", refusal="I will not.")
    result = joined(await collect(connect(), ask(), whole=not stream))
    assert (result.output, result.status) == ("I will not.", "refused")


@pytest.mark.parametrize(
    ("recipe", "kind", "text"),
    [
        (truncated(after=3), errors.StreamBroken, "ended before its finish"),
        (truncated(after=0), errors.StreamBroken, "ended before its finish"),
        (
            answer(edit=lambda parts: [*parts[:3], DONE]),
            errors.StreamBroken,
            "ended before its finish",
        ),
        (answer(finish=""), errors.StreamBroken, "ended before its finish"),
        (cut(after=3), errors.StreamBroken, "the connection was cut"),
        (malformed(), errors.MalformedResponse, "not a JSON object"),
        (error_in_stream("boom"), errors.ErrorInStream, "boom"),
        (error_in_stream("slow", code="rate_limit_exceeded"), errors.RateLimited, "slow"),
        (error_in_stream("busy", code=503), errors.Overloaded, "busy"),
    ],
)
async def test_a_stream_without_its_finish_is_never_a_success(
    server: FaultServer,
    connect: Connect,
    ask: Ask,
    collect: Collect,
    recipe: Recipe,
    kind: type[errors.ProviderError],
    text: str,
) -> None:
    server.replies = recipe
    with pytest.raises(kind, match=text) as caught:
        await collect(connect(), ask())
    assert caught.value.http_status in (200, 429, 503)
    assert caught.value.provider == "fault"


async def test_an_error_in_a_stream_does_not_show_the_key(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, secret: str
) -> None:
    server.replies = error_in_stream(f"key {secret} is over its limit")
    with pytest.raises(errors.ErrorInStream) as caught:
        await collect(connect(), ask())
    assert secret not in f"{caught.value!r}"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"choices": [{"message": {"content": "Hi"}}]}']
)
async def test_a_whole_answer_that_is_none_is_an_error(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, body: bytes
) -> None:
    server.replies = lambda call: Reply([body], stream=False)
    with pytest.raises((errors.MalformedResponse, errors.StreamBroken)):
        await collect(connect(), ask(), whole=True)


async def test_tokens_are_handed_on_while_the_stream_still_runs(
    server: FaultServer, connect: Connect, ask: Ask
) -> None:
    release = asyncio.Event()
    server.replies = stalled(release, after=3, text="one two three")
    stream = connect().stream(ask())
    said = ""
    while said != "one two":  # all that was sent by now, in one read or in several
        said += (await anext(stream)).text
    release.set()
    assert "".join([delta.text async for delta in stream]) == " three"


async def test_a_silence_after_the_finish_does_not_spoil_the_answer(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    def edit(parts: list[bytes]) -> Sequence[Step]:
        return [*parts[:-2], asyncio.Event()]  # the finish came, usage and [DONE] never do

    server.replies = answer("Hi", edit=edit)
    result = joined(await collect(connect(stall_timeout=0.05), ask()))
    assert (result.output, result.status, result.usage) == ("Hi", "ok", None)


async def test_a_server_that_holds_the_line_after_done_is_not_waited_for(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = answer("Hi", edit=lambda parts: [*parts, asyncio.Event()])
    result = joined(await collect(connect(), ask()))  # 30 s of stall timeout, 600 in all
    assert (result.output, result.status, result.usage) == ("Hi", "ok", Usage(3, 1))


@pytest.mark.parametrize("value", ["\ud800", object(), {1: {"a": "\udfff"}}])
async def test_what_can_not_be_sent_is_a_bad_request_and_is_not_sent(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, value: Any
) -> None:
    with pytest.raises(errors.BadRequest, match="can't be written as JSON") as caught:
        await collect(connect(), ask("hello", user=value))
    assert caught.value.__context__ is None
    assert server.calls == []


async def test_a_long_answer_in_few_reads_is_whole(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    text = json.dumps(list(range(5000)))
    server.replies = answer(text)
    deltas = await collect(connect(), ask())
    assert joined(deltas).output == text
    assert sum(delta.chunks for delta in deltas) == len(text.split(" ")) + 1
    assert len(deltas) < 1000


# dialects


def sent(server: FaultServer) -> dict[str, Any]:
    body: dict[str, Any] = server.calls[-1].body
    return body


async def test_azure_has_the_deployment_in_the_path_and_the_version_in_the_query(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, secret: str
) -> None:
    server.replies = inserted({"choices": [], "prompt_filter_results": []}, after=0, then_end=False)
    result = joined(await collect(connect(dialect="azure"), ask("say hi")))
    assert (result.output, result.status) == (echo("say hi"), "ok")
    call = server.calls[0]
    assert call.target == "/openai/deployments/m/chat/completions?api-version=2024-10-21"
    assert call.headers["api-key"] == secret
    assert "Authorization" not in call.headers


@pytest.mark.parametrize(
    ("model", "encoded"),
    [("a/b", "a%2Fb"), ("a b?c#d%", "a%20b%3Fc%23d%25"), ("żółw", "%C5%BC%C3%B3%C5%82w")],
)
async def test_any_name_of_a_model_stays_one_step_of_the_path(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, model: str, encoded: str
) -> None:
    request = structs.replace(ask(), model=model)
    with suppress(errors.NotFound):  # the server takes an encoded slash for a real one
        await collect(connect(dialect="azure"), request)
    path = server.calls[0].target.partition("?")[0]
    assert path == f"/openai/deployments/{encoded}/chat/completions"


@pytest.mark.parametrize("model", [".", ".."])
async def test_a_model_that_would_change_the_path_is_not_sent(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, model: str
) -> None:
    with pytest.raises(errors.BadRequest, match="can't stand in a URL"):
        await collect(connect(dialect="azure"), structs.replace(ask(), model=model))
    assert server.calls == []


async def test_mistral_has_its_own_words_and_is_not_asked_for_usage(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    provider = connect(dialect="mistral")
    await collect(provider, ask(seed=7, max_completion_tokens=5, temperature=0))
    body = sent(server)
    assert (body["random_seed"], body["max_tokens"], body["temperature"]) == (7, 5, 0)
    assert not {"seed", "max_completion_tokens", "stream_options"} & body.keys()
    await collect(provider, ask(seed=7, random_seed=8))
    assert sent(server)["random_seed"] == 8
    await collect(provider, ask("text", "embeddings", dimensions=4))
    assert sent(server)["output_dimension"] == 4


@pytest.mark.parametrize("name", ["deepseek", "ollama", "llamacpp", "together"])
async def test_servers_with_one_word_for_the_longest_answer_get_that_one(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, name: str
) -> None:
    await collect(connect(dialect=name), ask(max_completion_tokens=5))
    assert sent(server)["max_tokens"] == 5
    assert "max_completion_tokens" not in sent(server)


@pytest.mark.parametrize("endpoint", ["chat", "completions", "embeddings", "responses"])
async def test_extra_body_is_laid_over_the_body_last_and_as_it_stands(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, endpoint: str
) -> None:
    extra = {"seed": 2, "model": "other", "provider": {"order": ["a"]}, "max_completion_tokens": 3}
    request = structs.replace(ask("x", endpoint, seed=1, temperature=0), extra=extra)
    await collect(connect(dialect="deepseek"), request)
    assert extra.items() <= sent(server).items()
    assert sent(server)["temperature"] == 0


async def test_extra_body_may_ask_for_stream_options_or_leave_them_out(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    provider = connect()
    for options, expected in (
        (None, None),
        ({"include_obfuscation": False}, {"include_usage": True, "include_obfuscation": False}),
    ):
        await collect(provider, structs.replace(ask(), extra={"stream_options": options}))
        assert sent(server).get("stream_options") == expected


async def test_an_answer_that_deepseek_broke_off_is_tried_again(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = answer("Hi", finish="insufficient_system_resource")
    with pytest.raises(errors.Overloaded, match="insufficient_system_resource"):
        await collect(connect(dialect="deepseek"), ask())


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
async def test_a_chat_row_is_answered_through_responses(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, stream: bool
) -> None:
    server.replies = answer("Hi there", reasoning="hm" if stream else "", tool_calls=[TOOL])
    provider = connect(dialect="openai-responses")
    result = joined(await collect(provider, ask("say hi", max_tokens=50), whole=not stream))
    assert (result.output, result.status) == ("Hi there", "ok")
    assert [call["function"] for call in result.tool_calls] == [CALLED]
    assert server.calls[0].endpoint == "responses"
    assert sent(server) == {
        "model": "m",
        "input": [{"role": "user", "content": "say hi"}],
        "max_output_tokens": 50,
        "stream": stream,
    }


async def test_a_row_for_responses_goes_as_it_is(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}]
    await collect(connect(dialect="openai-responses"), ask(items, "responses", store=False))
    assert (sent(server)["input"], sent(server)["store"]) == (items, False)


async def test_what_responses_has_no_words_for_is_not_sent(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    part = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    with pytest.raises(errors.BadRequest, match=r"messages\[0\].content\[0\] \(input_audio\)"):
        await collect(connect(dialect="openai-responses"), ask([part]))
    assert server.calls == []
