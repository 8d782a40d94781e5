"""What the bare loop does with each wire format: the least that gives the text and the count.

The three loops over the lines are alike, and apart, because a call for each event would cost more
than what they share.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from .answers import PATHS
from .bare_values import Chunk, Event, Response
from .shapes import Wire

Pieces = AsyncIterator[bytes]
Joined = tuple[str, int, int]
"""The text (empty where there was no finish), its tokens, and the pieces of body it came in."""

_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_response = msgspec.json.Decoder(Response).decode


class BareWire(Struct, frozen=True):
    """``body`` makes a request of a prompt and OpenAI's parameters; ``path`` follows the URL."""

    path: str
    body: Callable[[str, dict[str, Any]], dict[str, Any]]
    join: Callable[[Pieces], Coroutine[Any, Any, Joined]]


async def join_openai(pieces: Pieces) -> Joined:
    texts: list[str] = []
    rest = b""
    finished, tokens, reads = False, 0, 0
    async for piece in pieces:
        reads += 1
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if not line or line == b"data: [DONE]":
                continue
            chunk = _decode_chunk(line[6:])
            if chunk.choices:
                choice = chunk.choices[0]
                if choice.delta is not None and choice.delta.content:
                    texts.append(choice.delta.content)
                finished = finished or choice.finish_reason is not None
            if chunk.usage is not None:
                tokens = chunk.usage.completion_tokens
    return "".join(texts) if finished else "", tokens, reads


async def join_anthropic(pieces: Pieces) -> Joined:
    texts: list[str] = []
    rest = b""
    finished, tokens, reads = False, 0, 0
    async for piece in pieces:
        reads += 1
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if not line.startswith(b"data: "):
                continue
            event = _decode_event(line[6:])
            if event.delta is not None:
                if event.delta.text:
                    texts.append(event.delta.text)
                finished = finished or event.delta.stop_reason is not None
            if event.usage is not None:
                tokens = event.usage.output_tokens
    return "".join(texts) if finished else "", tokens, reads


async def join_gemini(pieces: Pieces) -> Joined:
    texts: list[str] = []
    rest = b""
    finished, tokens, reads = False, 0, 0
    async for piece in pieces:
        reads += 1
        *lines, rest = (rest + piece).split(b"\r\n")
        for line in lines:
            if not line:
                continue
            response = _decode_response(line[6:])
            candidate = response.candidates[0]
            if candidate.content is not None:
                texts += [part.text for part in candidate.content.parts]
            finished = finished or candidate.finish_reason is not None
            if response.usage_metadata is not None:
                tokens = response.usage_metadata.candidates_token_count
    return "".join(texts) if finished else "", tokens, reads


def openai_body(prompt: str, params: dict[str, Any]) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], **params}
    return body | {"stream": True, "stream_options": {"include_usage": True}}


def anthropic_body(prompt: str, params: dict[str, Any]) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": "m", "messages": messages, **params, "stream": True}


def gemini_body(prompt: str, params: dict[str, Any]) -> dict[str, Any]:
    config = {"maxOutputTokens": params["max_tokens"], "temperature": params["temperature"]}
    contents = [{"role": "user", "parts": [{"text": prompt}]}]
    return {"contents": contents, "generationConfig": config}


WIRES: Mapping[Wire, BareWire] = {
    "openai": BareWire(PATHS["openai"].removeprefix("/v1"), openai_body, join_openai),
    "anthropic": BareWire(PATHS["anthropic"], anthropic_body, join_anthropic),
    "gemini": BareWire(PATHS["gemini"], gemini_body, join_gemini),
}
