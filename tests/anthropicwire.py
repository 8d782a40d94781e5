"""What Anthropic's Messages API says: bodies and events, from its specification."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from faultwire import Answer, event, split

STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
"""Its own words for OpenAI's; any other finish is sent as it stands."""


def events(answer: Answer) -> list[bytes]:
    """The stream, one item an event; without a finish it ends after the last block."""
    sent = [_named({"type": "message_start", "message": _message(answer, [], _opening(answer))})]
    sent.append(_named({"type": "ping"}))
    for index, (block, deltas) in enumerate(_blocks(answer)):
        start = {"type": "content_block_start", "index": index, "content_block": block}
        sent.append(_named(start))
        for delta in deltas:
            piece = {"type": "content_block_delta", "index": index, "delta": delta}
            sent.append(_named(piece))
        sent.append(_named({"type": "content_block_stop", "index": index}))
    if answer.finish is None:
        return sent
    last: dict[str, Any] = {"type": "message_delta", "delta": _stop(answer)}
    if answer.usage is not None:
        last["usage"] = {"output_tokens": _usage(answer)["output_tokens"]}
        if details := _usage(answer).get("output_tokens_details"):
            last["usage"]["output_tokens_details"] = details
    return [*sent, _named(last), _named({"type": "message_stop"})]


def whole(answer: Answer) -> dict[str, Any]:
    """The answer as one JSON body."""
    content = []
    for block, deltas in _blocks(answer):
        full = dict(block)
        for delta in deltas:
            for key in ("text", "thinking", "signature"):
                if key in delta:
                    full[key] = full.get(key, "") + delta[key]
        if block["type"] == "tool_use":
            full["input"] = json.loads("".join(d["partial_json"] for d in deltas) or "{}")
        content.append(full)
    return _message(answer, content, _usage(answer)) | _stop(answer)


def error_body(kind: str, message: str, **details: Any) -> str:
    """The body of an HTTP error, and the data of an ``error`` event."""
    said: dict[str, Any] = {"type": kind, "message": message}
    if details:
        said["details"] = details
    return json.dumps({"type": "error", "error": said, "request_id": "req_1"})


def _named(value: Mapping[str, Any]) -> bytes:
    return event(value, value["type"])


def _blocks(answer: Answer) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each block as it starts, and its deltas."""
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if answer.reasoning:
        thought = [{"type": "thinking_delta", "thinking": p} for p in split(answer.reasoning, 2)]
        signed = {"type": "signature_delta", "signature": "c2lnbmVk"}
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, [*thought, signed]))
    if answer.text:
        said = [{"type": "text_delta", "text": piece} for piece in answer.pieces if piece]
        blocks.append(({"type": "text", "text": ""}, said))
    for call in answer.tool_calls:
        function = call["function"]
        asked = {"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}}
        given = "" if function["arguments"] == "{}" else function["arguments"]
        parts = ["", *split(given, 3)] if given else [""]
        blocks.append((asked, [{"type": "input_json_delta", "partial_json": p} for p in parts]))
    return blocks


def _message(
    answer: Answer, content: list[dict[str, Any]], usage: Mapping[str, Any]
) -> dict[str, Any]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": answer.model}
    ending = {"stop_reason": None, "stop_sequence": None}
    counted = {} if answer.usage is None else {"usage": usage}
    return {**head, "content": content, **ending, **counted, **answer.extra}


def _stop(answer: Answer) -> dict[str, Any]:
    if answer.refusal:
        details = {"type": "refusal", "category": None, "explanation": answer.refusal}
        return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    finish = answer.finish
    return {"stop_reason": STOPS.get(finish or "", finish), "stop_sequence": None}


def _opening(answer: Answer) -> dict[str, Any]:
    """The usage at the start of a stream: the input, and the first of the output."""
    return {**_usage(answer), "output_tokens": 1}


def _usage(answer: Answer) -> dict[str, Any]:
    """In Anthropic's words, also where ``answer`` has OpenAI's: cached input is counted apart."""
    usage = answer.usage or {}
    if "prompt_tokens" not in usage:
        return {"input_tokens": 0, "output_tokens": 0, **usage}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    counted: dict[str, Any] = {
        "input_tokens": usage["prompt_tokens"] - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage["completion_tokens"],
    }
    if thought:
        counted["output_tokens_details"] = {"thinking_tokens": thought}
    return counted
