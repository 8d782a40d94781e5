"""What a conversation holds: messages, each with its role and its text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

ROLES = frozenset({"system", "developer", "user", "assistant"})

Message = Mapping[str, Any]


def problem(messages: Any) -> str | None:
    """Why these can't be the messages of a conversation, in words; None where they can."""
    if not isinstance(messages, (list, tuple)):
        return f"messages must be a list, got {_kind(messages)}"
    if not messages:
        return "messages is an empty list"
    for n, message in enumerate(messages):
        place = f"messages[{n}]"
        if not isinstance(message, Mapping):
            return f"{place} must be an object, got {_kind(message)}"
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or role not in ROLES:
            got = json.dumps(role) if isinstance(role, str) else _kind(role)
            return f"{place}.role must be system, user or assistant, got {got[:40]}"
        if not isinstance(content, str):
            return f"{place}.content must be a string, got {_kind(content)}"
    return None


def as_line(messages: Sequence[Message]) -> bytes:
    """A row that asks these, as a line of JSONL: roles and texts alone."""
    row = {"messages": [{"role": each["role"], "content": each["content"]} for each in messages]}
    try:
        return msgspec.json.encode(row)
    except UnicodeEncodeError:  # a lone surrogate, of which the row will be told
        return json.dumps(row).encode()


def _kind(value: Any) -> str:
    names = {bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    if value is None:
        return "nothing"
    return names.get(type(value), "a number")
