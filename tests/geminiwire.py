"""What Gemini's API (generativelanguage, v1beta) says: responses and errors, from its reference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from faultwire import Answer, event

STREAM = ":streamGenerateContent"
METHODS = (STREAM, ":generateContent")

FINISHES = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
"""Its own words for OpenAI's; any other finish is sent as it stands."""


def events(answer: Answer) -> list[bytes]:
    """The stream, one item an event; the last one has the finish, where there is one."""
    chunks = [_response(answer, _candidate([part])) for part in _parts(answer)]
    chunks = chunks or [_response(answer, _candidate([]))]
    for chunk, item in zip(chunks, answer.logprobs, strict=False):
        chunk["candidates"][0]["logprobsResult"] = _logprobs([item])
    if answer.finish is not None:
        chunks[-1]["candidates"][0]["finishReason"] = _finish(answer)
    return [event(chunk) for chunk in chunks]


def whole(answer: Answer) -> dict[str, Any]:
    """The answer as one JSON body."""
    joined = [part for part in _parts(answer) if "text" not in part or part.get("thought")]
    text = answer.text + answer.refusal
    candidate = _candidate([*joined, *([{"text": text}] if text else [])])
    if answer.logprobs:
        candidate["logprobsResult"] = _logprobs(answer.logprobs)
    if answer.finish is not None:
        candidate["finishReason"] = _finish(answer)
    return _response(answer, candidate)


def chunk(*parts: Any, finish: str | None = None, **rest: Any) -> dict[str, Any]:
    """One response as a value; a part that is a string is a text."""
    listed = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate = _candidate(listed) | ({} if finish is None else {"finishReason": finish})
    return {"candidates": [candidate], **rest}


def sse(*values: Any) -> bytes:
    """Each of them as an event."""
    return b"".join(event(value) for value in values)


def failure(code: int, status: str, message: str, *details: Mapping[str, Any]) -> dict[str, Any]:
    """An error as a value: the body of an HTTP error, and what comes inside a stream."""
    said: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        said["details"] = list(details)
    return {"error": said}


def bare(value: Any) -> bytes:
    """JSON over several lines, without ``data:``."""
    return json.dumps(value, indent=2).encode() + b"\n"


def retry_info(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def error_info(reason: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com"}


def quota_failure(**limits: str | None) -> dict[str, Any]:
    """``quota_failure(QUOTA_ID="10")``: the quotas that are broken, and their limits."""
    violations: list[dict[str, Any]] = [
        {"quotaMetric": "generativelanguage.googleapis.com/metric", "quotaId": quota}
        | ({} if limit is None else {"quotaValue": limit})
        for quota, limit in limits.items()
    ]
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


def _parts(answer: Answer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if answer.reasoning:
        parts.append({"text": answer.reasoning, "thought": True})
    parts += [{"text": piece} for piece in (*answer.pieces, answer.refusal) if piece]
    for call in answer.tool_calls:
        function = call["function"]
        made = {"name": function["name"], "args": json.loads(function["arguments"])}
        parts.append({"functionCall": made | ({"id": call["id"]} if "id" in call else {})})
    return parts


def _candidate(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"content": {"parts": list(parts), "role": "model"}, "index": 0}


def _finish(answer: Answer) -> str:
    finish = "content_filter" if answer.refusal else str(answer.finish)
    return FINISHES.get(finish, finish)


def _response(answer: Answer, candidate: dict[str, Any]) -> dict[str, Any]:
    counted = {} if answer.usage is None else {"usageMetadata": _usage(answer.usage)}
    head = {"modelVersion": answer.model, "responseId": "r1", **answer.extra}
    return {"candidates": [candidate], **counted, **head}


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's usage in Gemini's words, where thoughts are no part of the candidates."""
    details = usage.get("completion_tokens_details") or {}
    thoughts = details.get("reasoning_tokens", 0)
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    made = {
        "promptTokenCount": usage["prompt_tokens"],
        "candidatesTokenCount": usage["completion_tokens"] - thoughts,
        "totalTokenCount": usage["prompt_tokens"] + usage["completion_tokens"],
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage["prompt_tokens"]}],
    }
    made |= {"thoughtsTokenCount": thoughts} if thoughts else {}
    return made | ({"cachedContentTokenCount": cached} if cached else {})


def _logprobs(items: Sequence[Any]) -> dict[str, Any]:
    def token(item: Mapping[str, Any]) -> dict[str, Any]:
        return {"token": item["token"], "tokenId": 1, "logProbability": item["logprob"]}

    tops = [{"candidates": [token(top) for top in item.get("top_logprobs", [])]} for item in items]
    return {"chosenCandidates": [token(item) for item in items], "topCandidates": tops}
