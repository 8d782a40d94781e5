"""What a line of ``--format openai-batch`` tells: how the row ended, its model and its tokens."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from ..records import StoredBatch, read


class _Details(Struct, gc=False):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(Struct, gc=False):
    """In the words of chat completions, or in those of responses."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Reason(Struct, gc=False):
    code: Any = None
    type: Any = None


class _Body(Struct, gc=False):
    model: str | None = None
    usage: _Usage | None = None
    error: _Reason | None = None


class _Response(Struct, gc=False):
    status_code: int
    body: _Body | None = None


class _Line(Struct, gc=False):
    response: _Response | None = None
    error: _Reason | None = None


_decode = msgspec.json.Decoder(_Line).decode


def decode_batch(line: bytes) -> dict[str, Any] | None:
    """The fields of a result that are known, None where it is no such line."""
    stored = read(line)
    if not isinstance(stored, StoredBatch):
        return None
    try:
        found = _decode(line)
    except ValueError:  # the status is read more patiently than the rest
        found = _Line()
    response = found.response
    body = (response and response.body) or _Body()
    reason = found.error or body.error
    fields: dict[str, Any] = {
        "id": stored.id,
        "fingerprint": stored.fingerprint,
        "status": stored.status,
        "model": body.model or None,
        "usage": body.usage and _tokens(body.usage),
    }
    if reason is not None:
        code = reason.code if isinstance(reason.code, str) else stored.status
        http = response.status_code if response else None
        fields["error"] = {"type": code, "http_status": http}
    return fields


def _tokens(usage: _Usage) -> dict[str, int]:
    read_in = usage.prompt_tokens_details or usage.input_tokens_details or _Details()
    written = usage.completion_tokens_details or usage.output_tokens_details or _Details()
    return {
        "input_tokens": max(0, usage.prompt_tokens or usage.input_tokens or 0),
        "output_tokens": max(0, usage.completion_tokens or usage.output_tokens or 0),
        "cached_tokens": max(0, read_in.cached_tokens or 0),
        "reasoning_tokens": max(0, written.reasoning_tokens or 0),
    }
