"""What a row asks, checked and brought into the shape of its endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import Endpoint
from .invalid import Invalid, kind_of

Messages = list[dict[str, Any]]

CONTENT: Mapping[Endpoint, frozenset[str]] = {
    "chat": frozenset({"prompt", "messages"}),
    "completions": frozenset({"prompt", "messages", "input"}),
    "embeddings": frozenset({"prompt", "messages", "input"}),
    "responses": frozenset({"prompt", "messages", "input"}),
}
"""The keys that hold what is asked; for ``chat``, ``input`` is data like any other key."""

_SYSTEM_ROLES = frozenset({"system", "developer"})


def chat_messages(row: Mapping[str, Any], own: str | None, default: str | None) -> Messages:
    """The messages of a chat row; ``own`` and ``default`` are the row's and the job's system."""
    key, value = _one_of(row, "chat")
    if key == "prompt":
        messages: Messages = [{"role": "user", "content": _text(value, key)}]
        has_system = False
    else:
        messages = value
        has_system = _check_messages(value)
    if own is not None and has_system:
        raise Invalid("system is given twice: as a key, and as one of the messages")
    system = default if own is None and not has_system else own
    return messages if system is None else [{"role": "system", "content": system}, *messages]


def instructed(messages: Messages, words: str) -> Messages:
    """The same with ``words`` at the end of the system message, or as one of their own."""
    for n, message in enumerate(messages):
        if message.get("role") in _SYSTEM_ROLES:
            content = message["content"]
            if type(content) is str:
                longer: Any = f"{content}\n\n{words}" if content else words
            else:
                longer = [*content, {"type": "text", "text": words}]
            return [*messages[:n], {**message, "content": longer}, *messages[n + 1 :]]
    return [{"role": "system", "content": words}, *messages]


def plain_input(row: Mapping[str, Any], endpoint: Endpoint) -> Any:
    """The input of the other endpoints: a text, tokens, or what else the endpoint takes."""
    key, value = _one_of(row, endpoint)
    if endpoint == "responses":
        if key == "messages":
            _check_messages(value)
        elif type(value) is list:
            _check_objects(value, key)
        else:
            _text(value, key)
        return value
    if key == "messages":
        raise Invalid(f"messages can't be sent to {endpoint}: give prompt or input")
    if type(value) is not list:
        return _text(value, key)
    if not value:
        raise Invalid(f"{key} is an empty list")
    if type(value[0]) is int:
        _check_tokens(value, key)
    else:
        _check_texts(value, key, endpoint)
    return value


def has_system(messages: Any) -> bool:
    """Whether a system message is among ``messages``."""
    return type(messages) is list and any(
        type(item) is dict and item.get("role") in _SYSTEM_ROLES for item in messages
    )


def _one_of(row: Mapping[str, Any], endpoint: Endpoint) -> tuple[str, Any]:
    """The one key that says what is asked, with its value; null is as good as missing."""
    prompt, messages = row.get("prompt"), row.get("messages")
    if endpoint == "chat" and messages is None and prompt is not None:
        return "prompt", prompt
    given = row.get("input") if endpoint != "chat" else None
    if (prompt is not None) + (messages is not None) + (given is not None) > 1:
        names = [key for key in ("prompt", "messages", "input") if row.get(key) is not None]
        raise Invalid(f"{' and '.join(names)} exclude each other: keep one of them")
    if prompt is not None:
        return "prompt", prompt
    if messages is not None:
        return "messages", messages
    if given is not None:
        return "input", given
    if endpoint == "chat":
        hint = "; input is for the endpoints embeddings and responses" if "input" in row else ""
        raise Invalid(f"no prompt: the row needs prompt or messages, or the job a template{hint}")
    raise Invalid(f"no input: a row for {endpoint} needs prompt or input, or the job a template")


def _text(value: Any, key: str) -> str:
    if type(value) is not str:
        raise Invalid(f"{key} must be a string, got {kind_of(value)}")
    if not value or value.isspace():
        raise Invalid(f"{key} is empty")
    return value


def _check_messages(messages: Any) -> bool:
    """Whether there is a system message among them. Raises :class:`Invalid` with the place."""
    if type(messages) is not list:
        raise Invalid(f"messages must be a list of objects, got {kind_of(messages)}")
    if not messages:
        raise Invalid("messages is an empty list")
    system = False
    for n, message in enumerate(messages):
        if type(message) is not dict:
            raise Invalid(f"messages[{n}] must be an object, got {kind_of(message)}")
        role = message.get("role")
        if type(role) is not str or not role:
            got = "it is missing" if "role" not in message else f"got {kind_of(role)}"
            raise Invalid(f"messages[{n}].role must be a string: {got}")
        if role in _SYSTEM_ROLES:
            system = True
        content = message.get("content")
        if type(content) is not str:
            _check_content(message, content, n)
    return system


def _check_content(message: dict[str, Any], content: Any, n: int) -> None:
    place = f"messages[{n}].content"
    if content is None:
        if message["role"] == "assistant":
            return  # an assistant's turn may hold tool calls alone
        got = "null" if "content" in message else "nothing"
        raise Invalid(f"{place} must be a string or a list of parts, got {got}")
    if type(content) is not list:
        raise Invalid(f"{place} must be a string or a list of parts, got {kind_of(content)}")
    _check_objects(content, place)


def _check_objects(items: list[Any], place: str) -> None:
    if not items:
        raise Invalid(f"{place} is an empty list")
    for n, item in enumerate(items):
        if type(item) is not dict:
            raise Invalid(f"{place}[{n}] must be an object, got {kind_of(item)}")


def _check_tokens(tokens: list[Any], place: str) -> None:
    for n, token in enumerate(tokens):
        if type(token) is not int:
            raise Invalid(f"{place}[{n}] must be a token number, got {kind_of(token)}")


def _check_texts(items: list[Any], key: str, endpoint: Endpoint) -> None:
    if endpoint == "completions" and len(items) > 1:
        raise Invalid(f"{key} holds {len(items)} prompts: one row is one answer")
    for n, item in enumerate(items):
        place = f"{key}[{n}]"
        if type(item) is not list:
            _text(item, place)
        elif item:
            _check_tokens(item, place)
        else:
            raise Invalid(f"{place} is an empty list")
