"""The shapes of Gemini's answers: a GenerateContentResponse, read strictly and fast, or loosely.

Field names are those of Google's REST reference (generativelanguage, v1beta). What is no text is
put into OpenAI's words here: tool calls' arguments, log probabilities, usage.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..model import Usage
from .wire import loads

NOTHING = Raw(b"")


class FunctionCall(Struct, gc=False):
    name: str | None = None
    id: str | None = None
    args: Raw = NOTHING


class Part(Struct, rename="camel", gc=False):
    """One of these is set, beside ``thought`` and its signature."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Any = None
    file_data: Any = None
    executable_code: Any = None
    code_execution_result: Any = None


class Content(Struct, gc=False):
    parts: list[Part] | None = None


class Candidate(Struct, rename="camel", gc=False):
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    logprobs_result: Any = None


class Feedback(Struct, rename="camel", gc=False):
    block_reason: str | None = None


class Chunk(Struct, rename="camel", gc=False):
    candidates: list[Candidate] | None = None
    usage_metadata: Raw = NOTHING
    prompt_feedback: Feedback | None = None
    error: Any = None


decode = msgspec.json.Decoder(Chunk).decode
_decode_all = msgspec.json.Decoder(list[Chunk]).decode
_decode_value = msgspec.json.Decoder().decode
_COUNTS = (
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
)
ODD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def chunks_of(data: bytes) -> list[Chunk]:
    """One or several responses; none where this is not JSON objects."""
    try:
        return _decode_all(data) if data.startswith(b"[") else [decode(data)]
    except ODD:
        value = loads(data)
    items = value if isinstance(value, list) else [value]
    chunks = [_lax(item) for item in items if isinstance(item, dict)]
    return chunks if len(chunks) == len(items) else []


def usage_of(raw: Raw) -> Usage | None:
    """Thoughts are counted beside the candidates, results of tools beside the prompt."""
    try:
        value = _decode_value(raw)
    except ODD:
        value = loads(bytes(raw))
    if not isinstance(value, dict):
        return None
    counts = [value.get(name) for name in _COUNTS]
    prompt, tools, cached, said, thought = (
        count if type(count) is int and 0 <= count < 10**15 else 0 for count in counts
    )
    if counts[0] is None and counts[3] is None:
        return None
    return Usage(prompt + tools, said + thought, cached, thought)


def arguments_of(args: Raw) -> str:
    """A tool call's arguments as JSON text on one line."""
    if args is NOTHING:
        return "{}"
    data = bytes(args)
    with contextlib.suppress(*ODD):  # else as it stands
        data = msgspec.json.format(data, indent=-1)
    text = str(data, "utf-8", "replace")
    return "{}" if text == "null" else text


def logprobs_of(result: Any) -> list[dict[str, Any]]:
    """A LogprobsResult as the items of OpenAI's ``logprobs.content``."""
    if not isinstance(result, dict):
        return []
    tops = [_dicts(top.get("candidates")) for top in _dicts(result.get("topCandidates"))]
    chosen = _dicts(result.get("chosenCandidates"))
    tops += [[]] * (len(chosen) - len(tops))
    return [
        {**_token(one), "top_logprobs": [_token(other) for other in top]}
        for one, top in zip(chosen, tops, strict=False)
    ]


def shown(part: Part) -> str:
    """What is neither text nor a tool call, in Markdown, so that nothing of an answer is lost."""
    if isinstance(part.inline_data, dict):
        kind, data = _str(part.inline_data, "mimeType"), _str(part.inline_data, "data")
        return _link(kind, f"data:{kind};base64,{data}")
    if isinstance(part.file_data, dict):
        return _link(_str(part.file_data, "mimeType"), _str(part.file_data, "fileUri"))
    if isinstance(part.executable_code, dict):
        language = _str(part.executable_code, "language").lower()
        return f"\n```{language}\n{_str(part.executable_code, 'code')}\n```\n"
    if isinstance(part.code_execution_result, dict):
        outcome = _str(part.code_execution_result, "outcome").removeprefix("OUTCOME_").lower()
        return f"\n```{outcome}\n{_str(part.code_execution_result, 'output')}\n```\n"
    return ""


def _link(kind: str, url: str) -> str:
    return f"{'!' if kind.startswith('image/') else ''}[{kind}]({url})"


def _token(value: dict[str, Any]) -> dict[str, Any]:
    return {"token": _str(value, "token"), "logprob": value.get("logProbability"), "bytes": None}


def _lax(value: dict[str, Any]) -> Chunk:
    """Read what the strict decoder refuses: surrogate halves, odd types."""
    feedback, usage = value.get("promptFeedback"), value.get("usageMetadata")
    return Chunk(
        candidates=[_candidate(one) for one in _dicts(value.get("candidates"))[:1]],
        usage_metadata=_raw(usage) if isinstance(usage, dict) else NOTHING,
        prompt_feedback=Feedback(_str(feedback, "blockReason")),
        error=value.get("error"),
    )


def _candidate(value: dict[str, Any]) -> Candidate:
    content = value.get("content")
    parts = _dicts(content.get("parts")) if isinstance(content, dict) else []
    return Candidate(
        content=Content([_part(part) for part in parts]),
        finish_reason=_str(value, "finishReason"),
        finish_message=_str(value, "finishMessage"),
        logprobs_result=value.get("logprobsResult"),
    )


def _part(value: dict[str, Any]) -> Part:
    call = value.get("functionCall")
    return Part(
        text=_str(value, "text"),
        thought=value.get("thought") is True,
        thought_signature=_str(value, "thoughtSignature"),
        function_call=_call(call) if isinstance(call, dict) else None,
        inline_data=value.get("inlineData"),
        file_data=value.get("fileData"),
        executable_code=value.get("executableCode"),
        code_execution_result=value.get("codeExecutionResult"),
    )


def _call(value: dict[str, Any]) -> FunctionCall:
    return FunctionCall(_str(value, "name"), _str(value, "id"), _raw(value.get("args") or {}))


def _raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _str(value: Any, key: str) -> str:
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
