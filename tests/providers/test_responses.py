"""OpenAI's Responses: typed events, and whole answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.model import Delta, Usage
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.responses import ResponsesReader


def reader() -> ResponsesReader:
    return ResponsesReader(Failures("acme"))


def read(*events: dict[str, Any]) -> Answer:
    taken, answer = reader(), Answer(0.0)
    for event in events:
        delta = taken.add(json.dumps(event).encode())
        if delta is not None:
            answer.add(delta, 0.0)
    answer.add(taken.end(), 0.0)
    return answer


def text(delta: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": delta}


def over(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{status}", "response": {"status": status, **fields}}


USAGE = {
    "input_tokens": 7,
    "output_tokens": 5,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens_details": {"reasoning_tokens": 1},
}


def test_text_and_usage_are_read() -> None:
    answer = read({"type": "response.created"}, text("Hi "), text("you"), over(usage=USAGE))
    assert (answer.output, answer.status, answer.finish_reason) == ("Hi you", "ok", "completed")
    assert answer.usage == Usage(7, 5, 2, 1)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("max_output_tokens", "truncated"), ("content_filter", "filtered"), ("other", "truncated")],
)
def test_an_incomplete_answer_says_why(reason: str, status: str) -> None:
    answer = read(text("Hi"), over("incomplete", incomplete_details={"reason": reason}))
    assert (answer.status, answer.finish_reason, answer.output) == (status, reason, "Hi")


def test_without_the_last_event_there_is_no_success() -> None:
    with pytest.raises(errors.StreamBroken):
        read(text("Hi"))


def test_reasoning_refusals_and_tool_calls_are_kept() -> None:
    item = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    answer = read(
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        {"type": "response.refusal.delta", "delta": "No."},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.output_item.done", "item": {"type": "message"}},
        over(),
    )
    assert (answer.reasoning, answer.output, answer.status) == ("hm", "No.", "refused")
    assert answer.tool_calls == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "m"}, errors.RateLimited),
        ({"type": "error", "message": "m"}, errors.ErrorInStream),
        ({"error": {"message": "m", "code": 503}}, errors.Overloaded),
        (over("failed", error={"code": "server_error", "message": "m"}), errors.ErrorInStream),
        (
            over("failed", error={"code": "context_length_exceeded", "message": "m"}),
            errors.ContextTooLong,
        ),
    ],
)
def test_an_error_is_raised_as_what_it_is(event: Any, kind: type[errors.ProviderError]) -> None:
    with pytest.raises(kind, match="m"):
        reader().add(json.dumps(event).encode())


def test_a_whole_answer_is_read() -> None:
    body = {
        "status": "completed",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
        "usage": USAGE,
    }
    delta = reader().whole(json.dumps(body).encode())
    assert (delta.text, delta.reasoning, delta.status) == ("Hi", "hm", "ok")
    assert delta.tool_calls[0]["function"]["name"] == "f"
    assert delta.usage == Usage(7, 5, 2, 1)


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"status": "queued"}', b"{}"])
def test_anything_else_is_malformed(data: bytes) -> None:
    with pytest.raises(errors.MalformedResponse):
        reader().whole(data)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "delta": "", "obfuscation": "xxxx"},
        {"type": "response.output_text.done", "text": "all of it"},
        {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}},
        {"type": "response.brand_new.delta", "delta": {"a": 1}},
        {"type": "response.brand_new.delta", "delta": "text"},
        {"type": "keepalive", "sequence_number": 3},
    ],
)
def test_other_events_bring_nothing(event: dict[str, Any]) -> None:
    assert reader().add(json.dumps(event).encode()) is None


def test_log_probabilities_come_with_their_text() -> None:
    item = {"token": "Hi", "logprob": -0.5, "top_logprobs": []}
    delta = reader().add(json.dumps({**text("Hi"), "logprobs": [item]}).encode())
    assert delta == Delta("Hi", logprobs=[item])


def test_text_that_the_strict_reader_refuses_is_read_all_the_same() -> None:
    delta = reader().add(b'{"type": "response.output_text.delta", "delta": "a\\ud83d"}')
    assert delta == Delta("a\ud83d")
    odd = reader().add(b'{"type": "response.output_text.delta", "delta": "a", "logprobs": 5}')
    assert odd == Delta("a")
