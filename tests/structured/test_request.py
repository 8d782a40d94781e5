from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from jsonschema_rs.canonical import Containment

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.dialects import ANY_SERVER, APIS, KNOWN, Dialect
from llmbatch.jobs.providers.registry import resolve
from llmbatch.jobs.structured.request import instruction, needs_words, params_for
from llmbatch.jobs.structured.schema import Schema
from llmbatch.jobs.structured.shortform import expand

OPENAI = (KNOWN["openai"], "gpt-4o-mini")
ITEM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
LIST = {"type": "object", "properties": {"items": {"type": "array", "items": ITEM}}}


def sent(schema: Any, *routes: tuple[Dialect, str]) -> Any:
    params = params_for(Schema(schema), routes or [OPENAI])
    if not params:
        return None
    assert list(params) == ["response_format"]
    said = params["response_format"]
    assert said["type"] == "json_schema"
    assert (said["json_schema"]["name"], said["json_schema"]["strict"]) == ("answer", False)
    return said["json_schema"]["schema"]


def test_an_ordinary_schema_is_sent_as_it_is() -> None:
    assert sent(LIST) == LIST


@pytest.mark.parametrize("name", ["openai", "openai-responses", "azure", "ollama", "vllm",
                                  "llamacpp"])  # fmt: skip
def test_routes_that_take_any_schema_are_told_it(name: str) -> None:
    assert sent(LIST, (KNOWN[name], "some-model")) == LIST


def test_the_embedded_model_is_told_it() -> None:
    (route,) = resolve(JobConfig(model="local/x.gguf"), {})
    assert sent(LIST, (route.dialect, route.model)) == LIST


@pytest.mark.parametrize(
    "dialect", [ANY_SERVER, APIS["openai-responses"], *(
        KNOWN[name] for name in KNOWN
        if name not in {"openai", "openai-responses", "azure", "ollama", "vllm", "llamacpp"}
    )]
)  # fmt: skip
def test_a_route_that_may_refuse_it_is_told_in_the_prompt_alone(dialect: Dialect) -> None:
    assert sent(LIST, (dialect, "m")) is None
    assert sent(LIST, OPENAI, (dialect, "m")) is None, "a row may fall back to it"


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("gpt-3.5-turbo", False), ("gpt-35-turbo", False), ("gpt-4", False),
        ("gpt-4-0613", False), ("gpt-4-turbo", False), ("gpt-4o-2024-05-13", False),
        ("o1-mini", False), ("openai/gpt-4", False),
        ("gpt-4o", True), ("gpt-4.1-mini", True), ("gpt-5", True), ("o3", True), ("o1", True),
    ],
)  # fmt: skip
def test_models_older_than_structured_outputs_are_told_in_the_prompt(
    model: str, told: bool
) -> None:
    assert (sent(LIST, (KNOWN["openai"], model)) is not None) == told


CLOSED = expand("name:str, score:int, tags:str[], note:str?, mood:good|bad?, day:date?")


@pytest.mark.parametrize(
    ("name", "model", "told"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", True), ("anthropic", "claude-opus-4-1", True),
        ("anthropic", "claude-haiku-4-5", True), ("anthropic", "claude-opus-5", True),
        ("anthropic", "claude-sonnet-4-20250514", False), ("anthropic", "claude-sonnet-4-0", False),
        ("anthropic", "claude-3-7-sonnet-latest", False), ("anthropic", "claude-2.1", False),
        ("gemini", "gemini-2.5-flash", True), ("gemini", "gemini-3-pro", True),
        ("gemini", "gemini-2.0-flash", False), ("gemini", "gemini-1.5-pro", False),
        ("gemini", "gemma-3-27b-it", False),
    ],
)  # fmt: skip
def test_a_schema_that_names_all_keys_is_told_where_a_strict_subset_is_taken(
    name: str, model: str, told: bool
) -> None:
    assert (sent(CLOSED, (KNOWN[name], model)) is not None) == told
    assert (sent(CLOSED, OPENAI, (KNOWN[name], model)) is not None) == told


CLOSED_ITEM = {**ITEM, "additionalProperties": False}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"a": CLOSED_ITEM, "b": {"type": "array", "items": CLOSED_ITEM}}, True),
        ({"a": {"type": "string", "minLength": 2}}, True),  # sent without what is too narrow
        ({"a": ITEM}, False), ({"a": {"type": "array", "items": ITEM}}, False),
        ({"a": {"anyOf": [CLOSED_ITEM, ITEM]}}, False), ({"a": True}, False), ({"a": {}}, False),
        ({"a": {"enum": ["x", 1]}}, True), ({"a": {"enum": ["x", None]}}, False),
        ({"a": {"allOf": [CLOSED_ITEM]}}, False), ({"a": {"const": 1}}, False),
        ({f"a{n}": {"type": "string"} for n in range(24)}, True),
        ({f"a{n}": {"type": "string"} for n in range(25)}, False),
        ({f"a{n}": {"type": ["string", "null"]} for n in range(17)}, False),
    ],
)  # fmt: skip
def test_what_is_not_of_the_strict_subset_is_left_to_the_prompt(
    fields: dict[str, Any], told: bool
) -> None:
    schema = {"type": "object", "properties": fields, "additionalProperties": False}
    assert (sent(schema, (KNOWN["anthropic"], "claude-opus-4-5")) is not None) == told


def test_the_prompt_says_what_the_request_leaves_out_and_what_servers_keep_to_themselves() -> None:
    def needs(schema: Any, *routes: tuple[Dialect, str]) -> bool:
        made = Schema(schema)
        return needs_words(made, params_for(made, routes), routes)

    narrow = {**CLOSED, "minProperties": 1}
    plain = expand("name:str, score:int")
    assert not needs(plain, OPENAI)
    assert not needs(plain, OPENAI, (KNOWN["gemini"], "gemini-2.5-pro"))
    assert needs(narrow, OPENAI)
    assert needs(plain, (ANY_SERVER, "m"))
    for name in ("vllm", "ollama", "llamacpp"):
        assert needs(plain, (KNOWN[name], "m"))


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": "array", "items": ITEM},
        {"anyOf": [ITEM, LIST]},
        {"type": ["object", "null"]},
        {"type": "object", "$ref": "#/$defs/a", "$defs": {"a": ITEM}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "properties": {"a": ITEM, "b": {"$ref": "#/properties/a"}}},
        {"type": "object", "$id": "https://example.com/a", "properties": {}},
    ],
)
def test_a_root_or_reference_that_some_servers_refuse_is_not_sent(schema: Any) -> None:
    assert sent(schema) is None


WIDER = [
    (
        {**LIST, "$schema": "http://json-schema.org/draft-07/schema#", "minProperties": 1},
        LIST,
    ),
    (
        {"type": "object", "properties": {"date": {"type": "string", "format": "date"},
                                          "id": {"type": "string", "pattern": "^[A-Z]"},
                                          "n": {"type": "integer", "minimum": 1},
                                          "pattern": {"const": {"pattern": 1}}}},
        {"type": "object", "properties": {"date": {"type": "string"}, "id": {"type": "string"},
                                          "n": {"type": "integer"},
                                          "pattern": {"const": {"pattern": 1}}}},
    ),
    (
        {"type": "object", "patternProperties": {"^x": {}}, "additionalProperties": False},
        {"type": "object"},
    ),
    (
        {"type": "object", "additionalProperties": {"type": "array", "maxItems": 9999}},
        {"type": "object", "additionalProperties": {"type": "array"}},
    ),
    (
        {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"const": 1}],
                                                "items": {"type": "string"}}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
    ),
    (
        {"type": "object", "properties": {"a": {"oneOf": [{"type": "integer", "minimum": 3},
                                                          {"type": "integer", "maximum": 2}]}}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "integer"},
                                                          {"type": "integer"}]}}},
    ),
    (
        {"type": "object", "properties": {"a": {"not": {"type": "null"}, "if": True, "else": {}}}},
        {"type": "object", "properties": {"a": {}}},
    ),
    (
        {"type": "object", "$defs": {"a": {"type": "string", "minLength": 2}},
         "properties": {"a": {"$ref": "#/$defs/a", "maxLength": 3}, "b": True}},
        {"type": "object", "$defs": {"a": {"type": "string"}},
         "properties": {"a": {"$ref": "#/$defs/a"}, "b": True}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "wider"), WIDER)
def test_what_not_every_server_takes_is_left_out_so_that_more_fits(schema: Any, wider: Any) -> None:
    assert sent(schema) == wider
    narrow = jsonschema_rs.canonicalize(schema)
    wide = jsonschema_rs.canonicalize({**wider, **{k: schema[k] for k in schema if k == "$schema"}})
    assert wide.covers(narrow) is not Containment.NO


def test_a_bottomless_schema_is_left_to_the_prompt() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(90):
        schema = {"type": "object", "properties": {"a": schema}}
    assert sent(schema) == schema


def test_the_prompt_holds_the_schema_in_one_line() -> None:
    said = instruction(Schema(LIST))
    first, second = said.split("\n")
    assert "JSON alone" in first
    assert json.loads(second) == LIST
    for anything in (True, {}):
        assert (
            instruction(Schema(anything))
            == "Answer with JSON alone: no explanation, no code fence."
        )
