"""The bytes of an answer, built once: a provider's events as an HTTP/1.1 response.

By default every event is an HTTP chunk of its own, as servers send them. Events are put together
into as many writes as asked, because that decides how often a client is woken up.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import msgspec
from msgspec import Struct

from .shapes import EVENTS, INPUT, OPENAI_HEAD, Wire, openai_usage, text_of

PATHS: Mapping[Wire, str] = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
}
"""Where each wire format is asked; what stands before it in a path says how to answer."""

EMBEDDINGS = "/v1/embeddings"
VECTOR = tuple((i * 0.6180339887498949 % 1 - 0.5) / 16 for i in range(1536))
"""The embedding of everything: as many numbers as OpenAI's small model gives, as long ones."""

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


def asked(path: str) -> tuple[Wire, Plan] | None:
    """Read a path such as ``/tokens=50/writes=1/v1/chat/completions``.

    None where it leads to none of the wire formats or names an unknown setting.
    """
    for wire, end in PATHS.items():
        if path.endswith(end):
            parts = path.removesuffix(end).split("/")
            settings = dict(part.partition("=")[::2] for part in parts if part)
            try:
                return wire, msgspec.convert(settings, Plan, strict=False)
            except msgspec.ValidationError:
                return None
    return None


def streamed(wire: Wire, plan: Plan) -> tuple[bytes, ...]:
    """The response as one ``bytes`` a write."""
    events = EVENTS[wire](plan.tokens)
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
    """OpenAI's response to a request that does not ask for a stream."""
    message = {"role": "assistant", "content": text_of(plan.tokens), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    said = {"object": "chat.completion", "choices": [choice], "usage": openai_usage(plan.tokens)}
    return whole(b"200 OK", msgspec.json.encode({**OPENAI_HEAD, **said}))


def embedding() -> bytes:
    """OpenAI's response to one input."""
    item = {"object": "embedding", "index": 0, "embedding": VECTOR}
    usage = {"prompt_tokens": INPUT, "total_tokens": INPUT}
    return whole(
        b"200 OK",
        msgspec.json.encode({"object": "list", "data": [item], "model": "m", "usage": usage}),
    )


def whole(status: bytes, body: bytes) -> bytes:
    """A JSON response of known length."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


def with_headers(response: bytes, headers: bytes) -> bytes:
    """A response, or its first write, with more header lines (each with its CR LF)."""
    return response.replace(b"\r\n", b"\r\n" + headers, 1)


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
