"""OpenAI's chat completions and completions, from its API reference and its SDK's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.jobs.errors import (
    AuthFailed,
    ContextTooLong,
    ErrorInStream,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Refused,
)
from llmbatch.jobs.model import Endpoint, Status, Usage

from .shapes import (
    ANSWERS,
    DONE,
    Broken,
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
    "stop": ("stop", "ok"),
    "length": ("length", "truncated"),
    "stopped": ("content_filter", "filtered"),
    "tools": ("tool_calls", "ok"),
}


@dataclass(frozen=True)
class Chat(Shape):
    """Chat completions. Relatives override :meth:`opening`, :meth:`chunk`, :meth:`usage`, ..."""

    ends: Mapping[str, tuple[str, Status]] = field(default_factory=lambda: ENDS)
    thought_key = "reasoning_content"

    def head(self) -> dict[str, Any]:
        """What every chunk begins with."""
        return {
            "id": "chatcmpl-C9Yx1",
            "object": "chat.completion.chunk",
            "created": 1764000000,
            "model": "gpt-4o-mini-2024-07-18",
            "service_tier": "default",
            "system_fingerprint": "fp_560af6e559",
        }

    def usage(self, usage: Usage) -> dict[str, Any]:
        """The counts in the provider's words."""
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": usage.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        """One chunk; ``obfuscation`` is padding."""
        choices = [self.choice(delta, finish)]
        return {**self.head(), "choices": choices, "usage": None, "obfuscation": "aZ3"}

    def opening(self) -> Sequence[Mapping[str, Any]]:
        """What comes before the first delta with something in it."""
        return [self.chunk({"role": "assistant", "content": "", "refusal": None})]

    def deltas(self, said: Said) -> list[dict[str, Any]]:
        """The deltas in their order; two tool calls are written by turns."""
        thoughts = [{self.thought_key: piece} for piece in said.thoughts]
        texts = [{"content": piece} for piece in said.pieces]
        return [*thoughts, *texts, *self.calls(said)]

    def calls(self, said: Said) -> list[dict[str, Any]]:
        turns: list[tuple[int, int, dict[str, Any]]] = []
        for index, call in enumerate(said.calls):
            function = {"name": call.name, "arguments": ""}
            begun = {"index": index, "id": call.id, "type": "function", "function": function}
            turns.append((0, index, begun))
            for turn, piece in enumerate(call.pieces, 1):
                turns.append((turn, index, {"index": index, "function": {"arguments": piece}}))
        return [{"tool_calls": [part]} for _, _, part in sorted(turns, key=lambda turn: turn[:2])]

    def closing(self, word: str, usage: Usage) -> Sequence[bytes | Finish]:
        """The finish and the usage."""
        counted = {**self.head(), "choices": [], "usage": self.usage(usage), "obfuscation": ""}
        return [Finish(sse(self.chunk({}, word))), sse(counted)]

    def stream(self, said: Said) -> Sequence[bytes | Finish]:
        begun = [*self.opening(), *(self.chunk(delta) for delta in self.deltas(said))]
        closing = self.closing(self.ends[said.end][0], said.usage)
        return [*(sse(chunk) for chunk in begun), *closing, DONE]

    def message(self, said: Said) -> dict[str, Any]:
        """The message of a whole answer."""
        message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None}
        if said.calls:
            message["content"] = said.text or None
            message["tool_calls"] = [Shape.call(self, call) for call in said.calls]
        return message | ({self.thought_key: said.thought} if said.thoughts else {})

    def whole(self, said: Said) -> Any:
        finish = self.ends[said.end][0]
        choice = {"index": 0, "message": self.message(said), "finish_reason": finish}
        head = {**self.head(), "object": "chat.completion"}
        return {**head, "choices": [choice], "usage": self.usage(said.usage)}

    @property
    def noise(self) -> Sequence[bytes]:
        return [
            sse({"type": "ping"}, "ping"),
            sse({**self.head(), "object": "chat.completion.news", "choices": []}),
            sse(self.chunk({})),
            sse(self.chunk({"role": "assistant", "content": None, "mood": {"sunny": [True]}})),
        ]

    @property
    def errors(self) -> Sequence[Broken]:
        def said(kind: str, code: Any, message: str) -> bytes:
            return sse({"error": {"message": message, "type": kind, "param": None, "code": code}})

        return [
            Broken(said("server_error", None, "It broke."), ErrorInStream, "It broke."),
            Broken(said("requests", "rate_limit_exceeded", "Slow down."), RateLimited),
            Broken(said("insufficient_quota", "insufficient_quota", "Pay up."), QuotaExhausted),
            Broken(
                said("invalid_request_error", "context_length_exceeded", "Too many tokens."),
                ContextTooLong,
            ),
            # Azure's words, as gateways hand them on.
            Broken(said("", "content_filter", "It was filtered."), Refused),
        ]

    @property
    def turned_down(self) -> Sequence[Turned]:
        def body(kind: str, code: Any) -> dict[str, Any]:
            return {"error": {"message": "No.", "type": kind, "param": None, "code": code}}

        quota = body("insufficient_quota", "insufficient_quota")
        return [
            Turned(401, body("invalid_request_error", "invalid_api_key"), AuthFailed),
            Turned(429, quota, QuotaExhausted),
            Turned(429, body("tokens", None), RateLimited, {"retry-after-ms": "1500"}, 1.5),
            Turned(503, body("server_error", None), Overloaded),
        ]


@dataclass(frozen=True)
class OpenAI(Chat):
    """OpenAI itself: it keeps its thoughts to itself, and can refuse in a field of its own."""

    name: str = "openai chat"
    dialect: str = "openai"
    thinks: bool = False

    def more(self) -> Mapping[str, Recording]:
        base = self.recorded(ANSWERS["complete"])
        thought = ANSWERS["complete"]._replace(usage=Usage(120, 45, 0, 30))
        refusals = [sse(self.chunk({"refusal": piece})) for piece in ("I can't", " 🙅.")]
        closing = self.closing("stop", Usage(120, 45, 100, 0))
        events = [*(sse(chunk) for chunk in self.opening()), *refusals, *closing, DONE]
        whole = self.whole(Said())
        whole["choices"][0]["message"] |= {"content": None, "refusal": "I can't 🙅."}
        refused = changed(base, output="I can't 🙅.", status="refused")
        return {
            "refused in its own field": recording(events, whole, refused),
            "hidden reasoning": self.recorded(thought),
        }


@dataclass(frozen=True)
class Completions(Chat):
    """Legacy completions: no deltas, tools or thoughts."""

    name: str = "openai completions"
    dialect: str = "openai"
    endpoint: Endpoint = "completions"
    ends: Mapping[str, tuple[str, Status]] = field(
        default_factory=lambda: {key: ENDS[key] for key in ("stop", "length", "stopped")}
    )
    thinks: bool = False

    def head(self) -> dict[str, Any]:
        told = {"id": "cmpl-C9Yx1", "object": "text_completion", "created": 1764000000}
        return {**told, "model": "gpt-3.5-turbo-instruct"}

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        text = delta.get("content") or ""
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}

    def opening(self) -> Sequence[Mapping[str, Any]]:
        return []

    def whole(self, said: Said) -> Any:
        choice = self.choice({"content": said.text}, self.ends[said.end][0])
        return {**self.head(), "choices": [choice], "usage": self.usage(said.usage)}
