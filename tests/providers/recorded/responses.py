"""OpenAI's Responses, from its API reference: typed events, numbered, without a [DONE]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from llmbatch.jobs.errors import (
    AuthFailed,
    BadRequest,
    ErrorInStream,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)
from llmbatch.jobs.model import Status, Usage

from .shapes import (
    ANSWERS,
    Broken,
    Call,
    Finish,
    Recording,
    Said,
    Shape,
    Turned,
    changed,
    recording,
    sse,
)

ENDS: Mapping[str, tuple[str, Status]] = {
    "stop": ("completed", "ok"),
    "length": ("max_output_tokens", "truncated"),
    "stopped": ("content_filter", "filtered"),
    "tools": ("completed", "ok"),
}

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Responses(Shape):
    """For rows in its own words, and for chat rows."""

    ends: Mapping[str, tuple[str, Status]] = field(default_factory=lambda: ENDS)

    def response(self, status: str, **more: Any) -> dict[str, Any]:
        """The response object, which comes first and last."""
        told = {"id": "resp_67cb", "object": "response", "created_at": 1764000000}
        rest = {"error": None, "incomplete_details": None, "output": [], "usage": None}
        return {**told, "status": status, "model": "gpt-5-mini", **rest, "store": True, **more}

    def whole(self, said: Said) -> Any:
        word = self.ends[said.end][0]
        items = [item for item, _ in self.items(said)]
        done = {"output": items, "usage": _usage(said.usage)}
        if word == "completed":
            return self.response(word, **done)
        return self.response("incomplete", **done, incomplete_details={"reason": word})

    def stream(self, said: Said) -> Sequence[bytes | Finish]:
        begun = self.response("in_progress")
        events: list[Event] = [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
        ]
        for index, (item, between) in enumerate(self.items(said)):
            place = {"item_id": item["id"], "output_index": index}
            opened = {**item, "status": "in_progress", **_emptied(item)}
            added = {"type": "response.output_item.added", "output_index": index, "item": opened}
            done = {"type": "response.output_item.done", "output_index": index, "item": item}
            events += [added, *({**event, **place} for event in between), done]
        whole = self.whole(said)
        last = {"type": f"response.{whole['status']}", "response": whole}
        *sent, finish = _numbered([*events, last])
        return [*sent, Finish(finish)]

    def items(self, said: Said) -> Iterator[tuple[dict[str, Any], list[Event]]]:
        """Each item of the output, and the events between its start and its end."""
        if said.thoughts:
            yield _reasoning(said.thoughts)
        if said.pieces:
            yield _message("output_text", "text", said.pieces)
        for call in said.calls:
            yield _function_call(call)

    @property
    def noise(self) -> Sequence[bytes]:
        place = {"item_id": "ws_1", "output_index": 9, "sequence_number": 99}
        return [
            sse({"type": "keepalive", "sequence_number": 99}, "keepalive"),
            sse({"type": "response.web_search_call.searching", **place}),
            sse({"type": "response.mood.delta", "delta": "not the answer", **place}),
            sse({"type": "response.output_text.annotation.added", "annotation": {}, **place}),
            sse({"type": "response.output_text.delta", "delta": "", "logprobs": [], **place}),
        ]

    @property
    def errors(self) -> Sequence[Broken]:
        def failed(code: str, error: type[ProviderError]) -> Broken:
            said = {"code": code, "message": "It broke."}
            response = self.response("failed", error=said)
            event = {"type": "response.failed", "response": response, "sequence_number": 9}
            return Broken(sse(event, "response.failed"), error, "It broke.")

        told = {"type": "error", "code": "server_error", "message": "It broke.", "param": None}
        nested = {"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded"}}
        bare = {"error": {"message": "It broke.", "type": "server_error", "code": None}}
        return [
            Broken(sse({**told, "sequence_number": 9}, "error"), ErrorInStream, "It broke."),
            Broken(sse({**nested, "sequence_number": 9}, "error"), RateLimited),
            Broken(sse(bare), ErrorInStream, "It broke."),
            failed("server_error", ErrorInStream),
            failed("rate_limit_exceeded", RateLimited),
            failed("invalid_prompt", BadRequest),
            failed("insufficient_quota", QuotaExhausted),
        ]

    @property
    def turned_down(self) -> Sequence[Turned]:
        said = {"message": "No.", "type": "invalid_request_error", "param": None}
        key = {"error": {**said, "code": "invalid_api_key"}}
        return [Turned(401, key, AuthFailed), Turned(500, {"error": said}, Overloaded)]

    def more(self) -> Mapping[str, Recording]:
        base = self.recorded(ANSWERS["complete"])
        item, between = _message("refusal", "refusal", ("I can't", " 🙅."))
        whole = {**self.whole(Said()), "output": [item]}
        events = [*between, {"type": "response.completed", "response": whole}]
        *sent, finish = _numbered(events)
        outcome = changed(base, output="I can't 🙅.", status="refused")
        return {"refused in its own part": recording([*sent, Finish(finish)], whole, outcome)}


def _numbered(events: Sequence[Event]) -> list[bytes]:
    numbers = count()
    return [sse({**event, "sequence_number": next(numbers)}, event["type"]) for event in events]


def _message(kind: str, key: str, pieces: Sequence[str]) -> tuple[dict[str, Any], list[Event]]:
    text = "".join(pieces)
    part = {"type": kind, key: text} | ({"annotations": []} if key == "text" else {})
    item = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    where = {"content_index": 0}
    events: list[Event] = [
        {"type": "response.content_part.added", **where, "part": {**part, key: ""}},
        *({"type": f"response.{kind}.delta", **where, "delta": piece} for piece in pieces),
        {"type": f"response.{kind}.done", **where, key: text},
        {"type": "response.content_part.done", **where, "part": part},
    ]
    return {**item, "content": [part]}, events


def _reasoning(pieces: Sequence[str]) -> tuple[dict[str, Any], list[Event]]:
    text, kind, where = "".join(pieces), "response.reasoning_summary", {"summary_index": 0}
    part = {"type": "summary_text", "text": text}
    events: list[Event] = [
        {"type": f"{kind}_part.added", **where, "part": {**part, "text": ""}},
        *({"type": f"{kind}_text.delta", **where, "delta": piece} for piece in pieces),
        {"type": f"{kind}_text.done", **where, "text": text},
        {"type": f"{kind}_part.done", **where, "part": part},
    ]
    return {"id": "rs_1", "type": "reasoning", "summary": [part]}, events


def _function_call(call: Call) -> tuple[dict[str, Any], list[Event]]:
    kind = "response.function_call_arguments"
    item = {"id": f"fc_{call.id}", "type": "function_call", "status": "completed"}
    events: list[Event] = [{"type": f"{kind}.delta", "delta": piece} for piece in call.pieces]
    events.append({"type": f"{kind}.done", "arguments": call.arguments})
    return {**item, "call_id": call.id, "name": call.name, "arguments": call.arguments}, events


def _emptied(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item's content as it is when the item begins."""
    empty = {"content": [], "summary": [], "arguments": ""}
    return {key: value for key, value in empty.items() if key in item}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
