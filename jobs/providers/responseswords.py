"""A row in the words of chat completions, said in those of OpenAI's Responses.

From OpenAI's guide "Migrate to the Responses API" and the types of its SDK.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from ..model import Request
from .failures import Failures
from .wire import unsaid

_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_INSTRUCTING = ("system", "developer")
_LOGPROBS = "message.output_text.logprobs"
_AS_THEY_ARE = frozenset({"input_text", "input_image", "input_file"})

Items = list[dict[str, Any]]


def reworded(request: Request, failures: Failures) -> Request:
    """The same for the endpoint ``responses``.

    Raises :class:`..errors.BadRequest` for what it has no words for, with its place.
    """
    params = _params(request.params)
    messages = list(enumerate(request.messages))
    first = request.messages[0] if messages and "instructions" not in params else {}
    if first.get("role") in _INSTRUCTING and isinstance(first.get("content"), str):
        params["instructions"] = first["content"]
        del messages[0]
    try:
        items = [item for n, message in messages for item in _items(message, n)]
    except _NoWords as error:
        reason = str(error)
    else:
        return structs.replace(
            request, endpoint="responses", messages=(), input=items, params=params
        )
    raise failures.unsendable(f"{reason} has no place in OpenAI's Responses")


class _NoWords(Exception):
    """``str()`` is what there are no words for, and where it stands."""


def _items(message: Mapping[str, Any], n: int) -> Items:
    """The input items of one message; ``n`` is its place."""
    place, role, content = f"messages[{n}]", message.get("role"), message.get("content")
    if key := unsaid(message):
        raise _NoWords(f"{place}.{key}")
    if role == "tool":
        joined = _joined(content)
        output: str | Items = _parts(content, place) if joined is None else joined
        call = message.get("tool_call_id")
        return [{"type": "function_call_output", "call_id": call, "output": output}]
    if role == "assistant":
        return _answered(message, place)
    if role not in ("user", *_INSTRUCTING):
        raise _NoWords(f"the role of {place}")
    if not isinstance(content, str):
        content = _parts(content, place)
    return [{"role": role, "content": content}]


def _answered(message: Mapping[str, Any], place: str) -> Items:
    """An earlier answer: what it said, and the tools that it called."""
    items: Items = []
    content = message.get("content")
    said = content if isinstance(content, str) or not content else _output(content, place)
    if refusal := message.get("refusal"):
        told = [{"type": "output_text", "text": said}] if isinstance(said, str) and said else []
        said = [*(told or said or ()), {"type": "refusal", "refusal": refusal}]
    if said:
        items.append({"role": "assistant", "content": said})
    calls = message.get("tool_calls") or []
    for n, call in enumerate(calls if isinstance(calls, list) else [calls]):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise _NoWords(f"{place}.tool_calls[{n}]")
        arguments = function.get("arguments", "")
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        own = {"call_id": call.get("id"), "name": function.get("name"), "arguments": arguments}
        items.append({"type": "function_call", **own})
    return items


def _output(parts: Sequence[Any], place: str) -> Items:
    """Parts of what the assistant said."""
    said: Items = []
    for n, part in enumerate(parts):
        kind, text = _kind(part)
        if kind in ("text", "output_text"):
            said.append({"type": "output_text", "text": text})
        elif kind == "refusal":
            said.append(dict(part))
        else:
            raise _NoWords(f"{place}.content[{n}] ({kind})")
    return said


def _parts(parts: Any, place: str) -> Items:
    """Parts of what the model is to read."""
    return [_part(part, f"{place}.content[{n}]") for n, part in enumerate(parts or ())]


def _part(part: Any, place: str) -> dict[str, Any]:
    kind, text = _kind(part)
    if kind == "text":
        return {"type": "input_text", "text": text}
    if kind in _AS_THEY_ARE:
        return dict(part)
    inner = part.get(kind) if isinstance(part, dict) else None
    if kind == "image_url" and inner:
        image = inner if isinstance(inner, dict) else {"url": inner}
        detail = image.get("detail") or "auto"
        return {"type": "input_image", "image_url": image.get("url"), "detail": detail}
    if kind == "file" and isinstance(inner, dict):
        return {"type": "input_file", **inner}
    raise _NoWords(f"{place} ({kind})")


def _kind(part: Any) -> tuple[str, Any]:
    """The type of a part, and its text; a bare string is a text."""
    if isinstance(part, str):
        return "text", part
    if isinstance(part, dict):
        return str(part.get("type")), part.get("text")
    return "no object", None


def _joined(content: Any) -> str | None:
    """The text of a tool's answer; None where it is more than text."""
    if isinstance(content, str) or not content:
        return content or ""
    read = [_kind(part) for part in content]
    if all(kind == "text" and isinstance(text, str) for kind, text in read):
        return "".join(text for _, text in read)
    return None


def _params(given: Mapping[str, Any]) -> dict[str, Any]:
    """The request parameters; those that Responses itself knows stay as they are."""
    params = dict(given)
    for name in _LIMITS:
        if (limit := params.pop(name, None)) is not None:
            params["max_output_tokens"] = limit
    if (effort := params.pop("reasoning_effort", None)) is not None:
        params["reasoning"] = {"effort": effort, **(params.get("reasoning") or {})}
    text = dict(params.get("text") or {})
    if (verbosity := params.pop("verbosity", None)) is not None:
        text.setdefault("verbosity", verbosity)
    if (form := params.pop("response_format", None)) is not None:
        text.setdefault("format", _flat(form, "json_schema"))
    if text:
        params["text"] = text
    if params.pop("logprobs", None) or params.get("top_logprobs"):
        include = [*(params.get("include") or ())]
        params["include"] = include if _LOGPROBS in include else [*include, _LOGPROBS]
    if tools := params.get("tools"):
        params["tools"] = [_tool(tool) for tool in tools]
    if isinstance(choice := params.get("tool_choice"), dict):
        params["tool_choice"] = _flat(choice, "custom" if "custom" in choice else "function")
    return params


def _flat(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """``{"type": T, T: {...}}`` as one object."""
    inner = value.get(key)
    return {"type": key, **inner} if isinstance(inner, dict) else dict(value)


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool; where nothing is said of it, a function is not strict, as in chat completions."""
    if not isinstance(tool.get("function"), dict):
        return _flat(tool, "custom")
    none: dict[str, Any] = {"type": "object", "properties": {}}
    return {"parameters": none, "strict": False, **_flat(tool, "function")}
