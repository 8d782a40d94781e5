"""Gemini on real sockets: what is sent, and every shape in which an answer may come."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from faultreplies import Act, Call, Recipe, Reply, Step, answer, crlf, cut, inserted, resplit
from geminiwire import bare, chunk, failure, quota_failure, retry_info, sse

from faultserver import FaultServer
from faultwire import echo
from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.dialects import KNOWN
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Delta, Quota, Request, Usage
from llmbatch.jobs.providers.gemini import GeminiWire
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.native import Native

DIALECT = KNOWN["gemini"]
SECRET = "AIzaSy-do-not-print-this"

Open = Callable[..., Native]


OVERLOADED = failure(503, "UNAVAILABLE", "The model is overloaded. {Try} again [later].")
TOOL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}


def ask(messages: Any = "one two three", model: str = "gemini-2.5-flash", **rest: Any) -> Request:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    extra = rest.pop("extra", {})
    return Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint="chat",
        model=model,
        fingerprint="f",
        messages=messages,
        params=rest,
        extra=extra,
    )


def sent(*steps: Step, content_type: str = "text/event-stream") -> Recipe:
    return lambda call: Reply(steps, headers={"Content-Type": content_type})


def failed(status: int, value: Any, **headers: str) -> Recipe:
    raw = json.dumps(value).encode()
    return lambda call: Reply([raw], status, {"Content-Type": "application/json", **headers})


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running


@pytest.fixture
async def open_one(server: FaultServer) -> AsyncIterator[Open]:
    opened: list[Native] = []

    def connect(**options: Any) -> Native:
        options = {"key": Key(SECRET), "header": DIALECT.header, **options}
        http = Http(server.root, name="gemini", **options)
        opened.append(Native(http, GeminiWire(http.failures, DIALECT), name="gemini"))
        return opened[-1]

    yield connect
    for provider in opened:
        await provider.aclose()


async def collect(provider: Native, request: Request | None = None, **how: Any) -> list[Delta]:
    return [delta async for delta in provider.stream(request or ask(), **how)]


async def joined(provider: Native, request: Request | None = None, **how: Any) -> Answer:
    made = Answer(0.0)
    for delta in await collect(provider, request, **how):
        made.add(delta, 0.0)
    return made


@pytest.mark.parametrize("plain", [False, True], ids=["streamed", "plain"])
async def test_a_request_is_sent_and_its_answer_read(
    server: FaultServer, open_one: Open, plain: bool
) -> None:
    made = await joined(open_one(), ask("say hi now", temperature=0.5), whole=plain)
    assert (made.output, made.status, made.finish_reason) == (echo("say hi now"), "ok", "STOP")
    assert made.usage == Usage(3, 5)
    call = server.calls[0]
    method = "generateContent" if plain else "streamGenerateContent?alt=sse"
    assert call.target == f"/v1beta/models/gemini-2.5-flash:{method}"
    assert call.body == {
        "contents": [{"role": "user", "parts": [{"text": "say hi now"}]}],
        "generationConfig": {"temperature": 0.5},
    }


async def test_the_key_goes_into_its_header_and_nowhere_else(
    server: FaultServer, open_one: Open
) -> None:
    await collect(open_one())
    call = server.calls[0]
    assert call.headers["x-goog-api-key"] == SECRET
    assert "Authorization" not in call.headers
    assert SECRET not in call.target + json.dumps(call.body)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3-pro", "models/gemini-3-pro"),
        ("models/gemini-3-pro", "models/gemini-3-pro"),
        ("tunedModels/my-own", "tunedModels/my-own"),
        ("../../v1/files", "models/..%2F..%2Fv1%2Ffiles"),
        ("models/../x", "models/..%2Fx"),
        ("x?key=1&alt=json#y", "models/x%3Fkey=1&alt=json%23y"),
        ("ein Modell/ü", "models/ein%20Modell%2F%C3%BC"),
        ("..", "models/.."),
        ("a%2Fb", "models/a%252Fb"),
    ],
)
async def test_a_models_name_stays_one_step_of_the_path(
    server: FaultServer, open_one: Open, model: str, path: str
) -> None:
    await collect(open_one(), ask(model=model))
    assert server.calls[0].target == f"/v1beta/{path}:streamGenerateContent?alt=sse"


IN_STREAM = [
    (OVERLOADED, errors.Overloaded, "overloaded"),
    (failure(429, "RESOURCE_EXHAUSTED", "slow down", retry_info("7s")), errors.RateLimited, "slow"),
    (failure(400, "INVALID_ARGUMENT", "bad role"), errors.BadRequest, "bad role"),
    (failure(500, "INTERNAL", "oops"), errors.Overloaded, "oops"),
    (failure(504, "DEADLINE_EXCEEDED", "late"), errors.Overloaded, "late"),
    (failure(401, "UNAUTHENTICATED", "who"), errors.AuthFailed, "who"),
    (failure(403, "PERMISSION_DENIED", "API key was leaked"), errors.AuthFailed, "leaked"),
    (failure(404, "NOT_FOUND", "no such model"), errors.NotFound, "no such model"),
    ({"error": {"status": "UNAVAILABLE", "message": "gone"}}, errors.Overloaded, "gone"),
    ({"error": {"status": "RESOURCE_EXHAUSTED"}}, errors.RateLimited, "no reason given"),
    ({"error": {"message": "strange"}}, errors.ErrorInStream, "strange"),
]


@pytest.mark.parametrize("shape", ["bare", "event", "alone", "listed"])
@pytest.mark.parametrize(("value", "kind", "told"), IN_STREAM)
async def test_an_error_within_a_stream_is_told_as_what_it_is(
    server: FaultServer, open_one: Open, value: Any, kind: Any, told: str, shape: str
) -> None:
    before = sse(chunk("Hello"), chunk(" you"))
    data = {
        "bare": before + bare(value),
        "event": before + sse(value),
        "alone": bare(value),
        "listed": before + bare([value]),
    }[shape]
    server.replies = sent(data)
    with pytest.raises(kind, match=told) as caught:
        await collect(open_one())
    assert type(caught.value) is kind
    if kind is errors.RateLimited and "details" in value["error"]:
        assert caught.value.retry_after == 7.0


async def test_what_came_before_an_error_is_handed_out(server: FaultServer, open_one: Open) -> None:
    server.replies = sent(sse(chunk("Hello")), bare(OVERLOADED))
    stream = open_one().stream(ask())
    assert await anext(stream) == Delta("Hello")
    with pytest.raises(errors.Overloaded):
        await anext(stream)


@pytest.mark.parametrize("plain", [False, True], ids=["streamed", "plain"])
async def test_everything_an_answer_may_hold_arrives(
    server: FaultServer, open_one: Open, plain: bool
) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    server.replies = answer(
        "Grüße, 世界 😀", reasoning="Hm.", tool_calls=[TOOL], usage=usage, finish="length"
    )
    made = await joined(open_one(), whole=plain)
    assert (made.output, made.reasoning) == ("Grüße, 世界 😀", "Hm.")
    assert made.tool_calls == [TOOL]
    assert (made.status, made.finish_reason) == ("truncated", "MAX_TOKENS")
    assert made.usage == Usage(9, 8, 4, 3)


@pytest.mark.parametrize(
    "recipe",
    [crlf(), resplit(1), resplit(7), answer(edit=lambda parts: [*parts, b": bye\n\n"])],
    ids=["crlf", "bytes", "sevens", "comment"],
)
async def test_the_stream_may_come_in_any_pieces(
    server: FaultServer, open_one: Open, recipe: Recipe
) -> None:
    server.replies = recipe
    made = await joined(open_one(), ask("Grüße 😀"))
    assert (made.output, made.status) == (echo("Grüße 😀"), "ok")


async def test_a_server_without_sse_sends_a_list(server: FaultServer, open_one: Open) -> None:
    values = [chunk("Hel"), chunk("lo", finish="STOP")]
    server.replies = sent(json.dumps(values).encode(), content_type="application/json")
    made = await joined(open_one())
    assert (made.output, made.status) == ("Hello", "ok")


async def test_a_stream_is_read_to_its_end_for_the_usage(
    server: FaultServer, open_one: Open
) -> None:
    late = {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 6}}
    server.replies = sent(sse(chunk("x", finish="STOP")), 0.01, sse(late))
    assert (await joined(open_one())).usage == Usage(5, 6)


async def test_a_stream_cut_after_its_finish_is_whole(server: FaultServer, open_one: Open) -> None:
    server.replies = sent(sse(chunk("x", finish="STOP")), Act.CUT)
    assert (await joined(open_one())).status == "ok"


@pytest.mark.parametrize("act", [Act.CUT, Act.RESET])
async def test_a_stream_cut_before_its_finish_is_broken(
    server: FaultServer, open_one: Open, act: Act
) -> None:
    server.replies = cut(after=2, act=act)
    with pytest.raises(errors.StreamBroken):
        await collect(open_one())


async def test_unknown_kinds_of_events_and_parts_are_passed_over(
    server: FaultServer, open_one: Open
) -> None:
    odd = chunk({"somethingNew": {"a": 1}}, "!")
    server.replies = inserted({"sessionUpdate": {"x": 1}}, then_end=False)
    assert (await joined(open_one())).output == echo("one two three")
    server.replies = sent(b"event: ping\ndata: {}\n\n", sse(odd, chunk(finish="STOP")))
    assert (await joined(open_one())).output == "!"


SHORT = sse(chunk("Hé"), chunk("y", finish="STOP")) + sse(
    {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}}
)


FINISHED_AT = len(SHORT) - len(SHORT.rpartition(b"data: ")[2]) - len(b"data: ")


@pytest.mark.parametrize("form", ["sse", "list"])
async def test_a_truncated_answer_is_accepted_at_no_byte_before_its_finish(
    server: FaultServer, open_one: Open, form: str
) -> None:
    listed = json.dumps([chunk("Hé"), chunk("y", finish="STOP")]).encode()
    data, enough = (SHORT, FINISHED_AT) if form == "sse" else (listed, len(listed))
    provider = open_one()
    for end in range(1, len(data) + 1):
        server.replies = sent(data[:end])
        if end >= enough:
            made = await joined(provider)
            assert (made.output, made.status) == ("Héy", "ok")
            continue
        with pytest.raises(errors.TransientError) as caught:
            await collect(provider)
        assert isinstance(caught.value, errors.StreamBroken | errors.MalformedResponse)


async def test_the_key_is_in_no_error(server: FaultServer, open_one: Open) -> None:
    def repeat(call: Call) -> Recipe:
        key = call.headers["x-goog-api-key"]
        return failed(400, failure(400, "INVALID_ARGUMENT", f"API key {key} not valid"))

    server.replies = repeat
    provider = open_one()
    with pytest.raises(errors.BadRequest) as caught:
        await collect(provider)
    assert SECRET not in str(caught.value) + repr(provider)


async def test_a_429_says_when_to_come_back_and_what_the_limit_is(
    server: FaultServer, open_one: Open
) -> None:
    limits = quota_failure(
        **{
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier": "10",
            "GenerateContentInputTokensPerModelPerMinute-FreeTier": "250000",
        }
    )
    value = failure(429, "RESOURCE_EXHAUSTED", "You exceeded", limits, retry_info("22s"))
    server.replies = failed(429, value)
    heard: list[Quota] = []
    with pytest.raises(errors.RateLimited) as caught:
        await collect(open_one(), hear=heard.append)
    assert caught.value.retry_after == 22.0
    assert heard == [Quota(rpm=10.0, tpm=250000.0)]


async def test_limits_in_headers_come_before_those_in_a_body(
    server: FaultServer, open_one: Open
) -> None:
    value = failure(429, "RESOURCE_EXHAUSTED", "no", quota_failure(RequestsPerMinute="10"))
    server.replies = failed(429, value)
    heard: list[Quota] = []
    with pytest.raises(errors.RateLimited):
        await collect(open_one(quota=lambda headers: Quota(rpm=7)), hear=heard.append)
    assert heard == [Quota(rpm=7)]


def pieces_of(answers: Sequence[Delta]) -> list[str]:
    return [delta.text for delta in answers if delta.text]


async def test_each_event_counts_however_many_come_at_once(
    server: FaultServer, open_one: Open
) -> None:
    server.replies = answer("a b c")
    deltas = await collect(open_one())
    assert "".join(pieces_of(deltas)) == "a b c"
    assert sum(delta.chunks for delta in deltas if delta.text) == 3


async def test_the_signature_of_a_thought_comes_back_to_where_it_was(
    server: FaultServer, open_one: Open
) -> None:
    call = {"functionCall": {"id": "c1", "name": "add", "args": {"a": 1}}, "thoughtSignature": "AB"}
    server.replies = [sent(sse(chunk(call, finish="STOP"))), answer()]
    provider = open_one()
    made = await joined(provider)
    asked = {"role": "user", "content": "Add"}
    said = {"role": "assistant", "content": None, "tool_calls": made.tool_calls}
    await joined(provider, ask([asked, said]))
    assert server.calls[1].body["contents"][1]["parts"] == [call]
