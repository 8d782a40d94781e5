"""``--otlp-content``: what was asked and answered, in the words of the conventions.

The JSON schemas are gen-ai-input-messages.json and gen-ai-output-messages.json of
https://github.com/open-telemetry/semantic-conventions-genai. Images and other data that is no text
are named and left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec
from msgspec import Struct

from ..model import Request, Result, Row

LONGEST = 1 << 20
"""Characters of text of one row that are sent, prompt and answer each."""


class Content(Struct, frozen=True):
    """A row's texts; ``asked`` and ``answered`` are JSON, None where there is nothing to say."""

    id: str
    asked: str | None
    answered: str | None
    error: str | None

    @classmethod
    def of(cls, result: Result, row: Row | None) -> Self:
        asked = _json(_asked(row)) if isinstance(row, Request) else None
        error = None if result.error is None else result.error.message
        return cls(_clean(result.id), asked, _answered(result), error and _clean(error[:LONGEST]))

    @property
    def size(self) -> int:
        """Characters."""
        return sum(len(text) for text in (self.asked, self.answered, self.error) if text)

    def __repr__(self) -> str:
        return f"<Content of {self.size} characters>"


class _Room:
    """How much text there is still room for."""

    def __init__(self) -> None:
        self._left = LONGEST

    def cut(self, text: str) -> str:
        """As much of the text as there is room for."""
        found = text if len(text) <= self._left else text[: self._left] + "…"
        self._left = max(0, self._left - len(text))
        return found


def _asked(row: Request) -> list[dict[str, Any]]:
    room = _Room()
    if row.messages:
        return [_message(message, room) for message in row.messages]
    found = row.input
    texts = found if isinstance(found, Sequence) and not isinstance(found, str) else [found]
    return [{"role": "user", "parts": list(_parts(texts, room))}]


def _message(message: Mapping[str, Any], room: _Room) -> dict[str, Any]:
    role = str(message.get("role", "user"))
    content = message.get("content")
    parts: list[dict[str, Any]] = []
    if role == "tool":
        text = content if isinstance(content, str) else _plain(content)
        called = {"type": "tool_call_response", "id": message.get("tool_call_id")}
        parts.append({**called, "response": room.cut(text)})
    elif content is not None:
        parts += _parts([content] if isinstance(content, str) else content, room)
    parts += _calls(message.get("tool_calls") or (), room)
    return {"role": role, "parts": parts}


def _parts(found: Iterable[Any], room: _Room) -> Iterator[dict[str, Any]]:
    for part in found:
        if isinstance(part, str):
            yield {"type": "text", "content": room.cut(part)}
        elif isinstance(part, Mapping):
            text = part.get("text", part.get("content"))
            if isinstance(text, str):
                yield {"type": "text", "content": room.cut(text)}
            else:
                yield {"type": str(part.get("type", "other"))}
        else:
            yield {"type": "text", "content": room.cut(_plain(part))}


def _calls(calls: Iterable[Any], room: _Room) -> Iterator[dict[str, Any]]:
    for call in calls:
        if isinstance(call, Mapping):
            function = call.get("function")
            inner = function if isinstance(function, Mapping) else call
            arguments = inner.get("arguments")
            text = arguments if isinstance(arguments, str) else _plain(arguments)
            found = {"type": "tool_call", "id": call.get("id"), "name": str(inner.get("name"))}
            yield {**found, "arguments": room.cut(text)}


def _answered(result: Result) -> str | None:
    room = _Room()
    parts: list[dict[str, Any]] = []
    if result.reasoning:
        parts.append({"type": "reasoning", "content": room.cut(result.reasoning)})
    if isinstance(result.output, str) and result.output:
        parts.append({"type": "text", "content": room.cut(result.output)})
    elif isinstance(result.output, Mapping):
        parts.append({"type": "text", "content": room.cut(_plain(result.output))})
    parts += _calls(result.tool_calls or (), room)
    if not parts:
        return None
    reason = result.finish_reason or ("error" if result.error else "stop")
    return _json([{"role": "assistant", "parts": parts, "finish_reason": reason}])


def _plain(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, TypeError):  # half a character, as JSON may hold one
        return json.dumps(value, default=str)


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
