"""Chunks of chat and completions, one by one, without a socket."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.model import Delta, Usage
from llmbatch.jobs.providers.chat import ChatReader
from llmbatch.jobs.providers.failures import Failures


def reader() -> ChatReader:
    return ChatReader(Failures("acme"))


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()


def read(*events: bytes) -> Answer:
    """The whole answer that these events make."""
    taken, answer = reader(), Answer(0.0)
    for event in events:
        delta = taken.add(event)
        if delta is not None:
            answer.add(delta, 0.0)
    answer.add(taken.end(), 0.0)
    return answer


STOP = chunk("stop")


def test_text_is_kept_and_empty_pieces_are_not_passed_on() -> None:
    taken = reader()
    assert taken.add(chunk(role="assistant", content="")) is None
    assert taken.add(chunk(content=None)) is None
    assert taken.add(chunk(content="Hi")) == Delta("Hi")
    assert taken.add(chunk()) is None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("stop", "ok"),
        ("tool_calls", "ok"),
        ("function_call", "ok"),
        ("eos", "ok"),
        ("length", "truncated"),
        ("model_length", "truncated"),
        ("content_filter", "filtered"),
    ],
)
def test_the_finish_reason_says_how_it_ended_and_is_kept(word: str, status: str) -> None:
    answer = read(chunk(content="x"), chunk(word))
    assert (answer.status, answer.finish_reason, answer.output) == (status, word, "x")


@pytest.mark.parametrize("word", ["abort", "aborted", "cancelled", "canceled", "timeout"])
def test_an_answer_that_the_server_broke_off_is_none(word: str) -> None:
    for read_one in (reader().add, reader().whole):
        with pytest.raises(errors.TransientError, match=f'finish_reason "{word}"'):
            read_one(chunk(word, content="half of it"))


def test_a_finish_reason_of_error_is_an_error() -> None:
    with pytest.raises(errors.ErrorInStream):
        reader().add(chunk("error"))


@pytest.mark.parametrize("events", [[], [chunk(content="x")], [chunk("", content="x")]])
def test_without_a_finish_there_is_no_success(events: list[bytes]) -> None:
    for ending in ([], [b"[DONE]"], [b" [DONE] "]):
        taken = reader()
        for event in [*events, *ending]:
            taken.add(event)
        assert not taken.finished
        with pytest.raises(errors.StreamBroken, match="before its finish"):
            taken.end()


def test_a_refusal_is_kept_as_text_and_named() -> None:
    answer = read(chunk(refusal="I can't "), chunk(refusal="do that."), STOP)
    assert (answer.status, answer.output) == ("refused", "I can't do that.")


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(key: str) -> None:
    answer = read(chunk(**{key: "Let me "}), chunk(**{key: "think."}), chunk(content="42"), STOP)
    assert (answer.reasoning, answer.output) == ("Let me think.", "42")


def test_tool_calls_are_kept() -> None:
    first = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    rest = {"index": 0, "function": {"arguments": "{}"}}
    answer = read(chunk(tool_calls=[first]), chunk(tool_calls=[rest]), chunk("tool_calls"))
    assert answer.tool_calls[0]["function"] == {"name": "f", "arguments": "{}"}
    assert answer.status == "ok"


def test_a_call_in_the_legacy_words_is_kept_as_a_tool_call() -> None:
    answer = read(
        chunk(role="assistant", content=None, function_call={"name": "add", "arguments": ""}),
        chunk(function_call={"arguments": '{"a":'}),
        chunk(function_call={"arguments": " 1}"}),
        chunk("function_call"),
    )
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert answer.tool_calls == [{"type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "function_call": function}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "function_call"}]})
    assert reader().whole(body.encode()).tool_calls == [
        {"index": 0, "type": "function", "function": function}
    ]


@pytest.mark.parametrize("content", ["", None])
def test_images_of_an_answer_are_kept(content: str | None) -> None:
    one, two = "data:image/png;base64,AA==", "data:image/png;base64,BB=="
    images = [
        {"type": "image_url", "image_url": {"url": one}},
        {"type": "image_url", "image_url": two},
        "what is this",
    ]
    answer = read(chunk(content="See: "), chunk(content=content, images=images), STOP)
    assert answer.output == f"See: ![image]({one})![image]({two})"


def test_of_speech_the_transcript_is_kept() -> None:
    answer = read(
        chunk(role="assistant", content=None, audio={"id": "a", "transcript": "Hel"}),
        chunk(audio={"data": "AAAA"}),
        chunk(audio={"transcript": "lo"}),
        STOP,
    )
    assert answer.output == "Hello"


def test_every_thought_of_content_in_parts_is_kept() -> None:
    thoughts = [{"type": "thinking", "thinking": [{"type": "text", "text": t}]} for t in "ab"]
    said = [{"type": "text", "text": t} for t in "xy"]
    answer = read(chunk(content=[thoughts[0], said[0], thoughts[1], said[1]]), STOP)
    assert (answer.reasoning, answer.output) == ("ab", "xy")


def test_logprobs_are_kept() -> None:
    item = {"token": "Hi", "logprob": -0.25, "top_logprobs": []}
    choice = {"delta": {"content": "Hi"}, "logprobs": {"content": [item]}, "finish_reason": "stop"}
    answer = read(json.dumps({"choices": [choice]}).encode())
    assert (answer.logprobs, answer.output) == ([item], "Hi")


def test_the_log_probabilities_of_completions_are_kept_as_they_are() -> None:
    legacy = {"tokens": ["a"], "token_logprobs": [-1.0], "text_offset": [0]}
    choice = {"text": "a", "logprobs": legacy, "finish_reason": "length"}
    answer = read(json.dumps({"choices": [choice]}).encode())
    assert (answer.logprobs, answer.output, answer.status) == ([legacy], "a", "truncated")


def usage(**value: Any) -> bytes:
    return json.dumps({"choices": [], "usage": value}).encode()


def test_usage_is_read_with_its_details_and_cost() -> None:
    answer = read(
        STOP,
        usage(
            prompt_tokens=12,
            completion_tokens=8,
            prompt_tokens_details={"cached_tokens": 4},
            completion_tokens_details={"reasoning_tokens": 3},
            cost=0.00125,
        ),
    )
    assert answer.usage == Usage(12, 8, 4, 3)
    assert answer.cost_usd == 0.00125


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2}, Usage(1, 2)),
        ({"prompt_tokens": 1}, Usage(1, 0)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(1, 2)),
        ({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
        ({}, None),
        ({"prompt_tokens": "many"}, None),
    ],
)
def test_odd_usage_is_read_as_far_as_it_goes(value: dict[str, Any], expected: Usage | None) -> None:
    assert read(STOP, usage(**value)).usage == expected


def test_without_a_usage_chunk_there_is_none_and_the_answer_is_good() -> None:
    answer = read(chunk(content="x"), STOP)
    assert (answer.status, answer.usage, answer.cost_usd) == ("ok", None, None)


@pytest.mark.parametrize(
    "event",
    [
        b'{"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}',
        b'{"choices": null}',
        b'{"id": "x"}',
        b'{"choices": [{"index": 0, "delta": null}]}',
        b'{"choices": [{"delta": {"content": null}, "timings": {"n": 1}}], "usage": null}',
        b'{"choices": [{"delta": {"content": []}}]}',
        b'{"choices": [{"delta": "what"}], "usage": 7}',
    ],
)
def test_chunks_that_bring_nothing_are_passed_over(event: bytes) -> None:
    assert read(event, chunk(content="x"), STOP).output == "x"


def test_content_in_parts_is_joined() -> None:
    parts = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    answer = read(chunk(content=parts), STOP)
    assert answer.output == "ab"


@pytest.mark.parametrize("event", [b"{", b"null", b"[1]", b'"x"', b'{"choices": [{"del', b"\xff"])
def test_a_chunk_that_is_not_json_is_malformed_and_not_repeated(event: bytes) -> None:
    with pytest.raises(errors.MalformedResponse, match="not a JSON object") as caught:
        reader().add(event)
    assert caught.value.__context__ is None


def test_an_error_object_in_a_chunk_is_raised() -> None:
    with pytest.raises(errors.RateLimited, match="slow down"):
        reader().add(b'{"error": {"message": "slow down", "code": 429}, "choices": []}')
    with pytest.raises(errors.ErrorInStream, match="oh no"):
        reader().add(b'{"error": "oh no"}')


def test_surrogate_halves_in_two_chunks_are_one_character() -> None:
    halves = json.dumps("😀").strip('"')
    first, second = halves[:6], halves[6:]
    events = [b'{"choices":[{"delta":{"content":"%s"}}]}' % h.encode() for h in (first, second)]
    assert read(*events, STOP).output == "😀"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=6), st.sampled_from(["stop", "length"]))
def test_the_text_is_the_sum_of_its_pieces(pieces: list[str], finish: str) -> None:
    answer = read(*(chunk(content=piece) for piece in pieces), chunk(finish))
    assert answer.output == "".join(pieces)


KEYS = [
    *("choices", "delta", "message", "content", "usage", "error", "finish_reason"),
    *("tool_calls", "logprobs", "text", "refusal", "reasoning", "prompt_tokens"),
]


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_chunk_whatsoever_raises_anything_but_our_errors(value: Any) -> None:
    for data in (json.dumps(value).encode(), json.dumps({"choices": [value]}).encode()):
        taken = reader()
        with contextlib.suppress(errors.ProviderError):
            taken.add(data)
            taken.end()
        with contextlib.suppress(errors.ProviderError):
            reader().whole(data)


def test_a_whole_answer_is_read() -> None:
    body = {
        "choices": [
            {
                "message": {"role": "assistant", "content": "Hi", "reasoning": "hm"},
                "finish_reason": "length",
                "logprobs": {"content": [{"token": "Hi"}]},
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    assert reader().whole(json.dumps(body).encode() + b"\n") == Delta(
        "Hi",
        "hm",
        logprobs=[{"token": "Hi"}],
        finish_reason="length",
        status="truncated",
        usage=Usage(1, 2),
    )


def test_a_whole_answer_without_a_finish_is_malformed() -> None:
    with pytest.raises(errors.MalformedResponse, match="finish_reason"):
        reader().whole(b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": null}]}')
    with pytest.raises(errors.MalformedResponse):
        reader().whole(b"{}")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (  # xAI: what was thought stands beside the answer
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, 103, 0, 94),
        ),
        (  # OpenAI: it is a part of it
            {
                "prompt_tokens": 32,
                "completion_tokens": 103,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, 103, 0, 94),
        ),
        (  # DeepSeek
            {"prompt_tokens": 32, "completion_tokens": 9, "prompt_cache_hit_tokens": 20},
            Usage(32, 9, 20, 0),
        ),
        (  # OpenRouter, OpenAI's later models, and LiteLLM's words for Anthropic's
            {
                "prompt_tokens": 194,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 100},
            },
            Usage(194, 2, 30, 0, 100),
        ),
        (  # the same of OpenAI's responses
            {
                "input_tokens": 194,
                "output_tokens": 2,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100},
            },
            Usage(194, 2, 0, 0, 100),
        ),
        (  # nothing was written
            {"prompt_tokens": 9, "prompt_tokens_details": {"cache_write_tokens": 0}},
            Usage(9),
        ),
    ],
)
def test_usage_means_the_same_from_every_provider(usage: Any, expected: Usage) -> None:
    last = json.dumps({"choices": [], "usage": usage}).encode()
    assert read(chunk(content="x"), STOP, last).usage == expected
