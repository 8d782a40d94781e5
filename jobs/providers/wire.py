"""What a wire format has to offer, and what all of OpenAI's have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from msgspec import UNSET

from ..model import Delta, Request, Status, Usage
from .reading import Piece
from .sse import SseParser

DONE = b"[DONE]"

_BEYOND = 10**15
"""No usage and no cost comes near it."""

STATUSES: Mapping[str, Status] = {
    "length": "truncated",
    "max_tokens": "truncated",
    "max_output_tokens": "truncated",
    "model_length": "truncated",
    "content_filter": "filtered",
}
"""What a finish reason means here; any other word is the provider's way to say that it is done."""

_TALK = frozenset({"role", "content", "tool_calls", "tool_call_id", "refusal"})
_OF_AN_ANSWER = frozenset({"reasoning", "reasoning_content", "annotations", "audio"})
"""Keys of an assistant's message that came with an earlier answer, and are no part of the talk."""


class Parser(Protocol):
    """Cuts the bytes of a stream into the data of its events; see :class:`.sse.SseParser`."""

    def feed(self, data: bytes) -> Sequence[bytes]: ...


class Reader(Protocol):
    """Reads one answer, whichever way it comes. Raises only :class:`..errors.ProviderError`."""

    finished: bool
    """The finish came: what follows can't make the answer a failure any more."""
    done: bool
    """Nothing follows."""

    def read(self, events: Sequence[bytes], said: list[Piece]) -> None:
        """The events of one read; what they bring goes into ``said``, one after the other.

        What came before an event that is a failure is there when that is raised.
        """
        ...

    def end(self) -> Delta:
        """The stream has ended: its finish and usage. Raises when there was no finish."""
        ...

    def whole(self, data: bytes) -> Delta:
        """The answer as one JSON body."""
        ...


class Prepared:
    """One request as it goes out: ``values`` are the JSON body, ``reader`` reads the answer.

    ``path`` follows the base URL; it may hold a query, percent-encoded.
    """

    __slots__ = ("parser", "path", "reader", "values")

    def __init__(
        self, path: str, values: dict[str, Any], reader: Reader, parser: Parser | None = None
    ) -> None:
        self.path = path
        self.values = values
        self.reader = reader
        self.parser = SseParser() if parser is None else parser

    def __repr__(self) -> str:
        return f"Prepared({self.path!r}, {self.reader!r})"


class Wire(Protocol):
    """How one provider is spoken to: a request in this project's words out, deltas back."""

    def prepare(self, request: Request, stream: bool) -> Prepared:
        """Raises :class:`..errors.BadRequest` where the provider has no words for a request."""
        ...


def usage_of(value: Any) -> tuple[Usage | None, float | None]:
    """Tokens and the provider's own cost (USD), from a ``usage`` object of any endpoint."""
    if not isinstance(value, dict):
        return None, None
    into = _count(value, "prompt_tokens", "input_tokens")
    out = _count(value, "completion_tokens", "output_tokens")
    cost = value.get("cost")
    cost_usd = float(cost) if cost is not None and _is_number(cost) and cost >= 0 else None
    if into is None and out is None:
        return None, cost_usd
    cached = written = thought = None
    details = value.get("prompt_tokens_details") or value.get("input_tokens_details")
    if isinstance(details, dict):
        cached, written = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    if not cached and "prompt_cache_hit_tokens" in value:  # DeepSeek's word for it
        cached = _count(value, "prompt_cache_hit_tokens")
    details = value.get("completion_tokens_details") or value.get("output_tokens_details")
    if isinstance(details, dict):
        thought = _count(details, "reasoning_tokens")
    if thought and (into or 0) + (out or 0) + thought == _count(value, "total_tokens"):
        out = (out or 0) + thought  # xAI counts what was thought apart
    return Usage(into or 0, out or 0, cached or 0, thought or 0, written or UNSET), cost_usd


def loads(data: bytes) -> Any:
    """JSON as the standard library reads it, lone surrogates and NaN included; None if it is none.

    It gives no error, so that no exception holds on to what the model said.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def unsaid(message: Mapping[str, Any]) -> str | None:
    """A key of a chat message that only chat completions has, such as ``name``; None without one.

    The name in a tool's message is that of the call it answers, and says nothing more.
    """
    role = message.get("role")
    for key, value in message.items():
        if key in _TALK or not value:
            continue
        if not (role == "assistant" and key in _OF_AN_ANSWER) and (role, key) != ("tool", "name"):
            return key
    return None


def payload(request: Request, **own: Any) -> dict[str, Any]:
    """The JSON body: the row's parameters and, before them, what the endpoint asks for."""
    return {"model": request.model, **own, **request.params, **request.extra}


def _count(value: Mapping[str, Any], name: str, other: str | None = None) -> int | None:
    count = value.get(name)
    if type(count) is int and 0 <= count < _BEYOND:  # as nearly always
        return count
    if _is_number(count):
        return max(0, int(count))
    return None if other is None else _count(value, other)


def _is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is a number that can be counted with: no NaN, no infinity."""
    return type(value) in (int, float) and abs(value) < _BEYOND
