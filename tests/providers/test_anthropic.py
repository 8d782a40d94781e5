"""Anthropic's answers: event by event without a socket, then the whole way through one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import anthropicwire
import pytest
from anthropicwire import error_body
from faultreplies import (
    Act,
    Recipe,
    Step,
    answer,
    commented,
    crlf,
    cut,
    error,
    error_in_stream,
    inserted,
    malformed,
    resplit,
    stalled,
    truncated,
    web_page,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from faultserver import FaultServer
from faultwire import Answer as Said
from faultwire import echo, event
from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.dialects import KNOWN
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Delta, Request, Usage
from llmbatch.jobs.providers.anthropic import AnthropicWire, MessagesReader
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.native import Native
from llmbatch.jobs.providers.sse import SseParser

SECRET = "sk-ant-api03-do-not-print"
CALLED = {"name": "add", "arguments": '{"a": 1, "b": "ü"}'}
TOOL = {"id": "toolu_1", "type": "function", "function": CALLED}
BARE = {"id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": "{}"}}


def reader() -> MessagesReader:
    return MessagesReader(Failures("acme"))


def joined(deltas: Sequence[Delta | None]) -> Answer:
    made = Answer(0.0)
    for delta in deltas:
        if delta is not None:
            made.add(delta, 0.0)
    return made


def read(*values: dict[str, Any]) -> Answer:
    """The whole answer that these events make."""
    taken = reader()
    deltas = [taken.add(json.dumps(value).encode()) for value in values]
    return joined([*deltas, taken.end()])


def started(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"content": [], "usage": usage}}


def block(index: int = 0, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def piece(index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def text(said: str, index: int = 0) -> dict[str, Any]:
    return piece(index, type="text_delta", text=said)


def closed(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str | None = "end_turn", usage: Any = None, **delta: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": usage}


STOPPED = {"type": "message_stop"}


def test_text_is_passed_on_and_empty_pieces_are_not() -> None:
    taken = reader()
    for silent in (started(), block(type="text", text=""), text(""), {"type": "ping"}, closed()):
        assert taken.add(json.dumps(silent).encode()) is None
    assert taken.add(json.dumps(text("Hi")).encode()) == Delta("Hi")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("end_turn", "ok"),
        ("stop_sequence", "ok"),
        ("tool_use", "ok"),
        ("something_new", "ok"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("pause_turn", "truncated"),
        ("refusal", "refused"),
    ],
)
def test_the_stop_reason_says_how_it_ended_and_is_kept(word: str, status: str) -> None:
    made = read(started(), text("x"), ended(word), STOPPED)
    assert (made.status, made.finish_reason, made.output) == (status, word, "x")
    whole = {"type": "message", "content": [{"type": "text", "text": "x"}], "stop_reason": word}
    assert reader().whole(json.dumps(whole).encode()) == Delta(
        "x", status=made.status, finish_reason=word, tool_calls=[]
    )


@pytest.mark.parametrize(
    "values",
    [
        [],
        [started(), text("x")],
        [started(), text("x"), STOPPED],
        [started(), text("x"), ended(None), STOPPED],
        [started(), text("x"), ended(""), STOPPED],
    ],
)
def test_without_a_stop_reason_there_is_no_success(values: list[dict[str, Any]]) -> None:
    with pytest.raises(errors.StreamBroken, match="before its finish"):
        read(*values)


def test_the_stop_reason_finishes_and_message_stop_is_the_end() -> None:
    taken = reader()
    taken.add(json.dumps(ended()).encode())
    assert (taken.finished, taken.done) == (True, False)
    taken.add(json.dumps(STOPPED).encode())
    assert (taken.finished, taken.done) == (True, True)


@pytest.mark.parametrize(
    "later", [b"[DONE]", b" [DONE] ", b"oops", b'{"type": "error", "error": {"message": "x"}}']
)
def test_what_follows_the_finish_makes_no_failure_of_it(later: bytes) -> None:
    taken = reader()
    taken.add(json.dumps(ended()).encode())
    assert taken.add(later) is None
    assert taken.end().status == "ok"


def test_usage_counts_all_input_and_names_what_the_cache_gave_and_took() -> None:
    made = read(
        started(
            input_tokens=10,
            cache_creation_input_tokens=20,
            cache_read_input_tokens=300,
            output_tokens=1,
        ),
        ended(usage={"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30}}),
    )
    assert made.usage == Usage(330, 50, 300, 30, 20)


def test_usage_is_cumulative_so_the_last_count_holds() -> None:
    made = read(
        started(input_tokens=10, cache_read_input_tokens=5, output_tokens=1),
        ended(None, {"output_tokens": 20}),
        ended(usage={"input_tokens": 40, "cache_read_input_tokens": None, "output_tokens": 25}),
    )
    assert made.usage == Usage(45, 25, 5)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"server_tool_use": {"web_search_requests": 1}}, None),
        ({"output_tokens": 3}, Usage(0, 3)),
        ({"input_tokens": "7", "output_tokens": 3}, Usage(0, 3)),
        ({"input_tokens": -7, "output_tokens": 3}, Usage(0, 3)),
        ({"input_tokens": 1e300, "output_tokens": True}, None),
        ({"input_tokens": 2, "output_tokens_details": [], "output_tokens": 3}, Usage(2, 3)),
    ],
)
def test_an_odd_usage_does_no_harm(usage: Any, expected: Usage | None) -> None:
    assert read(ended(usage=usage)).usage == expected


def test_thinking_is_kept_apart_and_signatures_are_not_text() -> None:
    made = read(
        started(),
        block(type="thinking", thinking="", signature=""),
        piece(type="thinking_delta", thinking="Let me "),
        piece(type="thinking_delta", thinking="think."),
        piece(type="thinking_delta", thinking=""),
        piece(type="signature_delta", signature="c2ln"),
        closed(),
        block(1, type="redacted_thinking", data="b3BhcXVl"),
        closed(1),
        block(2, type="text", text=""),
        text("42", 2),
        ended(),
    )
    assert (made.reasoning, made.output, made.tool_calls) == ("Let me think.", "42", [])


def test_tool_calls_come_in_openais_words() -> None:
    made = read(
        started(),
        block(0, type="text", text=""),
        text("Let me see."),
        closed(0),
        block(1, type="tool_use", id="toolu_1", name="add", input={}),
        piece(1, type="input_json_delta", partial_json=""),
        piece(1, type="input_json_delta", partial_json='{"a": '),
        piece(1, type="input_json_delta", partial_json="1}"),
        closed(1),
        block(2, type="tool_use", id="toolu_2", name="now", input={}),
        closed(2),
        ended("tool_use"),
    )
    assert made.output == "Let me see."
    assert made.tool_calls == [
        {"id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ]


@pytest.mark.parametrize("close", [True, False])
def test_arguments_that_came_with_the_start_of_a_block_are_kept(close: bool) -> None:
    start = block(0, type="tool_use", id="t", name="f", input={"ü": [1]})
    end = [closed(), closed()] if close else []
    made = read(start, *end, ended("tool_use"))
    assert made.tool_calls[0]["function"] == {"name": "f", "arguments": '{"ü": [1]}'}


def test_the_servers_own_tools_are_no_tool_calls_but_text_is_text() -> None:
    made = read(
        block(0, type="server_tool_use", id="s", name="web_search", input={}),
        piece(0, type="input_json_delta", partial_json='{"query": "x"}'),
        closed(0),
        block(1, type="web_search_tool_result", tool_use_id="s", content=[{"text": "found"}]),
        closed(1),
        block(2, type="text", text="So "),
        text("it is.", 2),
        piece(2, type="citations_delta", citation={"cited_text": "found"}),
        closed(2),
        ended(),
    )
    assert (made.output, made.tool_calls, made.status) == ("So it is.", [], "ok")


def test_unknown_events_and_deltas_are_ignored() -> None:
    made = read(
        {"type": "message_progress", "delta": "odd", "index": "x", "message": []},
        {"type": 7},
        {},
        piece(type="hologram_delta", text="not for now", thinking="nor this"),
        block(3, type="hologram"),
        piece(9, type="input_json_delta", partial_json="{}"),
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_start", "index": 0},
        {"type": "message_start"},
        {"type": "message_delta"},
        text("Hi"),
        ended(),
    )
    assert (made.output, made.reasoning, made.tool_calls) == ("Hi", "", [])


def test_a_refusal_without_a_text_is_told_in_the_servers_words() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    made = read(started(), ended("refusal", stop_details=details))
    assert (made.status, made.output) == ("refused", "Not this.")
    spoke = read(block(type="text", text=""), text("I "), ended("refusal", stop_details=details))
    assert (spoke.status, spoke.output) == ("refused", "I ")
    for none in (None, {}, {"explanation": None}, "odd"):
        assert read(ended("refusal", stop_details=none)).output == ""


def test_halves_of_a_surrogate_pair_are_read_and_joined() -> None:
    taken = reader()
    deltas = [
        taken.add(
            rb'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
            rb'"text":"\ud83d"}}'
        ),
        taken.add(
            rb'{"type":"content_block_delta","index":0.5,"delta":{"type":"text_delta",'
            rb'"text":"\ude00","n":NaN}}'
        ),
        taken.add(json.dumps(ended()).encode()),
    ]
    assert joined([*deltas, taken.end()]).output == "😀"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"\xff", b'"x"', b"null", b"[" * 9000])
def test_an_event_that_is_no_object_is_malformed(data: bytes) -> None:
    with pytest.raises(errors.MalformedResponse, match="not a JSON object"):
        reader().add(data)
    with pytest.raises(errors.MalformedResponse, match="not a JSON object"):
        reader().whole(data)


@pytest.mark.parametrize(
    ("kind", "message", "expected", "status"),
    [
        ("overloaded_error", "Overloaded", errors.Overloaded, 529),
        ("api_error", "Internal server error", errors.Overloaded, 500),
        ("timeout_error", "Timed out", errors.Overloaded, 504),
        ("rate_limit_error", "Too fast", errors.RateLimited, 429),
        ("invalid_request_error", "Bad", errors.BadRequest, 400),
        ("invalid_request_error", "prompt is too long: 9 > 8", errors.ContextTooLong, 400),
        ("request_too_large", "Too large", errors.BadRequest, 413),
        ("authentication_error", "invalid x-api-key", errors.AuthFailed, 401),
        ("billing_error", "Pay", errors.QuotaExhausted, 402),
        ("permission_error", "Not for this model", errors.Refused, 403),
        ("not_found_error", "model: claude-9", errors.NotFound, 404),
        ("brand_new_error", "Odd", errors.ErrorInStream, 200),
    ],
)
def test_an_error_after_200_is_what_its_word_says(
    kind: str, message: str, expected: type[errors.ProviderError], status: int
) -> None:
    data = error_body(kind, message).encode()
    for read_it in (reader().add, reader().whole):
        with pytest.raises(errors.ProviderError, match=message) as caught:
            read_it(data)
        assert type(caught.value) is expected
        assert (caught.value.http_status, caught.value.provider) == (status, "acme")


@pytest.mark.parametrize(
    "value", [{"type": "error"}, {"type": "error", "error": None}, {"error": "why"}, {"error": {}}]
)
def test_an_odd_error_is_an_error_all_the_same(value: dict[str, Any]) -> None:
    with pytest.raises(errors.ErrorInStream):
        reader().add(json.dumps(value).encode())


@pytest.mark.parametrize(
    "value",
    [{}, {"content": []}, {"content": [{"type": "text", "text": "x"}], "stop_reason": None}],
)
def test_a_whole_answer_without_a_stop_reason_is_malformed(value: dict[str, Any]) -> None:
    with pytest.raises(errors.MalformedResponse, match="no stop_reason"):
        reader().whole(json.dumps(value).encode())


def test_a_whole_answer_with_odd_blocks_keeps_what_can_be_read() -> None:
    blocks = [7, {"type": "text", "text": None}, {"text": "A"}, {"type": "text", "text": "B"}]
    value = {"content": blocks, "stop_reason": "end_turn", "usage": 7}
    assert reader().whole(json.dumps(value).encode()).text == "AB"
    odd = {"content": "text", "stop_reason": "end_turn"}
    assert reader().whole(json.dumps(odd).encode()).text == ""


FULL = Said(
    ("Hé", " 😀"),
    finish="tool_calls",
    reasoning="Let me think",
    tool_calls=(TOOL, BARE),
    usage={"input_tokens": 3, "output_tokens": 9},
)


def streamed(data: bytes) -> Answer:
    """What a stream of these bytes is, as the provider would take it."""
    taken = reader()
    deltas = [taken.add(event) for event in SseParser().feed(data)]
    return joined([*deltas, taken.end()])


def test_a_stream_is_accepted_only_from_its_stop_reason_on_at_whatever_byte_it_is_cut() -> None:
    parts = anthropicwire.events(FULL)
    data, finish = b"".join(parts), sum(map(len, parts[:-1]))
    whole = streamed(data)
    assert (whole.output, whole.status) == ("Hé 😀", "ok")
    assert [call["function"]["arguments"] for call in whole.tool_calls] == [
        CALLED["arguments"],
        "{}",
    ]
    for cut_at in range(finish):
        with pytest.raises(errors.StreamBroken):
            streamed(data[:cut_at])
    for cut_at in range(finish, len(data)):
        late = streamed(data[:cut_at])
        assert (late.output, late.tool_calls, late.usage, late.status) == (
            whole.output,
            whole.tool_calls,
            whole.usage,
            whole.status,
        )


KEYS = ["type", "index", "delta", "content_block", "message", "usage", "error", "text", "thinking"]
KEYS += ["partial_json", "stop_reason", "stop_details", "explanation", "input", "content"]
TYPES = ["message_start", "message_delta", "message_stop", "content_block_start", "error", "ping"]
TYPES += ["content_block_delta", "content_block_stop", "text_delta", "input_json_delta", "tool_use"]
TYPES += ["thinking_delta", "text", "refusal", "end_turn", "server_tool_use", "\ud800"]
ATOM = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TYPES)
PART = st.dictionaries(st.sampled_from(KEYS), ATOM | st.just([]) | st.just({"x": 1}), max_size=4)
FIELD = ATOM | PART | st.lists(PART | ATOM, max_size=2)
EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES) | ATOM},
    optional=dict.fromkeys(
        ["delta", "content_block", "message", "usage", "error", "content"], FIELD
    )
    | {"index": st.integers(0, 2) | ATOM, "stop_reason": ATOM},
)


@settings(max_examples=400, deadline=None)
@given(values=st.lists(EVENT | FIELD, max_size=5), raw=st.binary(max_size=9))
def test_whatever_the_events_hold_only_errors_of_this_project_come_out(
    values: list[Any], raw: bytes
) -> None:
    taken = reader()
    datas = [json.dumps(value).encode() for value in values]
    with contextlib.suppress(errors.ProviderError):
        for data in [*datas, raw]:
            delta = taken.add(data)
            assert delta is None or isinstance(delta.text, str)
        assert taken.end().status is not None
    for data in datas:
        with contextlib.suppress(errors.ProviderError):
            assert reader().whole(data).status is not None


# Through sockets.

Ask = Callable[..., Any]


@pytest.fixture
async def claude() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running


@pytest.fixture
async def ask(claude: FaultServer) -> AsyncIterator[Ask]:
    """``await ask("prompt", whole=False, **params)``: the deltas of one attempt."""
    dialect = KNOWN["anthropic"]
    http = Http(
        claude.root,
        name="anthropic",
        key=Key(SECRET),
        header=dialect.header,
        headers=dialect.headers,
    )
    provider = Native(http, AnthropicWire(http.failures, dialect), name="anthropic")

    async def run(prompt: str = "one two three", *, whole: bool = False, **params: Any) -> Answer:
        request = Request(
            id="r",
            line=1,
            path="in.jsonl",
            endpoint="chat",
            model="claude-x",
            fingerprint="f",
            messages=[{"role": "user", "content": prompt}],
            params=params,
        )
        return joined([delta async for delta in provider.stream(request, whole=whole)])

    yield run
    await provider.aclose()


@pytest.mark.parametrize("whole", [False, True], ids=["streamed", "whole"])
async def test_a_request_goes_out_with_its_key_and_version_and_is_answered(
    claude: FaultServer, ask: Ask, whole: bool
) -> None:
    made = await ask("say hi now", whole=whole, temperature=0.5)
    assert (made.output, made.status, made.finish_reason) == (echo("say hi now"), "ok", "end_turn")
    assert made.usage == Usage(3, 5)
    (call,) = claude.calls
    assert call.path == "/v1/messages"
    assert (call.headers["x-api-key"], call.headers["anthropic-version"]) == (SECRET, "2023-06-01")
    assert "authorization" not in call.headers
    assert (call.body["stream"], call.body["temperature"]) == (not whole, 0.5)


SHAPES: list[tuple[str, Recipe]] = [
    ("as usual", answer()),
    ("whole, although a stream was asked for", answer(stream=False)),
    ("a stream, although none was asked for", answer(stream=True)),
    ("one byte at a time", resplit(1)),
    ("odd splits", resplit(7)),
    ("CR LF", crlf()),
    ("comments", commented()),
    ("pings", commented(event({"type": "ping"}, "ping"))),
    ("without usage", answer(usage=False)),
    ("without names", answer(edit=lambda parts: [p.partition(b"\n")[2] for p in parts])),
    ("a wrong content type", answer(headers={"Content-Type": "text/plain"})),
    ("a BOM first", answer(edit=lambda parts: [b"\xef\xbb\xbf", *parts])),
    ("an unknown event", inserted({"type": "new", "delta": 1}, then_end=False)),
    ("without message_stop", answer(edit=lambda parts: parts[:-1])),
    ("[DONE] at the end", answer(edit=lambda parts: [*parts, b"data: [DONE]\n\n"])),
    ("cut after the stop reason", answer(edit=lambda parts: [*parts[:-1], Act.CUT])),
    ("reset after the end", answer(edit=lambda parts: [*parts, Act.RESET])),
]


@pytest.mark.parametrize("whole", [False, True], ids=["streamed", "whole"])
@pytest.mark.parametrize("recipe", [r for _, r in SHAPES], ids=[name for name, _ in SHAPES])
async def test_an_answer_is_understood_whichever_way_it_comes(
    claude: FaultServer, ask: Ask, recipe: Recipe, whole: bool
) -> None:
    claude.replies = recipe
    made = await ask("Grüße 😀 an alle", whole=whole)
    assert (made.output, made.status) == (echo("Grüße 😀 an alle"), "ok")


@pytest.mark.parametrize("whole", [False, True], ids=["streamed", "whole"])
async def test_thoughts_tools_and_usage_come_the_same_streamed_and_whole(
    claude: FaultServer, ask: Ask, whole: bool
) -> None:
    counted = {
        "prompt_tokens": 12,
        "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    claude.replies = answer(
        "Hi you",
        finish="tool_calls",
        reasoning="Let me think",
        tool_calls=[TOOL, BARE],
        usage=counted,
    )
    made = await ask(whole=whole)
    assert (made.output, made.reasoning) == ("Hi you", "Let me think")
    assert (made.status, made.finish_reason) == ("ok", "tool_use")
    assert made.usage == Usage(12, 8, 4, 3)
    assert [(call["id"], call["function"]["name"]) for call in made.tool_calls] == [
        ("toolu_1", "add"),
        ("toolu_2", "now"),
    ]
    arguments = [json.loads(call["function"]["arguments"]) for call in made.tool_calls]
    assert arguments == [{"a": 1, "b": "ü"}, {}]


@pytest.mark.parametrize("whole", [False, True], ids=["streamed", "whole"])
async def test_refused_truncated_and_empty_answers(
    claude: FaultServer, ask: Ask, whole: bool
) -> None:
    claude.replies = [answer("", refusal="No."), answer("A b", finish="length"), answer("")]
    made = [await ask(whole=whole) for _ in range(3)]
    assert [(one.output, one.status) for one in made] == [
        ("No.", "refused"),
        ("A b", "truncated"),
        ("", "ok"),
    ]


async def test_a_stream_that_is_cut_between_two_events_is_never_accepted(
    claude: FaultServer, ask: Ask
) -> None:
    parts = len(anthropicwire.events(FULL))
    said: dict[str, Any] = {"tool_calls": [TOOL, BARE], "reasoning": "Let me think"}
    for after in range(parts - 2):
        for recipe in (truncated, cut):
            claude.replies = recipe(after, text="Hé 😀", finish="tool_calls", **said)
            with pytest.raises(errors.TransientError):
                await ask()
    claude.replies = truncated(parts - 1, text="Hé 😀", finish="tool_calls", **said)
    assert (await ask()).finish_reason == "tool_use"


async def test_a_stream_that_is_cut_within_an_event_is_never_accepted(
    claude: FaultServer, ask: Ask
) -> None:
    def first_bytes(count: int) -> Recipe:
        def edit(parts: list[bytes]) -> Sequence[Step]:
            return [b"".join(parts[:-1])[:count] or b": nothing\n"]

        return answer("Hi", edit=edit)

    last = sum(map(len, anthropicwire.events(Said(("Hi",), usage={}))[:-1]))
    for count in range(0, last, 11):
        claude.replies = first_bytes(count)
        with pytest.raises(errors.StreamBroken):
            await ask()


async def test_a_stream_without_a_finish_is_broken_even_where_it_stops_in_order(
    claude: FaultServer, ask: Ask
) -> None:
    stop = event({"type": "message_stop"}, "message_stop")
    claude.replies = answer(finish=None, edit=lambda parts: [*parts, stop])
    with pytest.raises(errors.StreamBroken):
        await ask()


async def test_text_comes_as_soon_as_it_is_sent(claude: FaultServer, ask: Ask) -> None:
    release = asyncio.Event()
    claude.replies = stalled(release, after=5)
    dialect = KNOWN["anthropic"]
    http = Http(claude.root, name="anthropic")
    provider = Native(http, AnthropicWire(http.failures, dialect), name="anthropic")
    request = Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint="chat",
        model="claude-x",
        fingerprint="f",
        messages=[{"role": "user", "content": "hi"}],
    )
    stream = provider.stream(request)
    said = ""
    while said != "You said:":  # all that was sent by now, in one read or in several
        said += (await anext(stream)).text
    release.set()
    assert "".join([delta.text async for delta in stream]) == " hi"
    await provider.aclose()


IN_STREAM: list[tuple[Recipe, type[errors.ProviderError]]] = [
    (inserted(error_body("overloaded_error", "Overloaded").encode()), errors.Overloaded),
    (inserted(error_body("rate_limit_error", "Slow").encode()), errors.RateLimited),
    (inserted(error_body("authentication_error", "x").encode(), 0), errors.AuthFailed),
    (error_in_stream(), errors.ErrorInStream),
    (malformed(), errors.MalformedResponse),
    (web_page(), errors.MalformedResponse),
    (answer(edit=lambda parts: []), errors.StreamBroken),
]


@pytest.mark.parametrize(("recipe", "expected"), IN_STREAM)
async def test_what_goes_wrong_after_200(
    claude: FaultServer, ask: Ask, recipe: Recipe, expected: type[errors.ProviderError]
) -> None:
    claude.replies = recipe
    with pytest.raises(expected):
        await ask()


UNPAID = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
LIMIT = "You have reached your specified API usage limits. You will regain access on 2030-01-01."
SPACE = "You have reached your specified workspace API usage limits."
FULL_UP = "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (400, "invalid_request_error", "messages: Field required", errors.BadRequest),
        (400, "invalid_request_error", "prompt is too long: 201 > 200", errors.ContextTooLong),
        (400, "invalid_request_error", FULL_UP, errors.ContextTooLong),
        (400, "invalid_request_error", UNPAID, errors.QuotaExhausted),
        (400, "invalid_request_error", LIMIT, errors.QuotaExhausted),
        (400, "invalid_request_error", SPACE, errors.QuotaExhausted),
        (400, "invalid_request_error", f"He says: {UNPAID}", errors.BadRequest),
        (401, "authentication_error", "invalid x-api-key", errors.AuthFailed),
        (402, "billing_error", "Check your payment details", errors.QuotaExhausted),
        (403, "permission_error", "This model is not for you", errors.Refused),
        (403, "permission_error", "Your API key does not have permission", errors.AuthFailed),
        (404, "not_found_error", "model: claude-9", errors.NotFound),
        (409, "conflict_error", "Conflict", errors.Overloaded),
        (413, "request_too_large", "Request exceeds the maximum size", errors.BadRequest),
        (429, "rate_limit_error", "This would exceed your rate limit", errors.RateLimited),
        (500, "api_error", "Internal server error", errors.Overloaded),
        (504, "timeout_error", "The request timed out", errors.Overloaded),
        (529, "overloaded_error", "Overloaded", errors.Overloaded),
    ],
)
async def test_each_documented_error_is_the_one_it_means(
    claude: FaultServer,
    ask: Ask,
    status: int,
    kind: str,
    message: str,
    expected: type[errors.ProviderError],
) -> None:
    claude.replies = error(status, body=error_body(kind, message))
    with pytest.raises(errors.ProviderError, match=f"HTTP {status}: ") as caught:
        await ask()
    assert type(caught.value) is expected
    assert caught.value.http_status == status


async def test_a_spend_limit_is_told_from_a_rate_limit_by_its_code(
    claude: FaultServer, ask: Ask
) -> None:
    for code in ("enforced_spend_limit_reached", "contract_spend_limit_reached"):
        body = error_body("rate_limit_error", "Limit reached", error_code=code)
        claude.replies = error(429, body=body)
        with pytest.raises(errors.QuotaExhausted):
            await ask()
    body = error_body("rate_limit_error", "Slower", error_code="ramp_limit_exceeded")
    claude.replies = error(429, body=body, headers={"Retry-After": "7"})
    with pytest.raises(errors.RateLimited) as caught:
        await ask()
    assert caught.value.retry_after == 7


async def test_the_key_is_never_repeated(claude: FaultServer, ask: Ask) -> None:
    claude.replies = error(401, body=error_body("authentication_error", f"no such key {SECRET}"))
    with pytest.raises(errors.AuthFailed) as caught:
        await ask()
    assert SECRET not in str(caught.value)


async def test_what_has_no_words_is_refused_and_nothing_is_sent(
    claude: FaultServer, ask: Ask
) -> None:
    with pytest.raises(errors.BadRequest, match="json_object"):
        await ask(response_format={"type": "json_object"})
    assert claude.calls == []
