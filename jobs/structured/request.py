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

_CLOSED = frozenset((
    "title", "description", "type", "enum", "required", "properties", "items",
    "additionalProperties", "anyOf",
))  # fmt: skip
"""Those that also servers with a strict subset of JSON Schema take."""

_MOST_OPTIONAL, _MOST_UNIONS = 24, 16
"""Anthropic's limits of one schema ("Structured outputs", schema complexity limits)."""

_MAPS = frozenset({"properties", "$defs", "definitions"})
_LISTS = frozenset({"anyOf", "allOf", "oneOf"})
_LOCAL = re.compile(r"#/(\$defs|definitions)/[A-Za-z0-9_.-]+")
_OLD = re.compile(r"gpt-?3|gpt-4(-\d{4}|-turbo|-32k|-vision|$)|gpt-4o-2024-05-13|o1-(mini|preview)")
"""OpenAI's models from before its structured outputs (August 2024), by their names."""

_OLD_CLOSED = re.compile(
    r"(anthropic\.)?claude-(instant|v?[0-3]|(opus|sonnet)-4(-0)?([-@]\d{8}.*)?$)"
    r"|gemini-(pro|ultra|1|2\.0)|gemma"
)
"""Anthropic's models from before its own (Opus 4.1, Sonnet 4.5), Google's from before 2.5."""


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
    strict subset of JSON Schema and not this one, refuses the request; there the prompt and the
    check of the answer do without it. Sent is a wider schema in the words that all servers take:
    the answer is checked by the whole one.
    """
    strict = False
    for dialect, model in routes:
        name = model.rpartition("/")[2].lower()
        if dialect.closed_schemas:
            strict = True
            if _OLD_CLOSED.match(name):
                return {}
        elif not dialect.schemas or _OLD.match(name):
            return {}
    value = schema.value
    if not isinstance(value, dict) or value.get("type") != "object" or "$ref" in value:
        return {}  # OpenAI takes no other root
    try:
        wider = _wider(value)
    except (_NoWords, RecursionError):
        return {}
    if strict and not _closed(wider):
        return {}
    wanted = {"name": "answer", "schema": wider, "strict": False}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def needs_words(
    schema: Schema, params: Mapping[str, Any], routes: Iterable[tuple[Dialect, str]]
) -> bool:
    """Whether the prompt has to say what ``params`` (of :func:`params_for`) say.

    Servers of open models hold the answer to a schema without showing it to the model.
    """
    form = params.get("response_format")
    if form is None or form["json_schema"]["schema"] != schema.value:
        return True
    return not all(dialect.takes for dialect, _ in routes)


def _closed(schema: Any) -> bool:
    """Whether it is of the strict subset: objects name all their keys, and nothing refers."""
    optional = unions = 0
    left = [schema]
    while left:
        part = left.pop()
        if not isinstance(part, dict) or not part.keys() <= _CLOSED:
            return False
        kind = part.get("type")
        if kind is None and not part.keys() & {"anyOf", "enum"}:
            return False
        if not all(type(word) in (str, int, float) for word in part.get("enum", ())):
            return False
        unions += isinstance(kind, list) or "anyOf" in part
        fields = part.get("properties", {})
        if kind == "object" or (isinstance(kind, list) and "object" in kind):
            if part.get("additionalProperties") is not False:
                return False
            optional += len(fields.keys() - set(part.get("required", ())))
        left += [*fields.values(), *part.get("anyOf", ())]
        if "items" in part:
            left.append(part["items"])
    return optional <= _MOST_OPTIONAL and unions <= _MOST_UNIONS


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
