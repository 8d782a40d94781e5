"""Gemini's wire format (generativelanguage, v1beta): OpenAI's words put into Google's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from ..dialects import Dialect
from ..model import Request
from .failures import Failures
from .geminicontents import Wordless, conversation, get
from .geminiparser import GeminiParser
from .geminireader import GeminiReader
from .wire import Prepared

_COLLECTIONS = ("models/", "tunedModels/")

_CONFIG: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "max_output_tokens": "maxOutputTokens",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_PLAIN = _CONFIG.keys() - {"logprobs", "top_logprobs"}
_OWN: Mapping[str, str] = {
    "safetySettings": "safetySettings",
    "safety_settings": "safetySettings",
    "cachedContent": "cachedContent",
    "cached_content": "cachedContent",
}
_MODES: Mapping[str, str] = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_TIERS: Mapping[str, str] = {"default": "standard"}

_BUDGETS: Mapping[str, int] = {
    **{"none": 0, "minimal": 1024, "low": 1024, "medium": 8192},
    **{"high": 24576, "xhigh": 24576},
}
"""Tokens of thought for ``reasoning_effort``, as Google's own OpenAI endpoint counts them."""

_BY_BUDGET = re.compile(r"gemini-[12][.-]")
"""Models that think by budget; those from 3 on have levels, and refuse what is not theirs."""


class GeminiWire:
    """For Google's API, and servers that speak it."""

    __slots__ = ("_failures",)

    def __init__(self, failures: Failures, dialect: Dialect) -> None:  # noqa: ARG002 - every wire's
        self._failures = failures

    def __repr__(self) -> str:
        return f"GeminiWire({self._failures.provider!r})"

    def prepare(self, request: Request, stream: bool) -> Prepared:
        """The request in Google's words; see :class:`.wire.Wire`."""
        try:
            values = _body(request)
        except Wordless as error:
            reason = str(error)
        else:
            reader = GeminiReader(self._failures)
            return Prepared(_path(request.model, stream), values, reader, GeminiParser())
        raise self._failures.unsendable(reason)


@lru_cache(maxsize=64)
def _path(model: str, stream: bool) -> str:
    collection = next((name for name in _COLLECTIONS if model.startswith(name)), "")
    name = quote(model.removeprefix(collection), safe="")
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/{collection or 'models/'}{name}:{method}"


def _body(request: Request) -> dict[str, Any]:
    params = {name: value for name, value in request.params.items() if value is not None}
    extra = dict(request.extra)
    body = conversation(request.messages)
    if not extra and params.keys() <= _PLAIN:  # as most are
        config = {_CONFIG[name]: value for name, value in params.items()}
        return {**body, "generationConfig": config} if config else body
    if "tools" in params:
        body["tools"] = _tools(params["tools"])
    settings = _choice(params.get("tool_choice"))
    settings |= _object(params, "tool_config") | _object(params, "toolConfig")
    if settings:
        body["toolConfig"] = settings
    if (tier := params.get("service_tier", "auto")) != "auto":
        body["serviceTier"] = _TIERS.get(tier, tier)
    body |= {_OWN[name]: params[name] for name in _OWN.keys() & params.keys()}
    config = _config(params, request.model)
    for name in ("generation_config", "generationConfig"):
        config |= _object(extra, name)
        extra.pop(name, None)
    if any(config.get(name) not in (1, None) for name in ("candidateCount", "candidate_count")):
        raise Wordless("candidateCount must be 1: one row is one answer")
    if config:
        extra["generationConfig"] = config
    return {**body, **extra}


def _tools(tools: Any) -> list[Any]:
    """Functions become one tool; Gemini's own tools stay as they are."""
    functions, own = [], []
    for tool in tools if isinstance(tools, list) else [tools]:
        if get(tool, "type") == "function":
            said = get(tool, "function")
            if not isinstance(get(said, "name"), str):
                raise Wordless("a tool of type function that has no name")
            words = (("name", "name"), ("description", "description"))
            made = {ours: said[word] for word, ours in words if said.get(word) is not None}
            if said.get("parameters"):
                made["parametersJsonSchema"] = said["parameters"]
            functions.append(made)
        elif isinstance(tool, dict) and "type" not in tool:
            own.append(tool)
        else:
            raise Wordless(f"Gemini has no words for a tool of type {get(tool, 'type')!r}")
    return [*([{"functionDeclarations": functions}] if functions else []), *own]


def _choice(choice: Any) -> dict[str, Any]:
    if choice is None:
        return {}
    if isinstance(choice, str) and choice in _MODES:
        return {"functionCallingConfig": {"mode": _MODES[choice]}}
    name = get(get(choice, "function"), "name")
    if not isinstance(name, str):
        raise Wordless("tool_choice must be auto, none, required, or name a function")
    return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}}


def _config(params: Mapping[str, Any], model: str) -> dict[str, Any]:
    config = {_CONFIG[name]: value for name, value in params.items() if name in _CONFIG}
    if config.get("responseLogprobs") is False:
        del config["responseLogprobs"]
    if "stop" in params:
        stop = params["stop"]
        config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    config |= _format(_object(params, "response_format"))
    thinking = _thinking(params["reasoning_effort"], model) if "reasoning_effort" in params else {}
    own = {**_object(params, "generation_config"), **_object(params, "generationConfig")}
    thinking |= _object(own, "thinkingConfig")
    thinking |= _object(params, "thinking_config") | _object(params, "thinkingConfig")
    return config | own | ({"thinkingConfig": thinking} if thinking else {})


def _format(said: Mapping[str, Any]) -> dict[str, Any]:
    kind = said.get("type", "text")
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"responseMimeType": "application/json"}
    schema = get(said.get("json_schema"), "schema")
    if kind != "json_schema" or not isinstance(schema, dict):
        raise Wordless("response_format must be text, json_object, or json_schema with a schema")
    return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def _thinking(effort: Any, model: str) -> dict[str, Any]:
    if effort not in _BUDGETS:
        raise Wordless(f"reasoning_effort must be one of {', '.join(_BUDGETS)}")
    if effort == "none" or _BY_BUDGET.search(model):
        return {"thinkingBudget": _BUDGETS[effort]}
    lowest = effort == "minimal" and "pro" in model  # the pro models start at low
    return {"thinkingLevel": "LOW" if lowest else effort.upper()}


def _object(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name) or {}
    if not isinstance(value, dict):
        raise Wordless(f"{name} must be an object")
    return dict(value)
