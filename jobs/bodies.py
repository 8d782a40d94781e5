"""A result as the answer of OpenAI's API, for tools that read OpenAI Batch output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from .model import Endpoint, Result, Status

_FINISH: Mapping[Status, str] = {"truncated": "length", "filtered": "content_filter"}
_KNOWN = frozenset({"stop", "tool_calls", "function_call"})


def body(result: Result) -> dict[str, Any]:
    """The response object of the endpoint that the row asked for."""
    return _BODIES[endpoint(result)](result)


def endpoint(result: Result) -> Endpoint:
    """The row's endpoint: as the result says, else by the look of its output."""
    if result.endpoint is not UNSET:
        return result.endpoint
    return "embeddings" if isinstance(result.output, list) else "chat"


def chat(result: Result) -> dict[str, Any]:
    """A ``chat.completion``. A refusal stands under ``refusal``, as OpenAI's models put it."""
    calls = [] if result.tool_calls is UNSET else result.tool_calls
    refused = result.status == "refused"
    text = _text(result)
    empty = refused or (calls and not text)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if empty else text,
        "refusal": (text or "") if refused else None,
    }
    if calls:
        message["tool_calls"] = calls
    if result.reasoning is not UNSET:
        message["reasoning_content"] = result.reasoning
    logprobs = None if result.logprobs is UNSET else {"content": result.logprobs, "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": logprobs,
        "finish_reason": _finish(result, bool(calls)),
    }
    return {**_head(result, "chatcmpl", "chat.completion"), "choices": [choice], **_usage(result)}


def completion(result: Result) -> dict[str, Any]:
    """A ``text_completion``; a refusal counts as filtered, because the format has none."""
    choice = {
        "index": 0,
        "text": result.output if result.output is not None else "",
        "logprobs": None if result.logprobs is UNSET else _legacy(result.logprobs),
        "finish_reason": "content_filter" if result.status == "refused" else _finish(result, False),
    }
    return {**_head(result, "cmpl", "text_completion"), "choices": [choice], **_usage(result)}


def embeddings(result: Result) -> dict[str, Any]:
    """A list of ``embedding`` objects: one, or one an input where the row had several."""
    output = result.output
    several = isinstance(output, list) and output and isinstance(output[0], list | str)
    vectors = output if several else [] if output is None else [output]
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    usage = result.usage
    tokens = usage and {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return {"object": "list", "data": data, "model": result.model or "", "usage": tokens}


def response(result: Result) -> dict[str, Any]:
    """A ``response`` object of the Responses API."""
    cut = {"truncated": "max_output_tokens", "filtered": "content_filter"}.get(result.status)
    usage = result.usage
    return {
        "id": f"resp_{result.fingerprint}",
        "object": "response",
        "created_at": _created(result),
        "status": "incomplete" if cut or result.status == "partial" else "completed",
        "incomplete_details": {"reason": cut} if cut else None,
        "error": None,
        "model": result.model or "",
        "output": _items(result),
        "usage": usage
        and {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.input_tokens + usage.output_tokens,
        },
    }


_BODIES = {
    "chat": chat,
    "completions": completion,
    "embeddings": embeddings,
    "responses": response,
}


def _items(result: Result) -> list[dict[str, Any]]:
    """The ``output`` of a response object: reasoning, tool calls, then the message."""
    items: list[dict[str, Any]] = []
    name = result.fingerprint
    if result.reasoning is not UNSET:
        summary = [{"type": "summary_text", "text": result.reasoning}]
        items.append({"id": f"rs_{name}", "type": "reasoning", "summary": summary})
    for index, call in enumerate(() if result.tool_calls is UNSET else result.tool_calls):
        function = call.get("function", {})
        items.append(
            {
                "id": f"fc_{name}_{index}",
                "type": "function_call",
                "status": "completed",
                "call_id": call.get("id", ""),
                "name": function.get("name", ""),
                "arguments": function.get("arguments", ""),
            }
        )
    text = _text(result) or ""
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    if result.logprobs is not UNSET:
        part["logprobs"] = result.logprobs
    if result.status == "refused":
        part = {"type": "refusal", "refusal": text}
    if text or not items or result.status == "refused":
        message = {"id": f"msg_{name}", "type": "message", "role": "assistant", "content": [part]}
        items.append({**message, "status": "completed"})
    return items


def _text(result: Result) -> str | None:
    """An output that was parsed by a schema is JSON again: the message of a chat is text."""
    output = result.output
    if output is None or isinstance(output, str):
        return output
    return msgspec.json.encode(output).decode()


def _head(result: Result, prefix: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{result.fingerprint}",
        "object": kind,
        "created": _created(result),
        "model": result.model or "",
    }


def _created(result: Result) -> int:
    """Seconds since the epoch, 0 where the row was never sent."""
    if result.metrics is None:
        return 0
    return int(datetime.fromisoformat(result.metrics.started_at).timestamp())


def _finish(result: Result, called: bool) -> str | None:
    if result.status == "partial":
        return None
    natural = "tool_calls" if called else "stop"
    if result.finish_reason is not None and result.finish_reason in _KNOWN:
        natural = result.finish_reason
    return _FINISH.get(result.status, natural)


def _usage(result: Result) -> dict[str, Any]:
    usage = result.usage
    if usage is None:
        return {"usage": None}
    return {
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }
    }


def _legacy(logprobs: Sequence[Any]) -> dict[str, list[Any]]:
    """Log probabilities in the words of ``/v1/completions``: one list a property.

    Items are either such lists already, a chunk each, or ``logprobs.content`` of a chat.
    """
    merged: dict[str, list[Any]] = {
        key: [] for key in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    }
    offset = 0
    for item in logprobs:
        if not isinstance(item, Mapping):
            continue
        token = item.get("token")
        if not isinstance(token, str):
            for key, values in merged.items():
                values.extend(_list(item.get(key)))
            continue
        top = {
            entry["token"]: entry.get("logprob")
            for entry in _list(item.get("top_logprobs"))
            if isinstance(entry, Mapping) and isinstance(entry.get("token"), str)
        }
        merged["tokens"].append(token)
        merged["token_logprobs"].append(item.get("logprob"))
        merged["top_logprobs"].append(top)
        merged["text_offset"].append(offset)
        offset += len(token)
    return merged


def _list(value: Any) -> Sequence[Any]:
    """Servers vary, and what they say of odds is not worth a row, let alone a job."""
    return value if isinstance(value, list | tuple) else ()
