"""What of a schema a provider is told: the words in the prompt, and its own parameter. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..dialects import Dialect
from .schema import Schema

_KEPT = frozenset((
    "title", "description", "type", "enum", "const", "required", "properties", "items",
    "additionalProperties", "anyOf", "allOf", "oneOf", "$defs", "definitions", "$ref",
))  # fmt: skip
"""Keywords of a schema that every server takes; the others are checked here alone."""

_MAPS = frozenset({"properties", "$defs", "definitions"})
_LISTS = frozenset({"anyOf", "allOf", "oneOf"})
_LOCAL = re.compile(r"#/(\$defs|definitions)/[A-Za-z0-9_.-]+")
_OLD = re.compile(r"gpt-?3|gpt-4(-\d{4}|-turbo|-32k|-vision|$)|gpt-4o-2024-05-13|o1-(mini|preview)")
"""OpenAI's models from before its structured outputs (August 2024), by their names."""


class _NoWords(ValueError):
    """A schema that can't be said in the words that every server takes."""


def instruction(schema: Schema) -> str:
    """What the prompt says of the answer's form."""
    alone = "Answer with JSON alone: no explanation, no code fence."
    if schema.value is True or schema.value == {}:
        return alone
    return f"{alone} It must fit this JSON Schema:\n{schema.text}"


def params_for(schema: Schema, routes: Iterable[tuple[Dialect, str]]) -> Mapping[str, Any]:
    """``response_format`` where every route (its dialect and model) takes it; else nothing.

    A row may go to any of the routes, and one that does not know the parameter, or that takes a
    strict subset of JSON Schema, refuses the request; there the prompt and the check of the answer
    do without it. Sent is a wider schema in the words that all servers take: the answer is checked
    by the whole one.
    """
    for dialect, model in routes:
        if not dialect.schemas or _OLD.match(model.rpartition("/")[2].lower()):
            return {}
    value = schema.value
    if not isinstance(value, dict) or value.get("type") != "object" or "$ref" in value:
        return {}  # OpenAI takes no other root
    try:
        wider = _wider(value)
    except (_NoWords, RecursionError):
        return {}
    wanted = {"name": "answer", "schema": wider, "strict": False}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def _wider(schema: Any) -> Any:
    """A schema of the known keywords that takes at least what ``schema`` takes."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in _KEPT or _means_less(key, schema):
            continue
        if key in _MAPS and isinstance(value, dict):
            kept[key] = {name: _wider(inner) for name, inner in value.items()}
        elif key in _LISTS:
            # More than one branch may fit once their other keywords are gone.
            kept["anyOf" if key == "oneOf" else key] = [_wider(inner) for inner in value]
        elif key in ("items", "additionalProperties"):
            kept[key] = _wider(value)
        else:
            kept[key] = value
    ref = schema.get("$ref")
    if "$id" in schema or (ref is not None and not _LOCAL.fullmatch(str(ref))):
        raise _NoWords
    return kept


def _means_less(key: str, schema: Mapping[str, Any]) -> bool:
    """A keyword that another one narrows which is left out, or that old drafts do not look at."""
    if "$ref" in schema:
        return key not in ("$ref", "$defs", "definitions")
    if key == "additionalProperties":
        return "patternProperties" in schema
    if key == "items":
        return "prefixItems" in schema or not isinstance(schema[key], dict | bool)
    return key == "oneOf" and "anyOf" in schema
