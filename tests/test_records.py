from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sampleresults import STATUSES, results, sample

from llmbatch.jobs.model import Failure, Result, Usage
from llmbatch.jobs.records import Stored, encode, encode_batch, read, terminal_safe


def batch(result: Result) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(encode_batch(result))
    assert list(line) == ["id", "custom_id", "response", "error"]
    return line


def parsed(result: Result) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(encode(result))
    return line


@settings(max_examples=120, deadline=None)
@given(results())
def test_a_result_is_one_line_of_strict_json_and_reads_back(result: Result) -> None:
    line = encode(result)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    json.loads(line.decode(), parse_constant=pytest.fail)
    stored = Stored(result.id, result.fingerprint, result.status, result.usage, result.cost_usd)
    assert read(line) == stored


@settings(max_examples=120, deadline=None)
@given(results())
@example(sample(status="refused", output=[0.5], endpoint="chat"))
def test_a_batch_line_reads_back(result: Result) -> None:
    line = encode_batch(result)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    json.loads(line.decode(), parse_constant=pytest.fail)
    stored = read(line)
    assert stored is not None
    assert stored.format == "openai-batch"
    assert (stored.id, stored.fingerprint) == (result.id, result.fingerprint)
    if result.endpoint == "completions" and result.status == "refused":
        assert stored.status == "filtered"
    elif result.endpoint == "embeddings" or (
        not isinstance(result.endpoint, str) and isinstance(result.output, list)
    ):
        assert (stored.status in ("ok", "truncated", "refused", "filtered")) == (
            result.status in ("ok", "truncated", "refused", "filtered")
        )
    else:
        assert stored.status == result.status


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | results().map(encode_batch).map(lambda line: line[:-20]))
def test_reading_anything_never_raises(line: bytes) -> None:
    read(line)
    read(b'{"id":"batch_req_' + line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b'"text"\n',
        b'{"prompt":"hello"}\n',
        b'{"id":"q1"}\n',
        b'{"id":1,"fingerprint":"f","status":"ok"}\n',
        b'{"id":"q1","fingerprint":"f","status":"fine"}\n',
        b'{"id":"q1","fingerprint":"f","status":"ok"\n',
        b'{"id":"batch_req_1","custom_id":"q1","response":null,"error":null}\n',
        b'{"custom_id":"q1","method":"POST","url":"/v1/chat/completions","body":{}}\n',
        b'{"id":"\xff","fingerprint":"f","status":"ok"}\n',
        b"\0\0\0\n",
        b"[" * 100_000,
        b'{"id":"q1","fingerprint":"f","x":' + b"[" * 100_000,
    ],
    ids=lambda line: repr(line[:40]),
)
def test_what_is_no_result_reads_as_none(line: bytes) -> None:
    assert read(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b'\xef\xbb\xbf{"id":"q1","fingerprint":"f","status":"ok"}\n',
        b'{"id":"q1","fingerprint":"f","status":"ok"}\r\n',
        b'{"status":"ok", "fingerprint":"f", "id":"q1"}\n',
        b'{"id":"q1","fingerprint":"f","status":"ok","x":"\\ud800"}\n',
        b'{"id":"q1","fingerprint":"f","status":"ok","x":NaN}\n',
        b'{"id":"q1","fingerprint":"f","status":"ok","later":{"version":2}}\n',
    ],
)
def test_a_line_that_was_edited_or_comes_from_another_version_is_read(line: bytes) -> None:
    assert read(line) == Stored("q1", "f", "ok")


def test_the_line_has_the_fields_of_the_contract_in_order() -> None:
    assert list(parsed(sample())) == [
        *("id", "line", "fingerprint", "status", "output", "finish_reason", "provider", "model"),
        *("fallbacks", "usage", "cost_usd", "metrics", "error", "metadata"),
    ]
    rich = sample(tool_calls=[{"id": "c"}], logprobs=[{"token": "a"}], reasoning="hm")
    assert list(parsed(rich))[-3:] == ["tool_calls", "logprobs", "reasoning"]


def test_nan_in_metadata_is_null_and_a_lone_surrogate_its_escape() -> None:
    line = encode(sample(metadata={"x": math.nan, "y": [math.inf]}, output="a\ud800b"))
    assert b'"x":null,"y":[null]' in line
    assert b'"output":"a\\ud800b"' in line
    assert b'{"x":null}' in encode(sample(metadata={"x": math.nan}))


def test_a_big_integer_in_metadata_is_handed_back() -> None:
    assert parsed(sample(metadata={"n": 2**70}))["metadata"] == {"n": 2**70}


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_terminal_never_sees_a_raw_control_character(text: str) -> None:
    line = encode(sample(output=text))
    safe = terminal_safe(line)
    assert json.loads(safe) == json.loads(line)
    for char in safe.decode().removesuffix("\n"):
        assert ord(char) >= 0x20
        assert not 0x7F <= ord(char) <= 0x9F
        assert char not in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def test_terminal_escapes_are_written_as_four_digits() -> None:
    assert terminal_safe("\x7f \x9b31m é".encode()) == "\\u007f \\u009b31m é".encode()


def test_a_batch_answer_is_a_chat_completion() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    line = batch(sample(finish_reason="stop", logprobs=[{"token": "an"}], reasoning="hm"))
    assert line["id"] == "batch_req_f1"
    assert line["custom_id"] == "q1"
    assert line["error"] is None
    assert line["response"]["status_code"] == 200
    assert line["response"]["request_id"]
    body = line["response"]["body"]
    assert body["object"] == "chat.completion"
    assert body["model"] == "gpt-4o-mini"
    assert body["created"] == 1795343467
    [choice] = body["choices"]
    assert choice["index"] == 0
    assert choice["finish_reason"] == "stop"
    assert choice["logprobs"]["content"] == [{"token": "an"}]
    assert choice["message"] == {
        "role": "assistant",
        "content": "an answer",
        "refusal": None,
        "reasoning_content": "hm",
    }
    assert body["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 80,
        "total_tokens": 92,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    [choice] = batch(sample(output="", tool_calls=calls, finish_reason="tool_use"))["response"][
        "body"
    ]["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == calls


@pytest.mark.parametrize(
    ("status", "reason", "content", "refusal"),
    [
        ("truncated", "length", "an answer", None),
        ("filtered", "content_filter", "an answer", None),
        ("refused", "stop", None, "an answer"),
    ],
)
def test_a_batch_answer_says_how_it_ended(
    status: Any, reason: str, content: str | None, refusal: str | None
) -> None:
    [choice] = batch(sample(status=status))["response"]["body"]["choices"]
    assert choice["finish_reason"] == reason
    assert choice["message"]["content"] == content
    assert choice["message"]["refusal"] == refusal


def test_other_endpoints_have_bodies_of_their_own() -> None:
    items = [{"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b", "logprob": -2.0}]}]
    body = batch(sample(endpoint="completions", logprobs=items))["response"]["body"]
    assert body["object"] == "text_completion"
    assert body["choices"][0]["text"] == "an answer"
    assert body["choices"][0]["logprobs"]["tokens"] == ["a"]
    assert body["choices"][0]["logprobs"]["top_logprobs"] == [{"b": -2.0}]

    body = batch(sample(endpoint="embeddings", output=[0.5, 1.0], usage=Usage(3)))["response"][
        "body"
    ]
    assert body["data"] == [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}]
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    two = batch(sample(endpoint="embeddings", output=[[0.5], [1.0]]))["response"]["body"]["data"]
    assert [entry["embedding"] for entry in two] == [[0.5], [1.0]]

    body = batch(sample(endpoint="responses", status="truncated"))["response"]["body"]
    assert body["object"] == "response"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["output"][-1]["content"][0]["text"] == "an answer"
    assert body["usage"]["total_tokens"] == 92


def test_an_http_failure_keeps_its_status_code_and_has_no_top_level_error() -> None:
    line = batch(sample(status="error"))
    assert line["error"] is None
    assert line["response"]["status_code"] == 503
    assert line["response"]["body"]["error"]["message"] == "the server is overloaded"
    assert line["response"]["body"]["error"]["code"] == "overloaded"


@pytest.mark.parametrize("http_status", [None, 200])
def test_a_failure_without_an_http_error_has_no_response(http_status: int | None) -> None:
    failure = Failure("error_in_stream", http_status, "cut off", retryable=True)
    line = batch(sample(status="error", error=failure))
    assert line["response"] is None
    assert line["error"]["code"] == "error_in_stream"
    assert line["error"]["message"] == "cut off"


def test_an_invalid_row_is_named_so() -> None:
    line = batch(sample(status="invalid", model=None, usage=None, metrics=None))
    assert line["response"] is None
    assert line["error"]["code"] == "invalid_row"


@pytest.mark.parametrize("http_status", [None, 200, 500])
def test_a_partial_answer_is_kept_where_nobody_takes_it_for_a_whole_one(
    http_status: int | None,
) -> None:
    failure = Failure("stream_broken", http_status, "cut", retryable=True)
    line = batch(sample(status="partial", error=failure))
    assert line["response"] is None
    assert line["error"]["code"] == "stream_broken"
    kept = line["error"]["partial"]["choices"][0]
    assert kept["message"]["content"] == "an answer"
    assert kept["finish_reason"] is None


def test_an_answer_that_does_not_fit_is_kept_where_nobody_takes_it_for_a_good_one() -> None:
    failure = Failure("invalid_output", None, "$: 5 is too small", retryable=False)
    result = sample(status="invalid_output", error=failure)
    line = batch(result)
    assert line["response"] is None
    assert line["error"]["code"] == "invalid_output"
    assert line["error"]["message"] == "$: 5 is too small"
    assert line["error"]["answer"]["choices"][0]["message"]["content"] == "an answer"
    for written in (encode(result), encode_batch(result)):
        stored = read(written)
        assert stored is not None
        assert stored.status == "invalid_output"
    assert parsed(result)["output"] == "an answer"


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize("value", [{"a": [1, None, "é"]}, ["x"], [1.5], [], {}, 0, False, 7])
def test_a_parsed_answer_is_text_again_in_a_batch_line(value: Any, endpoint: Any) -> None:
    body = batch(sample(output=value, endpoint=endpoint))["response"]["body"]
    if endpoint == "chat":
        text = body["choices"][0]["message"]["content"]
    else:
        text = body["output"][-1]["content"][0]["text"]
    assert json.loads(text) == value
    assert parsed(sample(output=value))["output"] == value


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (
            {"response": {"status_code": 200, "body": {"choices": [{"finish_reason": "stop"}]}}},
            "ok",
        ),
        ({"response": {"status_code": 200, "body": {"data": []}}}, "ok"),
        ({"response": {"status_code": 400, "body": {"error": {"code": "x"}}}}, "error"),
        ({"response": {"status_code": 500, "body": None}, "error": {"code": "x"}}, "error"),
        ({"response": None, "error": {"code": "batch_expired", "message": "late"}}, "error"),
        ({"response": {"status_code": 200, "body": {"status": "failed"}}}, "error"),
    ],
)
def test_lines_of_openai_and_vllm_are_read(line: dict[str, Any], status: str) -> None:
    stored = read(json.dumps({"id": "batch_req_abc", "custom_id": "q1", **line}).encode())
    assert stored is not None
    assert (stored.id, stored.fingerprint, stored.status) == ("q1", "abc", status)


def test_every_status_has_a_sample() -> None:
    assert {read(encode(sample(status=status))).status for status in STATUSES} == set(STATUSES)  # type: ignore[union-attr]  # None fails the test
