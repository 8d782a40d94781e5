"""Gemini's answers, chunk by chunk, without a socket."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from geminiwire import chunk, events, failure, sse, whole
from hypothesis import given, settings
from hypothesis import strategies as st

import faultwire
from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.model import Delta, Usage
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.geminiparser import LONGEST_ERROR, GeminiParser
from llmbatch.jobs.providers.geminireader import FINISHES, GeminiReader

OVERLOADED = failure(503, "UNAVAILABLE", "The model is overloaded. {Try} again [later].")
TOOL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}


def reader() -> GeminiReader:
    return GeminiReader(Failures("gemini"))


def read(*values: Any) -> Answer:
    """The whole answer that these chunks make."""
    taken, made = reader(), Answer(0.0)
    for value in values:
        delta = taken.add(value if isinstance(value, bytes) else json.dumps(value).encode())
        if delta is not None:
            made.add(delta, 0.0)
    made.add(taken.end(), 0.0)
    return made


def parsed(data: bytes, size: int) -> list[bytes]:
    parser = GeminiParser()
    return [
        found for at in range(0, len(data), size) for found in parser.feed(data[at : at + size])
    ]


def test_text_is_kept_and_empty_pieces_are_not_passed_on() -> None:
    taken = reader()
    assert taken.add(json.dumps(chunk("Hi")).encode()) == Delta("Hi")
    for nothing in (chunk(""), chunk(), {"candidates": []}, {}, {"candidates": [{}]}):
        assert taken.add(json.dumps(nothing).encode()) is None
    assert not taken.finished


def test_thoughts_are_kept_apart() -> None:
    thought = {"text": "Hm", "thought": True}
    made = read(
        chunk(thought), chunk({"text": ".", "thought": True}, "4"), chunk("2", finish="STOP")
    )
    assert (made.reasoning, made.output) == ("Hm.", "42")


def test_tool_calls_come_in_openais_words_and_are_counted() -> None:
    made = read(
        chunk("Well. ", {"functionCall": {"name": "a", "args": {"x": [1, "ü"]}, "id": "c1"}}),
        chunk({"functionCall": {"name": "b"}}, {"functionCall": {"name": "a", "args": None}}),
        chunk("", finish="STOP"),
    )
    assert made.tool_calls == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "a", "arguments": made.tool_calls[0]["function"]["arguments"]},
        },
        {"type": "function", "function": {"name": "b", "arguments": "{}"}},
        {"type": "function", "function": {"name": "a", "arguments": "{}"}},
    ]
    assert json.loads(made.tool_calls[0]["function"]["arguments"]) == {"x": [1, "ü"]}
    assert (made.output, made.status) == ("Well. ", "ok")


def test_arguments_keep_their_numbers_and_fit_on_one_line() -> None:
    data = (
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{\n'
        b'  "n": 123456789012345678901234567890,\n  "x": 1e400\n}}}]},"finishReason":"STOP"}]}'
    )
    arguments = read(data).tool_calls[0]["function"]["arguments"]
    assert arguments == '{"n":123456789012345678901234567890,"x":1e400}'


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
            "![image/png](data:image/png;base64,AA==)",
        ),
        (
            {"inlineData": {"mimeType": "audio/wav", "data": "BB"}},
            "[audio/wav](data:audio/wav;base64,BB)",
        ),
        (
            {"fileData": {"mimeType": "image/png", "fileUri": "https://e.com/a"}},
            "![image/png](https://e.com/a)",
        ),
        (
            {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
            "\n```python\nprint(1)\n```\n",
        ),
        (
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            "\n```ok\n1\n```\n",
        ),
    ],
)
def test_what_is_no_text_is_shown_in_the_text(part: Any, shown: str) -> None:
    made = read(chunk("See: "), chunk(part), chunk("", finish="STOP"))
    assert made.output == f"See: {shown}"


def test_logprobs_come_in_openais_shape() -> None:
    token = {"token": "Hi", "tokenId": 7, "logProbability": -0.25}
    other = {"token": "Ho", "tokenId": 8, "logProbability": -1.5}
    value = chunk("Hi", finish="STOP")
    value["candidates"][0]["logprobsResult"] = {
        "chosenCandidates": [token, other],
        "topCandidates": [{"candidates": [token, other]}],
    }
    first = {"token": "Hi", "logprob": -0.25, "bytes": None}
    second = {"token": "Ho", "logprob": -1.5, "bytes": None}
    assert read(value).logprobs == [
        {**first, "top_logprobs": [first, second]},
        {**second, "top_logprobs": []},
    ]


@pytest.mark.parametrize(("word", "status"), sorted(FINISHES.items()))
def test_the_finish_reason_says_how_it_ended_and_is_kept(word: str, status: str) -> None:
    made = read(chunk("x"), chunk(finish=word))
    assert (made.status, made.finish_reason, made.output) == (status, word, "x")


@pytest.mark.parametrize(
    "word",
    [
        *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
        *("IMAGE_SAFETY", "MODEL_ARMOR"),
    ],
)
def test_an_answer_that_was_held_back_is_filtered(word: str) -> None:
    assert read({"candidates": [{"finishReason": word, "index": 0}]}).status == "filtered"


@pytest.mark.parametrize(
    "word",
    [
        *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "OTHER"),
        *("FINISH_REASON_UNSPECIFIED", "NO_IMAGE", "SOMETHING_NEW"),
    ],
)
def test_a_model_that_broke_off_is_no_success_and_may_be_asked_again(word: str) -> None:
    value = chunk("x", finish=word)
    value["candidates"][0]["finishMessage"] = "call was: print("
    taken = reader()
    assert taken.add(json.dumps(value).encode()) == Delta("x")
    assert not taken.finished
    with pytest.raises(errors.MalformedResponse, match=f"{word}: call was: print") as caught:
        taken.end()
    assert caught.value.should_retry is None
    with pytest.raises(errors.MalformedResponse, match=word):
        reader().whole(json.dumps(value).encode())


def test_a_finish_that_no_other_try_can_better_is_permanent() -> None:
    with pytest.raises(errors.BadRequest, match="MISSING_THOUGHT_SIGNATURE"):
        read(chunk(finish="MISSING_THOUGHT_SIGNATURE"))
    with pytest.raises(errors.AuthFailed, match="PUP_LIMITED_DISABLED"):
        read(chunk(finish="PUP_LIMITED_DISABLED"))


def test_a_blocked_prompt_is_filtered_and_complete() -> None:
    value = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": []},
        "usageMetadata": {"promptTokenCount": 9},
    }
    made = read(value)
    assert (made.status, made.finish_reason, made.output) == ("filtered", "PROHIBITED_CONTENT", "")
    assert made.usage == Usage(9, 0)
    assert reader().whole(json.dumps(value).encode()).status == "filtered"


def test_usage_counts_thoughts_as_output_and_tools_as_input() -> None:
    counts = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 7,
        "cachedContentTokenCount": 4,
        "toolUsePromptTokenCount": 3,
        "totalTokenCount": 25,
    }
    assert read(chunk("x", finish="STOP", usageMetadata=counts)).usage == Usage(13, 12, 4, 7)


def test_the_last_usage_wins_also_after_the_finish() -> None:
    made = read(
        chunk("x", usageMetadata={"promptTokenCount": 1}),
        chunk("y", finish="STOP", usageMetadata={"promptTokenCount": 2}),
        {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}},
    )
    assert made.usage == Usage(3, 4)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, None),
        (None, None),
        ([1], None),
        ({"promptTokenCount": "9"}, Usage(0, 0)),
        ({"promptTokenCount": -3, "candidatesTokenCount": 2}, Usage(0, 2)),
        ({"promptTokenCount": 10**40, "candidatesTokenCount": 2.5}, Usage(0, 0)),
        ({"promptTokenCount": 1, "x": "\ud83d"}, Usage(1, 0)),
    ],
)
def test_odd_usage_is_read_as_far_as_it_goes(counts: Any, expected: Usage | None) -> None:
    made = read(chunk("x", finish="STOP", usageMetadata=counts))
    assert (made.status, made.usage) == ("ok", expected)


@pytest.mark.parametrize("values", [[], [chunk("x")], [chunk("x", finish="")], [{}]])
def test_without_a_finish_there_is_no_success(values: list[Any]) -> None:
    for ending in ([], [b"[DONE]"], [b" [DONE] "]):
        with pytest.raises(errors.StreamBroken, match="before its finish"):
            read(*values, *ending)


@pytest.mark.parametrize("data", [b"{", b"null", b"[]", b"[1]", b'"x"', b"\xff", b'[{"a": 1}, 2]'])
def test_a_chunk_that_is_not_json_is_malformed_and_not_repeated(data: bytes) -> None:
    for take in (reader().add, reader().whole):
        with pytest.raises(errors.MalformedResponse, match="not a JSON object") as caught:
            take(data)
        assert caught.value.__context__ is None


def test_chunks_of_odd_types_are_read_loosely() -> None:
    made = read(
        {"candidates": {"a": 1}, "promptFeedback": []},
        {"candidates": [chunk("a")["candidates"][0] | {"finishReason": 3}, "x"]},
        chunk("b", 7, {"text": 5}, {"text": "c", "functionCall": "f"}, usageMetadata=3),
        {"candidates": [{"content": [], "finishMessage": 4, "finishReason": "STOP"}]},
    )
    assert (made.output, made.status) == ("abc", "ok")


def test_surrogate_halves_in_two_chunks_are_one_character() -> None:
    halves = json.dumps("😀").strip('"')
    parts = [
        json.dumps(chunk("@")).replace("@", half).encode() for half in (halves[:6], halves[6:])
    ]
    assert read(*parts, chunk(finish="STOP")).output == "😀"


def test_a_list_of_chunks_is_a_whole_answer_too() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    values = [
        chunk({"text": "Hm", "thought": True}),
        chunk("Hi ", call),
        chunk("you", call, finish="STOP", usageMetadata={"promptTokenCount": 1}),
    ]
    made = reader().whole(b"\n" + json.dumps(values, indent=1).encode() + b"\n")
    assert (made.text, made.reasoning, made.status, made.usage) == ("Hi you", "Hm", "ok", Usage(1))
    assert [call["index"] for call in made.tool_calls] == [0, 1]
    with pytest.raises(errors.MalformedResponse, match="finishReason"):
        reader().whole(json.dumps(values[:2]).encode())
    with pytest.raises(errors.MalformedResponse, match="finishReason"):
        reader().whole(json.dumps(values[0]).encode())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=6), st.sampled_from(["STOP", "MAX_TOKENS"]))
def test_the_text_is_the_sum_of_its_pieces(pieces: list[str], finish: str) -> None:
    assert read(*map(chunk, pieces), chunk(finish=finish)).output == "".join(pieces)


KEYS = [
    *("candidates", "content", "parts", "text", "thought", "functionCall", "args", "name"),
    *("inlineData", "executableCode", "finishReason", "finishMessage", "logprobsResult"),
    *("chosenCandidates", "topCandidates", "promptFeedback", "blockReason", "usageMetadata"),
    *("promptTokenCount", "thoughtsTokenCount", "error", "details", "code", "message", "status"),
    *("violations", "quotaId", "quotaValue", "retryDelay", "reason"),
]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3) | st.just("STOP"),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(ANY_JSON)
def test_no_answer_whatsoever_raises_anything_but_our_errors(value: Any) -> None:
    shapes = (
        value,
        {"candidates": [value]},
        {"candidates": [{"content": {"parts": [value]}, "logprobsResult": value}]},
        {"error": value},
        {"error": {"code": 429, "details": [value]}},
    )
    for shape in shapes:
        data = json.dumps(shape).encode()
        taken = reader()
        with contextlib.suppress(errors.ProviderError):
            taken.add(data)
            taken.end()
        with contextlib.suppress(errors.ProviderError):
            reader().whole(data)
        Failures("gemini").response(429, {}, data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_whatsoever_raise_anything_but_our_errors(data: bytes) -> None:
    for taken in (data, b"[" * 100_000 + data, b'{"candidates":' * 20_000 + data):
        with contextlib.suppress(errors.ProviderError):
            reader().add(taken)
        with contextlib.suppress(errors.ProviderError):
            reader().whole(taken)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_bare_json_is_an_event_however_it_is_split(ends: bytes) -> None:
    good = json.dumps(chunk("a\n{b}")).encode()
    for value in (OVERLOADED, [OVERLOADED], {"error": {"message": "ü😀"}}):
        odd = json.dumps(value, indent=2, ensure_ascii=False).encode()
        data = (b"data: %s\n\n%s\n\ndata: %s\n\n" % (good, odd, good)).replace(b"\n", ends)
        for size in (1, 2, 3, 7, 50, len(data)):
            first, bare_one, last = parsed(data, size)
            assert (first, last) == (good, good)
            assert json.loads(bare_one) == value


def test_bare_json_that_never_ends_is_let_go() -> None:
    endless = b'{"a": "' + b"x" * (LONGEST_ERROR + 1)
    assert parsed(b"data: {}\n\n" + endless, 1000)[1:] == [endless]
    assert parsed(b'data: {}\n\n{"error": {', 1) == [b"{}"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9))
def test_the_parser_takes_any_bytes(data: bytes, size: int) -> None:
    parsed(b"data: {}\n\n{" + data, size)
    parsed(data, size)


def test_the_shapes_of_the_fault_server_say_the_same_streamed_and_whole() -> None:
    item = {"token": "a", "logprob": -0.5, "top_logprobs": [], "bytes": None}
    said = faultwire.Answer(
        ("a", "b"), reasoning="r", tool_calls=[TOOL], logprobs=[item], usage=None
    )
    streamed = read(*(part[len(b"data: ") : -2] for part in events(said)))
    in_one = reader().whole(json.dumps(whole(said)).encode())
    assert (streamed.output, streamed.reasoning) == (in_one.text, in_one.reasoning) == ("ab", "r")
    assert streamed.logprobs == in_one.logprobs == [item]
    assert streamed.tool_calls == [TOOL]
    refusal = faultwire.Answer((), refusal="No.")
    assert read(*(part[6:-2] for part in events(refusal))).status == "filtered"


SHORT = sse(chunk("Hé"), chunk("y", finish="STOP")) + sse(
    {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}}
)
FINISHED_AT = len(SHORT) - len(SHORT.rpartition(b"data: ")[2]) - len(b"data: ")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(SHORT)), st.integers(1, 40))
def test_a_truncated_stream_is_accepted_by_no_split(end: int, size: int) -> None:
    taken = reader()
    for data in parsed(SHORT[:end], size):
        taken.add(data)
    if end >= FINISHED_AT:
        assert taken.end().status == "ok"
    else:
        with pytest.raises(errors.StreamBroken):
            taken.end()
