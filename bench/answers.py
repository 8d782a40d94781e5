"""The bytes of an answer, built once: OpenAI's chunks as an HTTP/1.1 response.

By default every event is an HTTP chunk of its own, as servers send them. Events are put together
into as many writes as asked, because that decides how often a client is woken up.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import msgspec
from msgspec import Struct

WORDS = (" the", " answer", " is", " short", ",", " plain", " and", " always", " same", ".")
"""Tokens of an answer, over and over."""

_HEAD = {
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    "object": "chat.completion.chunk",
    "created": 1760000000,
    "model": "m",
    "service_tier": "default",
    "system_fingerprint": "fp_44709d6fcb",
}
_STREAM_HEADERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class Plan(Struct, frozen=True):
    """How to answer: ``tokens`` in ``writes`` writes, spread over about ``delay`` seconds.

    ``framed`` says what an HTTP chunk holds; proxies between turn events into larger ones.
    """

    tokens: int = 20
    writes: int = 4
    delay: float = 0.0
    framed: Literal["event", "write"] = "event"


def plan_of(path: str) -> Plan | None:
    """Read the plan from a path such as ``/tokens=50/writes=1/v1/chat/completions``.

    None where the path does not lead to chat completions or names an unknown setting.
    """
    prefix, found, rest = path.partition("/v1/")
    if not found or rest != "chat/completions":
        return None
    settings = dict(part.partition("=")[::2] for part in prefix.split("/") if part)
    try:
        return msgspec.convert(settings, Plan, strict=False) if settings else Plan()
    except msgspec.ValidationError:
        return None


def text_of(tokens: int) -> str:
    """The text that an answer of so many tokens adds up to."""
    return "".join(WORDS[i % len(WORDS)] for i in range(tokens))


def streamed(plan: Plan) -> tuple[bytes, ...]:
    """The response as one ``bytes`` a write."""
    events = [b"data: " + event + b"\n\n" for event in _events(plan.tokens)]
    count = max(1, min(plan.writes, len(events)))
    cuts = [round(i * len(events) / count) for i in range(count + 1)]
    groups = [events[a:b] for a, b in pairwise(cuts)]
    if plan.framed == "write":
        writes = [_http_chunk(b"".join(group)) for group in groups]
    else:
        writes = [b"".join(map(_http_chunk, group)) for group in groups]
    writes[0] = _STREAM_HEADERS + writes[0]
    writes[-1] += b"0\r\n\r\n"
    return tuple(writes)


def plain(plan: Plan) -> bytes:
    """The response to a request that does not ask for a stream."""
    message = {"role": "assistant", "content": text_of(plan.tokens), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _usage(plan.tokens)}
    return whole(b"200 OK", msgspec.json.encode(body))


def whole(status: bytes, body: bytes) -> bytes:
    """A JSON response of known length."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


def _events(tokens: int) -> list[bytes]:
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": "", "refusal": None}, None),
        *(({"content": WORDS[i % len(WORDS)]}, None) for i in range(tokens)),
        ({}, "stop"),
    ]
    events: list[dict[str, Any]] = [
        {
            **_HEAD,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            "usage": None,
        }
        for delta, finish in deltas
    ]
    events.append({**_HEAD, "choices": [], "usage": _usage(tokens)})
    return [*map(msgspec.json.encode, events), b"[DONE]"]


def _usage(tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 20,
        "completion_tokens": tokens,
        "total_tokens": 20 + tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
