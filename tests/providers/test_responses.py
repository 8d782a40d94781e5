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


CUSTOM = {"type": "custom_tool_call", "call_id": "c1", "name": "sh", "input": "ls -l"}
IMAGE = {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "iVBORw0="}


def test_calls_of_custom_tools_and_generated_images_are_kept() -> None:
    items = [CUSTOM, IMAGE]
    streamed = read(*({"type": "response.output_item.done", "item": i} for i in items), over())
    whole, body = Answer(0.0), {"status": "completed", "output": items}
    whole.add(reader().whole(json.dumps(body).encode()), 0.0)
    for answer in (streamed, whole):
        assert answer.tool_calls == [
            {"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}
        ]
        assert answer.output == "![image](data:image/png;base64,iVBORw0=)"


def test_an_image_says_its_own_format() -> None:
    item = {**IMAGE, "output_format": "webp"}
    answer = read({"type": "response.output_item.done", "item": item}, over())
    assert answer.output == "![image](data:image/webp;base64,iVBORw0=)"


@pytest.mark.parametrize("items", [[CUSTOM], [IMAGE], "message"])
def test_what_came_with_the_last_event_alone_is_kept(items: Any) -> None:
    parts = [{"type": "output_text", "text": "Hi"}, {"type": "output_text", "text": " you"}]
    message = {"type": "message", "role": "assistant", "content": parts}
    output = [message] if items == "message" else items
    answer = read({"type": "response.created"}, over(output=output))
    assert answer.output or answer.tool_calls
    if items == "message":
        assert answer.output == "Hi you"


def test_what_came_in_pieces_is_not_said_again_by_the_last_event() -> None:
    parts = [{"type": "output_text", "text": "Hi"}]
    answer = read(text("Hi"), over(output=[{"type": "message", "content": parts}]))
    assert answer.output == "Hi"


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_answer_that_is_written_in_the_background_is_not_asked_for_again(status: str) -> None:
    with pytest.raises(errors.MalformedResponse, match="background") as caught:
        reader().whole(json.dumps({"id": "resp_1", "status": status, "output": []}).encode())
    assert caught.value.should_retry is False
