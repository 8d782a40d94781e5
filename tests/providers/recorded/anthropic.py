"""Anthropic's Messages, from its streaming reference and its SDK's types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.jobs.errors import (
    AuthFailed,
    BadRequest,
    ContextTooLong,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)
from llmbatch.jobs.model import Status, Usage

from .shapes import ANSWERS, Broken, Finish, Recording, Said, Shape, Turned, sse

ENDS: Mapping[str, tuple[str, Status]] = {
    "stop": ("end_turn", "ok"),
    "length": ("max_tokens", "truncated"),
    "stopped": ("refusal", "refused"),
    "tools": ("tool_use", "ok"),
    "sequence": ("stop_sequence", "ok"),
    "window": ("model_context_window_exceeded", "truncated"),
    "pause": ("pause_turn", "truncated"),
}

WRITTEN = 15
"""Tokens of the input that are written to the cache; they are counted apart from all others."""
WRITTEN_1H = 5
"""Those of them that are kept for an hour."""


@dataclass(frozen=True)
class Anthropic(Shape):
    name: str = "anthropic"
    dialect: str = "anthropic"
    ends: Mapping[str, tuple[str, Status]] = field(default_factory=lambda: ENDS)

    def message(self, content: Sequence[Any], usage: Mapping[str, Any]) -> dict[str, Any]:
        told = {"id": "msg_01X", "type": "message", "role": "assistant"}
        end = {"stop_reason": None, "stop_sequence": None}
        return {**told, "model": "claude-haiku-4-5", "content": content, **end, "usage": usage}

    def counted(self, usage: Usage) -> Usage:
        counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        return Usage(*counts, usage.reasoning_tokens, WRITTEN, WRITTEN_1H)

    def whole(self, said: Said) -> Any:
        message = self.message([block for block, _ in _blocks(said)], _usage(said.usage))
        return {**message, "stop_reason": self.ends[said.end][0]}

    def stream(self, said: Said) -> Sequence[bytes | Finish]:
        begun = {**_usage(said.usage), "output_tokens": 1}
        events = [
            _event("message_start", message=self.message([], begun)),
            _event("ping"),
        ]
        for index, (block, deltas) in enumerate(_blocks(said)):
            opened = {**block, **_emptied(block)}
            events.append(_event("content_block_start", index=index, content_block=opened))
            events += [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
            events.append(_event("content_block_stop", index=index))
        delta = {"stop_reason": self.ends[said.end][0], "stop_sequence": None}
        usage = {"output_tokens": said.usage.output_tokens}
        if said.usage.reasoning_tokens:
            usage |= {"output_tokens_details": {"thinking_tokens": said.usage.reasoning_tokens}}
        finish = Finish(_event("message_delta", delta=delta, usage=usage))
        return [*events, finish, _event("message_stop")]

    def more(self) -> Mapping[str, Recording]:
        said = ANSWERS["complete"]
        return {
            end: self.recorded(said._replace(end=end)) for end in ("sequence", "window", "pause")
        }

    @property
    def noise(self) -> Sequence[bytes]:
        citation = {"type": "citations_delta", "citation": {"type": "char_location"}}
        return [
            _event("ping"),
            _event("content_block_mood", index=0, mood={"text": "not the answer"}),
            _event("content_block_delta", index=0, delta={"type": "mood_delta", "mood": "sunny"}),
            _event("content_block_delta", index=0, delta=citation),
            _event("content_block_delta", index=0, delta={"type": "text_delta", "text": ""}),
        ]

    @property
    def errors(self) -> Sequence[Broken]:
        def said(kind: str, error: type[ProviderError], message: str = "It broke.") -> Broken:
            event = _event("error", error={"type": kind, "message": message}, request_id="req_1")
            return Broken(event, error, message)

        return [
            said("overloaded_error", Overloaded, "Overloaded"),
            said("api_error", Overloaded),
            said("timeout_error", Overloaded),
            said("rate_limit_error", RateLimited),
            said("invalid_request_error", BadRequest),
            said("invalid_request_error", ContextTooLong, "prompt is too long: 9 > 8 maximum"),
            said("authentication_error", AuthFailed),
            said("billing_error", QuotaExhausted),
        ]

    @property
    def turned_down(self) -> Sequence[Turned]:
        def body(kind: str) -> dict[str, Any]:
            error = {"type": kind, "message": "No."}
            return {"type": "error", "error": error, "request_id": "req_1"}

        return [
            Turned(529, body("overloaded_error"), Overloaded),
            Turned(429, body("rate_limit_error"), RateLimited, {"retry-after": "7"}, 7.0),
            Turned(401, body("authentication_error"), AuthFailed),
        ]


def _event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, kind)


def _blocks(said: Said) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each block as it is in the end, and the deltas that bring it."""
    if said.thoughts:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in said.thoughts]
        signed = {"type": "signature_delta", "signature": "EqQBCg=="}
        block = {"type": "thinking", "thinking": said.thought, "signature": "EqQBCg=="}
        yield block, [*deltas, signed]
    if said.pieces:
        deltas = [{"type": "text_delta", "text": piece} for piece in said.pieces]
        yield {"type": "text", "text": said.text}, deltas
    for call in said.calls:
        pieces = ("", *call.pieces)
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        block = {"type": "tool_use", "id": call.id, "name": call.name}
        yield {**block, "input": json.loads(call.arguments)}, deltas


def _emptied(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block's content as it is when the block begins."""
    empty: dict[str, Any] = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {key: value for key, value in empty.items() if key in block}


def _usage(usage: Usage) -> dict[str, Any]:
    """The input is what was neither read from the cache nor written to it."""
    counted: dict[str, Any] = {
        "input_tokens": usage.input_tokens - usage.cached_tokens - WRITTEN,
        "cache_creation_input_tokens": WRITTEN,
        "cache_creation": {
            "ephemeral_5m_input_tokens": WRITTEN - WRITTEN_1H,
            "ephemeral_1h_input_tokens": WRITTEN_1H,
        },
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
    }
    if usage.reasoning_tokens:
        counted["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return counted
