"""Gemini's GenerateContentResponse (generativelanguage, v1beta), from Google's reference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.jobs.errors import (
    AuthFailed,
    BadRequest,
    MalformedResponse,
    Overloaded,
    QuotaExhausted,
    RateLimited,
)
from llmbatch.jobs.model import Status, Usage

from .shapes import (
    ANSWERS,
    Broken,
    Call,
    Finish,
    Outcome,
    Recording,
    Said,
    Shape,
    Turned,
    recording,
    sse,
)

ENDS: Mapping[str, tuple[str, Status]] = {
    "stop": ("STOP", "ok"),
    "length": ("MAX_TOKENS", "truncated"),
    "stopped": ("SAFETY", "filtered"),
    "tools": ("STOP", "ok"),
    "recitation": ("RECITATION", "filtered"),
}

_TYPES = "type.googleapis.com/google.rpc."
_RETRY = {"@type": f"{_TYPES}RetryInfo", "retryDelay": "22s"}
_DAILY = {
    "@type": f"{_TYPES}QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
_BAD_KEY = {"@type": f"{_TYPES}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}


@dataclass(frozen=True)
class Gemini(Shape):
    """Every event is a whole response with what is new; the last one has the finish."""

    name: str = "gemini"
    dialect: str = "gemini"
    ends: Mapping[str, tuple[str, Status]] = field(default_factory=lambda: ENDS)

    def call(self, call: Call) -> dict[str, Any]:
        """Arguments come as an object, and are written compactly."""
        arguments = json.dumps(
            json.loads(call.arguments), ensure_ascii=False, separators=(",", ":")
        )
        return {**super().call(call), "function": {"name": call.name, "arguments": arguments}}

    def response(
        self, parts: Sequence[Any], usage: Mapping[str, Any], finish: str | None = None
    ) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finish is not None:
            candidate["finishReason"] = finish
        told = {"modelVersion": "gemini-2.5-flash", "responseId": "mLxQaK"}
        return {"candidates": [candidate], "usageMetadata": usage, **told}

    def whole(self, said: Said) -> Any:
        parts = [*_thoughts([said.thought]), *([{"text": said.text}] if said.text else [])]
        parts += [_call(call) for call in said.calls]
        return self.response(parts, _usage(said.usage), self.ends[said.end][0])

    def stream(self, said: Said) -> Sequence[bytes | Finish]:
        parts = [*_thoughts(said.thoughts), *({"text": piece} for piece in said.pieces)]
        first = {"promptTokenCount": said.usage.input_tokens}
        sent = [sse(self.response([part], first)) for part in parts]
        # The last response brings the tool calls too, or an empty text.
        last = [_call(call) for call in said.calls] or [{"text": ""}]
        finish = self.response(last, _usage(said.usage), self.ends[said.end][0])
        return [*sent, Finish(sse(finish))]

    def more(self) -> Mapping[str, Recording]:
        usage = {"promptTokenCount": 120, "totalTokenCount": 120}
        blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage}
        told = Outcome("", "filtered", "PROHIBITED_CONTENT", Usage(120), "", [])
        # Filtered answers have no content at all.
        empty = {"candidates": [{"finishReason": "SAFETY", "index": 0}], "usageMetadata": usage}
        said = ANSWERS["complete"]
        return {
            "a prompt that is blocked": recording([Finish(sse(blocked))], blocked, told),
            "filtered without content": recording(
                [Finish(sse(empty))], empty, told._replace(finish_reason="SAFETY")
            ),
            "recitation": self.recorded(said._replace(end="recitation")),
        }

    @property
    def noise(self) -> Sequence[bytes]:
        return [
            sse({"candidates": [], "responseId": "mLxQaK"}),
            sse({"news": {"text": "not the answer"}}),
            sse({"candidates": [{"index": 0, "content": {"role": "model"}}]}),
            sse({"candidates": [{"index": 0, "content": {"parts": [{"mood": {}}]}}]}),
        ]

    @property
    def errors(self) -> Sequence[Broken]:
        unavailable = _error(503, "UNAVAILABLE", "The model is {overloaded} [now].")
        lines = json.dumps(unavailable, indent=2).encode() + b"\n"
        in_list = json.dumps([unavailable], indent=2).encode() + b"\n"
        return [
            Broken(lines, Overloaded, "The model is {overloaded} [now]."),
            Broken(in_list, Overloaded, "The model is {overloaded} [now]."),
            Broken(sse(unavailable), Overloaded, "The model is {overloaded} [now]."),
            Broken(sse(_error(500, "INTERNAL", "It broke.")), Overloaded, "It broke."),
            Broken(sse(_error(429, "RESOURCE_EXHAUSTED", "Slow down.", _RETRY)), RateLimited),
            Broken(sse(_error(429, "RESOURCE_EXHAUSTED", "Enough.", _DAILY)), QuotaExhausted),
            Broken(sse(_error(400, "INVALID_ARGUMENT", "Not so.")), BadRequest),
            # A finish that is none: the model broke off.
            Broken(sse(self.response([], {}, "MALFORMED_FUNCTION_CALL")), MalformedResponse),
        ]

    @property
    def turned_down(self) -> Sequence[Turned]:
        slow = _error(429, "RESOURCE_EXHAUSTED", "Slow down.", _RETRY)
        return [
            Turned(429, slow, RateLimited, retry_after=22.0),
            Turned(429, _error(429, "RESOURCE_EXHAUSTED", "No.", _DAILY), QuotaExhausted),
            Turned(400, _error(400, "INVALID_ARGUMENT", "No.", _BAD_KEY), AuthFailed),
            Turned(503, _error(503, "UNAVAILABLE", "No."), Overloaded),
        ]


def _error(code: int, status: str, message: str, *details: Mapping[str, Any]) -> dict[str, Any]:
    said = {"code": code, "message": message, "status": status}
    return {"error": {**said, **({"details": details} if details else {})}}


def _thoughts(pieces: Sequence[str]) -> list[dict[str, Any]]:
    return [{"text": piece, "thought": True} for piece in pieces if piece]


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "args": json.loads(call.arguments), "id": call.id}
    return {"functionCall": function}


def _usage(usage: Usage) -> dict[str, Any]:
    """Thoughts are counted beside the candidates' tokens."""
    said = usage.output_tokens - usage.reasoning_tokens
    counted = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": said,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}],
        "cachedContentTokenCount": usage.cached_tokens,
    }
    thoughts = usage.reasoning_tokens
    return counted | ({"thoughtsTokenCount": thoughts} if thoughts else {})
