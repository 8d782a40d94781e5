"""OpenAI's relatives in the cloud: chat completions with something of their own on the wire.

One class a provider; each overrides what its documents or SDK show to be different. A new one is a
class here and a line in :mod:`.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.jobs.errors import (
    ErrorInStream,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Refused,
    StreamBroken,
)
from llmbatch.jobs.model import Status, Usage

from .openai import ENDS, Chat
from .plain import CountsLittle, Plain, UsageWithFinish
from .shapes import ANSWERS, Broken, Finish, Recording, Said, Turned, sse

WRITTEN = 12
"""Tokens of the input that OpenRouter says went into a cache."""


@dataclass(frozen=True)
class Azure(Chat):
    """The prompt's filter results come first, those of the answer between its chunks."""

    name: str = "azure"
    dialect: str = "azure"
    thinks: bool = False

    def opening(self) -> Sequence[Mapping[str, Any]]:
        verdict = {"hate": {"filtered": False, "severity": "safe"}}
        filters = [{"prompt_index": 0, "content_filter_results": verdict}]
        nobody = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
        return [{**nobody, "prompt_filter_results": filters}, *super().opening()]

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        return {**super().choice(delta, finish), "content_filter_results": {}}

    @property
    def noise(self) -> Sequence[bytes]:
        """The asynchronous filter: choices without a delta, with offsets into the text."""
        offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 198}
        late = {"index": 0, "finish_reason": None, "content_filter_offsets": offsets}
        verdict = {"content_filter_results": {"violence": {"filtered": False}}}
        nobody = {"id": "", "object": "", "created": 0, "model": ""}
        return [*super().noise, sse({**nobody, "choices": [{**late, **verdict}]})]

    @property
    def turned_down(self) -> Sequence[Turned]:
        inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
        filtered = {"message": "Filtered.", "type": None, "param": "prompt", "status": 400}
        body = {"error": {**filtered, "code": "content_filter", "innererror": inner}}
        return [*super().turned_down, Turned(400, body, Refused)]


@dataclass(frozen=True)
class OpenRouter(Plain):
    """Comments while it waits, errors beside ``finish_reason: "error"``, costs in the usage."""

    name: str = "openrouter"
    dialect: str = "openrouter"
    thought_key = "reasoning"

    def head(self) -> dict[str, Any]:
        return {**super().head(), "provider": "SomeHost"}

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        return {**super().choice(delta, finish), "native_finish_reason": finish and "done"}

    def usage(self, usage: Usage) -> dict[str, Any]:
        cached = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": WRITTEN}
        thought = {"reasoning_tokens": usage.reasoning_tokens}
        details = {"prompt_tokens_details": cached, "completion_tokens_details": thought}
        return {**super().usage(usage), "cost": 0.0012, "is_byok": False, **details}

    def counted(self, usage: Usage) -> Usage:
        counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        return Usage(*counts, usage.reasoning_tokens, WRITTEN)

    def closing(self, word: str, usage: Usage) -> Sequence[bytes | Finish]:
        # The usage comes with a choice that says nothing any more.
        after = {**self.chunk({"role": "assistant", "content": ""}), "usage": self.usage(usage)}
        return [Finish(sse(self.chunk({}, word))), sse(after)]

    @property
    def noise(self) -> Sequence[bytes]:
        details = [{"type": "reasoning.encrypted", "data": "gAAA", "index": 0}]
        said = self.chunk({"role": "assistant", "content": "", "reasoning_details": details})
        return [b": OPENROUTER PROCESSING\n\n", sse(said), *super().noise]

    @property
    def errors(self) -> Sequence[Broken]:
        def said(code: Any, error: type[ProviderError], **more: Any) -> Broken:
            told = {"code": code, "message": "It broke.", **more}
            broken = self.chunk({"content": ""}, "error")
            return Broken(sse({**broken, "error": told}), error, "It broke.")

        alone = sse({"error": {"code": 502, "message": "No answer."}})
        flagged = {"metadata": {"reasons": ["hate"], "provider_name": "SomeHost"}}
        return [
            said("server_error", ErrorInStream),
            said(502, Overloaded, metadata={"provider_name": "SomeHost", "raw": "boom"}),
            said(429, RateLimited),
            said(402, QuotaExhausted),
            said(403, Refused, **flagged),
            Broken(alone, Overloaded, "No answer."),
            Broken(sse(self.chunk({}, "error")), ErrorInStream),
        ]

    @property
    def turned_down(self) -> Sequence[Turned]:
        def body(code: int) -> dict[str, Any]:
            return {"error": {"code": code, "message": "No."}}

        return [
            Turned(402, body(402), QuotaExhausted),
            Turned(429, body(429), RateLimited, {"Retry-After": "3"}, 3.0),
            Turned(403, body(403), Refused),
            Turned(502, body(502), Overloaded),
        ]


@dataclass(frozen=True)
class Groq(Plain):
    """``x_groq`` in the first and last chunk; the usage there, and as OpenAI sends it."""

    name: str = "groq"
    dialect: str = "groq"
    thought_key = "reasoning"

    def opening(self) -> Sequence[Mapping[str, Any]]:
        first = self.chunk({"role": "assistant", "content": ""})
        return [{**first, "x_groq": {"id": "req_01k"}}]

    def usage(self, usage: Usage) -> dict[str, Any]:
        cached = {"cached_tokens": usage.cached_tokens}
        thought = {"reasoning_tokens": usage.reasoning_tokens}
        details = {"prompt_tokens_details": cached, "completion_tokens_details": thought}
        times = {"queue_time": 0.05, "prompt_time": 0.01, "completion_time": 0.2}
        return {**super().usage(usage), **times, **details}

    def closing(self, word: str, usage: Usage) -> Sequence[bytes | Finish]:
        told = {"id": "req_01k", "usage": self.usage(usage)}
        finish, counted = super().closing(word, usage)
        assert isinstance(finish, Finish)
        last = sse({**self.chunk({}, word), "x_groq": told})
        return [Finish(last), counted]

    @property
    def errors(self) -> Sequence[Broken]:
        stopped = {**self.chunk({}), "x_groq": {"id": "req_01k", "error": "It broke."}}
        return [*super().errors, Broken(sse(stopped), StreamBroken)]


@dataclass(frozen=True)
class Mistral(UsageWithFinish):
    """Thoughts are parts of the content, tool calls come whole, "error" is a finish reason."""

    name: str = "mistral"
    dialect: str = "mistral"
    ends: Mapping[str, tuple[str, Status]] = field(
        default_factory=lambda: {
            **{key: ENDS[key] for key in ("stop", "length", "tools")},
            "model length": ("model_length", "truncated"),
        }
    )

    def usage(self, usage: Usage) -> dict[str, Any]:
        details = {"prompt_tokens_details": {"cached_tokens": usage.cached_tokens}}
        return {**super().usage(usage), **details}

    def counted(self, usage: Usage) -> Usage:
        return Usage(usage.input_tokens, usage.output_tokens, usage.cached_tokens)

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**super().chunk(delta, finish), "p": "abcdef"}  # padding

    def deltas(self, said: Said) -> list[dict[str, Any]]:
        thoughts = [{"content": [_thinking(piece)]} for piece in said.thoughts]
        return [*thoughts, *({"content": piece} for piece in said.pieces), *self.calls(said)]

    def calls(self, said: Said) -> list[dict[str, Any]]:
        calls = self.whole_calls(said)
        return [{"content": "", "tool_calls": calls}] if calls else []

    def whole_calls(self, said: Said) -> list[dict[str, Any]]:
        """It does not say their type."""
        return [
            {"id": call.id, "index": index, "function": self.call(call)["function"]}
            for index, call in enumerate(said.calls)
        ]

    def message(self, said: Said) -> dict[str, Any]:
        content: Any = said.text
        if said.thoughts:
            content = [_thinking(said.thought), {"type": "text", "text": said.text}]
        message = {"role": "assistant", "content": content, "prefix": False}
        return message | ({"tool_calls": self.whole_calls(said)} if said.calls else {})

    def more(self) -> Mapping[str, Recording]:
        said = ANSWERS["complete"]._replace(end="model length")
        return {"cut short by the model's length": self.recorded(said)}

    @property
    def errors(self) -> Sequence[Broken]:
        return [*super().errors, Broken(sse(self.chunk({"content": ""}, "error")), ErrorInStream)]


def _thinking(text: str) -> dict[str, Any]:
    parts = [{"type": "text", "text": text}]
    return {"type": "thinking", "thinking": parts, "closed": True}


@dataclass(frozen=True)
class DeepSeek(UsageWithFinish):
    """Thoughts beside a content of null, cache hits under names of its own, keep-alives."""

    name: str = "deepseek"
    dialect: str = "deepseek"

    def deltas(self, said: Said) -> list[dict[str, Any]]:
        thoughts = [{"content": None, "reasoning_content": piece} for piece in said.thoughts]
        texts = [{"content": piece, "reasoning_content": None} for piece in said.pieces]
        return [*thoughts, *texts, *self.calls(said)]

    def usage(self, usage: Usage) -> dict[str, Any]:
        hits = usage.cached_tokens
        cache = {
            "prompt_cache_hit_tokens": hits,
            "prompt_cache_miss_tokens": usage.input_tokens - hits,
        }
        details = {"completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens}}
        return {**super().usage(usage), **cache, **details}

    @property
    def noise(self) -> Sequence[bytes]:
        return [b": keep-alive\n\n", *super().noise]

    @property
    def errors(self) -> Sequence[Broken]:
        busy = sse(self.chunk({"content": ""}, "insufficient_system_resource"))
        return [*super().errors, Broken(busy, Overloaded)]

    @property
    def turned_down(self) -> Sequence[Turned]:
        body = {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}
        return [*super().turned_down, Turned(402, body, QuotaExhausted)]


@dataclass(frozen=True)
class XAI(Plain):
    """Counts so far in every chunk; what was thought is counted apart from the answer."""

    name: str = "xai"
    dialect: str = "xai"

    def usage(self, usage: Usage) -> dict[str, Any]:
        thought = usage.reasoning_tokens
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens - thought,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"text_tokens": 20, "cached_tokens": usage.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": 0},
            "num_sources_used": 0,
        }

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        so_far = {"prompt_tokens": 120, "completion_tokens": 1, "total_tokens": 121}
        return {**super().chunk(delta, finish), "usage": so_far}

    @property
    def noise(self) -> Sequence[bytes]:
        return [sse({"type": "ping"}, "ping"), sse({**self.head(), "choices": [], "usage": None})]

    def calls(self, said: Said) -> list[dict[str, Any]]:
        """A tool call comes whole, in one chunk."""
        calls = [self.call(call) | {"index": index} for index, call in enumerate(said.calls)]
        return [{"role": "assistant", "content": "", "tool_calls": calls}] if calls else []

    @property
    def errors(self) -> Sequence[Broken]:
        named = {"code": "The service is unavailable", "error": "It broke."}
        return [*super().errors, Broken(sse(named), ErrorInStream, "It broke.")]


@dataclass(frozen=True)
class Together(CountsLittle, UsageWithFinish):
    """The text stands in the delta and beside it; the end of the text is called "eos"."""

    name: str = "together"
    dialect: str = "together"
    ends: Mapping[str, tuple[str, Status]] = field(
        default_factory=lambda: {
            "stop": ("eos", "ok"),
            "length": ("length", "truncated"),
            "tools": ("tool_calls", "ok"),
        }
    )
    thought_key = "reasoning"

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        text = delta.get("content") or ""
        told = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish, "seed": None}
        return {**told, "delta": {"token_id": 17, "role": "assistant", "content": text, **delta}}

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**super().chunk(delta, finish), "usage": None}
