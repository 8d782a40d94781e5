"""From OpenAI's chat words to the body of Anthropic's Messages.

Blocks, tools and parameters that are Anthropic's own already go out as they stand. What has no
meaning there and changes nothing of what is asked is left out: an image's ``detail``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model import Request
from .wire import loads, unsaid

MAX_TOKENS = 4096
"""Tokens of an answer where the row names no limit: the API demands one, and all its models can
write that much."""

_SAID_OTHERWISE = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "stream",
    "stream_options",
)
_ROLES = ("user", "assistant", "system", "developer", "tool")
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "any": "any"}
_OWN_CHOICES = ("auto", "any", "tool", "none")
_OWN_BLOCKS = frozenset(
    {
        "text",
        "image",
        "document",
        "search_result",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "tool_result",
        "server_tool_use",
        "mcp_tool_use",
        "container_upload",
        "compaction",
    }
)


class NoWords(ValueError):
    """Anthropic has no words for what the row asks; says where and what, never quotes a prompt."""


def body(request: Request, stream: bool) -> dict[str, Any]:
    """The body as JSON values. Raises :class:`NoWords`."""
    system, messages = _conversation(request.messages)
    values: dict[str, Any] = {"model": request.model, "messages": messages}
    if system:
        plain = len(system) == 1 and len(system[0]) == 2
        values["system"] = system[0]["text"] if plain else system
    params = {name: value for name, value in request.params.items() if value is not None}
    for name in _SAID_OTHERWISE:
        params.pop(name, None)
    _tools(params)
    _output(params)
    _rename(params)
    values.update(params, stream=stream)
    values["max_tokens"] = _limit(params) if request.max_tokens is None else request.max_tokens
    values.update(request.extra)
    return values


def _limit(params: Mapping[str, Any]) -> int:
    """Thinking counts towards the limit, which has to leave room for the answer."""
    budget = _dict(params.get("thinking")).get("budget_tokens")
    return MAX_TOKENS + (budget if type(budget) is int else 0)


def _rename(params: dict[str, Any]) -> None:
    stop = params.pop("stop", None)
    if stop is not None:
        params.setdefault("stop_sequences", [stop] if isinstance(stop, str) else stop)
    # Both are OpenAI's names for an opaque id of the end user.
    user = params.pop("user", None)
    user = params.pop("safety_identifier", None) or user
    if user:
        params["metadata"] = {"user_id": user, **_dict(params.get("metadata"))}


def _output(params: dict[str, Any]) -> None:
    config = {}
    if "reasoning_effort" in params:
        config["effort"] = params.pop("reasoning_effort")
    wanted = _dict(params.pop("response_format", {"type": "text"}))
    if wanted.get("type") == "json_schema":
        schema = _dict(wanted.get("json_schema")).get("schema")
        if not isinstance(schema, dict):
            raise NoWords("response_format.json_schema.schema must be an object")
        config["format"] = {"type": "json_schema", "schema": schema}
    elif wanted.get("type") != "text":
        raise NoWords(
            f"Anthropic has no response_format of type {wanted.get('type')}: give a json_schema, "
            "or leave it out and ask for JSON in the prompt"
        )
    if config:
        params["output_config"] = {**config, **_dict(params.get("output_config"))}


def _tools(params: dict[str, Any]) -> None:
    if tools := params.get("tools"):
        params["tools"] = [_tool(tool) for tool in tools]
    together = params.pop("parallel_tool_calls", True)
    if "tool_choice" in params:
        params["tool_choice"] = _choice(params["tool_choice"])
    if tools and not together:
        choice = params.setdefault("tool_choice", {"type": "auto"})
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = _dict(tool).get("function")
    if not isinstance(function, dict):
        return tool
    schema = {"type": "object", **_dict(function.get("parameters"))}
    own = {key: value for key, value in tool.items() if key not in ("type", "function")}
    known = ("name", "description", "strict")
    said = {key: function[key] for key in known if function.get(key) is not None}
    return {**own, **said, "input_schema": schema}


def _choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    value = _dict(choice)
    if value.get("type") in _OWN_CHOICES:
        return dict(value)
    name = _dict(value.get("function")).get("name")
    if not name:
        raise NoWords(
            'Anthropic has no such tool_choice: give "auto", "none", "required", or a function '
            "with its name"
        )
    return {"type": "tool", "name": name}


def _conversation(
    messages: Sequence[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system's blocks, wherever they stood, and the turns of user and assistant."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []  # of the tool messages that stand in a row
    for n, message in enumerate(messages):
        role, content, place = message.get("role"), message.get("content"), f"messages[{n}]"
        if role in _ROLES and (key := unsaid(message)):
            raise NoWords(f"{place}: Anthropic has no word for a message's {key}")
        if role == "tool":
            if not results:
                turns.append({"role": "user", "content": results})
            results.append(_result(message, place))
            continue
        if role in ("system", "developer"):
            system += _texts(content, place)
            continue
        results = []
        if role not in ("user", "assistant"):
            raise NoWords(f"{place}: Anthropic has no role {role}")
        calls = message.get("tool_calls") if role == "assistant" else None
        refusal = message.get("refusal")
        if not calls and not refusal and _says(content):
            turns.append({"role": role, "content": content})
            continue
        blocks = _blocks(content, place) + _blocks(refusal, place) + _calls(calls, place)
        if not blocks:
            raise NoWords(f"{place} is empty: Anthropic takes no message without content")
        turns.append({"role": role, "content": blocks})
    if not turns:
        raise NoWords("Anthropic needs a message of a user")
    return system, turns


def _texts(content: Any, place: str) -> list[dict[str, Any]]:
    blocks = _blocks(content, place)
    for block in blocks:
        if block["type"] != "text":
            raise NoWords(f"{place}: Anthropic takes only text from the system, no {block['type']}")
    return blocks


def _result(message: Mapping[str, Any], place: str) -> dict[str, Any]:
    asked, content = message.get("tool_call_id"), message.get("content")
    if not isinstance(asked, str):
        raise NoWords(f"{place}.tool_call_id must name the tool call that this answers")
    block = {"type": "tool_result", "tool_use_id": asked}
    said = content if _says(content) else _blocks(content, place)
    return {**block, "content": said} if said else block


def _calls(calls: Any, place: str) -> list[dict[str, Any]]:
    made = []
    for n, call in enumerate(calls if isinstance(calls, list) else ()):
        function = _dict(_dict(call).get("function"))
        given = function.get("arguments") or "{}"
        if isinstance(given, str):
            given = loads(given.encode("utf-8", "surrogatepass"))
        if not isinstance(given, dict):
            raise NoWords(f"{place}.tool_calls[{n}].function.arguments is not a JSON object")
        named = {"id": _dict(call).get("id"), "name": function.get("name")}
        made.append({"type": "tool_use", **named, "input": given})
    return made


def _blocks(content: Any, place: str) -> list[dict[str, Any]]:
    """A content's blocks. A text that is blank is none: Anthropic refuses those."""
    if content is None or isinstance(content, str):
        return [{"type": "text", "text": content}] if _says(content) else []
    if not isinstance(content, list):
        raise NoWords(f"{place}.content must be a string or a list of parts")
    blocks = [_block(part, f"{place}.content[{n}]") for n, part in enumerate(content)]
    return [block for block in blocks if block["type"] != "text" or _says(block["text"])]


def _block(part: Any, place: str) -> dict[str, Any]:
    value = _dict(part)
    kind = value.get("type")
    if isinstance(part, str) or (kind == "text" and not isinstance(value.get("text"), str)):
        raise NoWords(f"{place} must be an object, with a string as its text")
    if kind == "image_url":
        link = value.get("image_url")
        media = _media(link.get("url") if isinstance(link, dict) else link, place)
    elif kind == "file":
        media = _media(_dict(value.get("file")).get("file_data"), place)
    else:
        media = None
    if media is not None:  # with what is Anthropic's own, such as cache_control
        return {**{key: value[key] for key in value if key not in ("type", kind)}, **media}
    if isinstance(kind, str) and (kind in _OWN_BLOCKS or kind.endswith("_tool_result")):
        return value
    raise NoWords(f"{place}: Anthropic has no word for a part of type {kind}")


def _media(url: Any, place: str) -> dict[str, Any]:
    """An image, or a PDF as a document."""
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    head, _, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not (head.startswith("data:") and head.endswith(";base64")):
        raise NoWords(f"{place} must hold an https URL, or a data URL in base64")
    media = head[5:].partition(";")[0].lower()
    media = "image/jpeg" if media == "image/jpg" else media
    if not media.startswith("image/") and media != "application/pdf":
        raise NoWords(f"{place}: Anthropic takes images and PDFs, no {media or 'data of no type'}")
    kind = "image" if media.startswith("image/") else "document"
    return {"type": kind, "source": {"type": "base64", "media_type": media, "data": data}}


def _says(text: Any) -> bool:
    return isinstance(text, str) and text != "" and not text.isspace()


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
