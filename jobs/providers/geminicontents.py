"""From OpenAI's messages to Gemini's contents."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .wire import unsaid


class Wordless(Exception):
    """Gemini has no words for it; the text says for what, and never quotes a prompt."""


def conversation(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``contents`` and ``systemInstruction`` of a request. Raises :class:`Wordless`."""
    system: list[Any] = []
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    before = ""
    for message in messages:
        role = message.get("role")
        if key := unsaid(message):
            hint = "; write it as tool_calls" if key == "function_call" else ""
            raise Wordless(f"Gemini has no words for a message's {key}{hint}")
        if role in ("system", "developer"):
            system += _parts(message, text_only=True)
        elif role == "user":
            contents.append({"role": "user", "parts": _parts(message)})
        elif role == "assistant":
            contents.append({"role": "model", "parts": _said(message, names)})
        elif role == "tool" and before == "tool":  # all results of one turn belong together
            contents[-1]["parts"].append(_result(message, names))
        elif role == "tool":
            contents.append({"role": "user", "parts": [_result(message, names)]})
        else:
            raise Wordless(f"Gemini has no words for a message of role {role!r}")
        before = str(role)
    if not contents:
        raise Wordless("Gemini needs a message beside the system's")
    return {"contents": contents} | ({"systemInstruction": {"parts": system}} if system else {})


def _parts(message: Mapping[str, Any], *, text_only: bool = False) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"text": content}]
    if not isinstance(content, list) or not content:
        raise Wordless(f"the {message.get('role')} message has no content")
    parts = []
    for part in content:
        kind = "text" if isinstance(part, str) else get(part, "type")
        known = isinstance(kind, str) and (kind == "text" or not text_only)
        convert = _PARTS.get(kind) if known else None
        if convert is None:
            where = " in a system message" if text_only else ""
            raise Wordless(f"Gemini has no words for a content part of type {kind!r}{where}")
        parts.append(convert(part))
    return parts


def _said(message: Mapping[str, Any], names: dict[str, str]) -> list[dict[str, Any]]:
    """What the model said and called; ``names`` learns which function each call's id means."""
    calls = message.get("tool_calls") or []
    parts = (
        _parts(message) if message.get("content") or not (calls or message.get("refusal")) else []
    )
    if isinstance(message.get("refusal"), str):
        parts.append({"text": message["refusal"]})
    for call in calls:
        function = get(call, "function")
        name = get(function, "name")
        if not isinstance(name, str) or not name:
            raise Wordless("a tool call that names no function")
        made: dict[str, Any] = {"name": name, "args": _arguments(get(function, "arguments"), name)}
        if isinstance(number := get(call, "id"), str):
            made["id"] = number
            names[number] = name
        part: dict[str, Any] = {"functionCall": made}
        if signature := get(get(get(call, "extra_content"), "google"), "thought_signature"):
            part["thoughtSignature"] = signature
        parts.append(part)
    return parts


def _arguments(value: Any, name: str) -> dict[str, Any]:
    try:
        args = json.loads(value or "{}") if isinstance(value, str) else value or {}
    except (ValueError, RecursionError):
        args = None
    if not isinstance(args, dict):
        raise Wordless(f"the arguments of the tool call to {name} are not a JSON object")
    return args


def _result(message: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    number = message.get("tool_call_id")
    if not isinstance(number, str) or number not in names:
        raise Wordless("a tool message answers no tool call before it (tool_call_id)")
    text = "".join(part["text"] for part in _parts(message, text_only=True))
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    response = value if isinstance(value, dict) else {"output": text}
    return {"functionResponse": {"id": number, "name": names[number], "response": response}}


def _text(part: Any) -> dict[str, Any]:
    text = part if isinstance(part, str) else get(part, "text")
    if not isinstance(text, str):
        raise Wordless("a content part of type text that holds no text")
    return {"text": text}


def _image(part: Any) -> dict[str, Any]:
    image = get(part, "image_url")
    return _media(image if isinstance(image, str) else get(image, "url"), "image_url")


def _audio(part: Any) -> dict[str, Any]:
    kind, data = (get(get(part, "input_audio"), key) for key in ("format", "data"))
    if not isinstance(kind, str) or not isinstance(data, str):
        raise Wordless("input_audio must hold its data and its format")
    return {"inlineData": {"mimeType": f"audio/{kind}", "data": data}}


def _file(part: Any) -> dict[str, Any]:
    return _media(get(get(part, "file"), "file_data"), "file_data")


_PARTS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "text": _text,
    "refusal": lambda part: {"text": str(get(part, "refusal"))},
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}


def _media(url: Any, key: str) -> dict[str, Any]:
    """Data in the request itself, or the address of a file that Google fetches."""
    if not isinstance(url, str) or not re.match("data:|[a-z]+://", url):
        raise Wordless(f"{key} must be a data URL or an https URL")
    if url.startswith("data:"):
        head, _, data = url.partition(",")
        kind, *rest = head.removeprefix("data:").split(";")
        if not kind or "base64" not in rest:
            raise Wordless(f"{key}: a data URL must name its type and be base64")
        return {"inlineData": {"mimeType": kind, "data": data}}
    guessed = mimetypes.guess_type(urlsplit(url).path)[0]
    return {"fileData": {"fileUri": url} | ({"mimeType": guessed} if guessed else {})}


def get(value: Any, key: str) -> Any:
    """What ``value`` has under ``key``; None where it is no object."""
    return value.get(key) if isinstance(value, dict) else None
