"""What an answer looks like in each provider's own events, role and usage and finish included.

Written from the providers' references. The number of events differs a little; the 20 tokens are
the same, one an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

Wire = Literal["openai", "anthropic", "gemini"]

WORDS = (" the", " answer", " is", " short", ",", " plain", " and", " always", " same", ".")
"""Tokens of an answer, over and over."""

INPUT = 20
"""Tokens of the prompt, as every answer says."""

OPENAI_HEAD: Mapping[str, Any] = {
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    "object": "chat.completion.chunk",
    "created": 1760000000,
    "model": "m",
    "service_tier": "default",
    "system_fingerprint": "fp_44709d6fcb",
}


def text_of(tokens: int) -> str:
    """The text that an answer of so many tokens adds up to."""
    return "".join(_words(tokens))


def openai(tokens: int) -> list[bytes]:
    """A role, the text, the finish, the usage, ``[DONE]``."""
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": "", "refusal": None}, None),
        *(({"content": word}, None) for word in _words(tokens)),
        ({}, "stop"),
    ]
    events: list[dict[str, Any]] = [
        {
            **OPENAI_HEAD,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            "usage": None,
        }
        for delta, finish in deltas
    ]
    events.append({**OPENAI_HEAD, "choices": [], "usage": openai_usage(tokens)})
    return [b"data: %b\n\n" % data for data in (*map(msgspec.json.encode, events), b"[DONE]")]


def openai_usage(tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT,
        "completion_tokens": tokens,
        "total_tokens": INPUT + tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def anthropic(tokens: int) -> list[bytes]:
    """Every event is named twice: in its own line, and in its data."""
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    message: dict[str, Any] = {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT, **cached, "output_tokens": 1},
    }
    finish = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": word},
            }
            for word in _words(tokens)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": finish, "usage": {"output_tokens": tokens}},
        {"type": "message_stop"},
    ]
    return [
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
        for event in events
    ]


def gemini(tokens: int) -> list[bytes]:
    """Every event is a whole response with the usage so far; lines end with CR LF."""
    events = []
    for said, word in enumerate(_words(tokens), 1):
        candidate: dict[str, Any] = {"content": {"parts": [{"text": word}], "role": "model"}}
        if said == tokens:
            candidate["finishReason"] = "STOP"
        usage = {
            "promptTokenCount": INPUT,
            "candidatesTokenCount": said,
            "totalTokenCount": INPUT + said,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": INPUT}],
        }
        candidates = [{**candidate, "index": 0}]
        rest = {"modelVersion": "m", "responseId": "mAitaLmkHPPlz7IPvtfUqQ4"}
        events.append({"candidates": candidates, "usageMetadata": usage, **rest})
    return [b"data: %b\r\n\r\n" % msgspec.json.encode(event) for event in events]


EVENTS: Mapping[Wire, Callable[[int], list[bytes]]] = {
    "openai": openai,
    "anthropic": anthropic,
    "gemini": gemini,
}


def _words(tokens: int) -> list[str]:
    return [WORDS[i % len(WORDS)] for i in range(tokens)]
