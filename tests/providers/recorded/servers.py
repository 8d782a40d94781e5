"""Servers of one's own that speak chat completions; what is special was read in their source.

A new one is a class here and a line in :mod:`.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.jobs.errors import (
    BadRequest,
    ContextTooLong,
    Overloaded,
    ProviderError,
    StreamBroken,
)
from llmbatch.jobs.model import Endpoint, Status, Usage

from .openai import ENDS, Completions
from .plain import CountsLittle, Plain
from .shapes import Broken, Finish, Said, Turned, sse


@dataclass(frozen=True)
class Ollama(CountsLittle):
    """The role in every chunk, an empty finish reason, and streams that end without a word."""

    name: str = "ollama"
    dialect: str = "ollama"
    ends: Mapping[str, tuple[str, Status]] = field(
        default_factory=lambda: {key: ENDS[key] for key in ("stop", "length", "tools")}
    )
    thought_key = "reasoning"

    def head(self) -> dict[str, Any]:
        return {**super().head(), "system_fingerprint": "fp_ollama"}

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        told = {"role": "assistant", "content": "", **delta}
        return {"index": 0, "delta": told, "finish_reason": finish or ""}

    def opening(self) -> Sequence[Mapping[str, Any]]:
        return []

    def calls(self, said: Said) -> list[dict[str, Any]]:
        calls = [self.call(call) | {"index": index} for index, call in enumerate(said.calls)]
        return [{"tool_calls": calls}] if calls else []

    @property
    def errors(self) -> Sequence[Broken]:
        # An error of the model is lost on the way: a chunk that says nothing is the last one.
        return [Broken(sse(self.chunk({})), StreamBroken)]


class VLLMErrors(Plain):
    """Errors as an HTTP status and the name of an exception; [DONE] follows all the same."""

    @property
    def errors(self) -> Sequence[Broken]:
        def said(code: int, kind: str, message: str, error: type[ProviderError]) -> Broken:
            told = {"message": message, "type": kind, "param": None, "code": code}
            return Broken(sse({"error": told}) + b"data: [DONE]\n\n", error, message)

        return [
            said(500, "InternalServerError", "It broke.", Overloaded),
            said(400, "BadRequestError", "Not so.", BadRequest),
            said(400, "BadRequestError", "maximum context length is 8", ContextTooLong),
        ]


@dataclass(frozen=True)
class VLLM(VLLMErrors):
    """Stop reasons and token ids in the choices; thoughts as "reasoning"."""

    name: str = "vllm"
    dialect: str = "vllm"
    thought_key = "reasoning"

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        told = {"logprobs": None, "stop_reason": None, "token_ids": None}
        return {**super().choice(delta, finish), **told}

    def usage(self, usage: Usage) -> dict[str, Any]:
        details = {"prompt_tokens_details": {"cached_tokens": usage.cached_tokens}}
        return {**super().usage(usage), **details}

    def counted(self, usage: Usage) -> Usage:
        return Usage(usage.input_tokens, usage.output_tokens, usage.cached_tokens)


@dataclass(frozen=True)
class VLLMCompletions(Completions):
    """Its legacy completions, whose usage comes without details."""

    name: str = "vllm completions"
    dialect: str = "vllm"

    def usage(self, usage: Usage) -> dict[str, Any]:
        return {**super().usage(usage), "prompt_tokens_details": None}

    def counted(self, usage: Usage) -> Usage:
        return Usage(usage.input_tokens, usage.output_tokens, 0, usage.reasoning_tokens)


@dataclass(frozen=True)
class LlamaCpp(Plain):
    """Opens with a content of null; timings in the last chunk. Filters nothing."""

    name: str = "llamacpp"
    dialect: str = "llamacpp"
    ends: Mapping[str, tuple[str, Status]] = field(
        default_factory=lambda: {key: ENDS[key] for key in ("stop", "length", "tools")}
    )

    def opening(self) -> Sequence[Mapping[str, Any]]:
        return [self.chunk({"role": "assistant", "content": None})]

    def usage(self, usage: Usage) -> dict[str, Any]:
        details = {"prompt_tokens_details": {"cached_tokens": usage.cached_tokens}}
        return {**super().usage(usage), **details}

    def counted(self, usage: Usage) -> Usage:
        return Usage(usage.input_tokens, usage.output_tokens, usage.cached_tokens)

    def closing(self, word: str, usage: Usage) -> Sequence[bytes | Finish]:
        timings = {"cache_n": 100, "prompt_n": 20, "prompt_ms": 32.5, "predicted_n": 45}
        counted = {**self.head(), "choices": [], "usage": self.usage(usage), "timings": timings}
        return [Finish(sse(self.chunk({}, word))), sse(counted)]

    @property
    def noise(self) -> Sequence[bytes]:
        progress = {"total": 120, "cache": 100, "processed": 20, "time_ms": 3}
        return [*super().noise, sse({**self.chunk({}), "prompt_progress": progress}), b":\n\n"]

    @property
    def errors(self) -> Sequence[Broken]:
        def said(code: int, kind: str, error: type[ProviderError]) -> Broken:
            told = {"code": code, "message": "It broke.", "type": kind}
            return Broken(sse({"error": told}), error, "It broke.")

        # Older servers sent it under a field that no specification has.
        old = b'error: {"code":500,"message":"It broke.","type":"server_error"}\n\n'
        return [
            said(500, "server_error", Overloaded),
            said(400, "exceed_context_size_error", ContextTooLong),
            Broken(old, StreamBroken),
        ]

    @property
    def turned_down(self) -> Sequence[Turned]:
        def body(code: int, kind: str) -> dict[str, Any]:
            return {"error": {"code": code, "message": "No.", "type": kind}}

        return [
            Turned(400, body(400, "exceed_context_size_error"), ContextTooLong),
            Turned(501, body(501, "not_supported_error"), BadRequest),
            Turned(503, body(503, "unavailable_error"), Overloaded),
        ]


@dataclass(frozen=True)
class AnyServer(Plain):
    """The least that a server can send: no role, no usage, no id."""

    name: str = "any server"
    dialect: str = ""
    endpoint: Endpoint = "chat"

    def head(self) -> dict[str, Any]:
        return {}

    def opening(self) -> Sequence[Mapping[str, Any]]:
        return []

    def counted(self, usage: Usage) -> None:
        return None

    def closing(self, word: str, usage: Usage) -> Sequence[bytes | Finish]:
        return [Finish(sse(self.chunk({}, word)))]

    def whole(self, said: Said) -> Any:
        return {
            "choices": [{"message": self.message(said), "finish_reason": self.ends[said.end][0]}]
        }
