"""Which columns answers have, and the paths that select them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampleresults import sample as ok

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.model import Failure
from llmbatch.jobs.sinks.tables.columns import answer_columns, apart, ending_columns
from llmbatch.jobs.sinks.tables.paths import name_of, select, value_at

KEYS = st.text(st.characters(categories=["L", "N", "Zs", "P"], exclude_characters="\"\\'"),
               min_size=1, max_size=5)  # fmt: skip


def columns(schema: Any, *specs: str) -> list[tuple[str, str]]:
    found = answer_columns(schema, [select(spec) for spec in specs])
    return [(column.name, column.kind) for column in found]


def test_properties_become_columns_and_objects_within_get_dots() -> None:
    schema = {
        "type": "object",
        "$defs": {"place": {"type": "object", "properties": {"lat": {"type": "number"}}}},
        "properties": {
            "name": {"type": "string"},
            "age": {"type": ["integer", "null"]},
            "ok": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            "home": {"type": "object", "properties": {"city": {"type": "string"},
                                                      "at": {"$ref": "#/$defs/place"}}},
            "tags": {"type": "array", "items": {"type": "string"}},
            "any": True,
        },
    }  # fmt: skip
    assert columns(schema) == [
        ("name", "text"), ("age", "int"), ("ok", "bool"), ("home.city", "text"),
        ("home.at.lat", "float"), ("tags", "text"), ("any", "text"),
    ]  # fmt: skip
    assert columns(schema, "$.home.at.lat", "x=$.tags[0]", "$.home") == [
        ("home.at.lat", "float"), ("x", "text"), ("home", "text"),
    ]  # fmt: skip


@pytest.mark.parametrize("schema", [None, True, {"type": "array"}, {"type": "object"}])
def test_an_answer_without_properties_is_one_column(schema: Any) -> None:
    assert columns(schema) == [("output", "text")]


def test_a_schema_that_leads_back_to_itself_has_an_end() -> None:
    schema: Any = {"type": "object", "properties": {"a": {"$ref": "#"}}}
    assert len(columns(schema)) == 1
    assert columns({"$ref": "#"}) == [("output", "text")]


def test_a_name_that_is_taken_gets_a_prefix() -> None:
    names = [column.name for column in apart(ending_columns(), ["status", "llm_status", "error"])]
    assert names[0] == "llm_llm_status"
    assert names[-1] == "llm_error"
    assert names[1] == "finish_reason"


def test_what_a_result_lacks_is_an_empty_cell() -> None:
    (city,) = answer_columns({"type": "object"}, [select("$.home.city")])
    for output in (None, "text", [1], {"home": None}, {"home": "x"}, {}):
        assert city.of(ok(output=output)) is None
    assert city.of(ok(output={"home": {"city": "Rome"}})) == "Rome"


def test_what_is_no_data_stands_in_no_column_of_data() -> None:
    (output,) = answer_columns({"type": "integer"}, [])
    assert output.of(ok(output=5)) == 5
    assert output.of(ok(output="I would rather not", status="invalid_output")) is None
    (text,) = answer_columns(None, [])
    assert text.of(ok(output="I would rather not", status="refused")) == "I would rather not"


def test_a_row_that_is_none_says_which_line_it_was() -> None:
    *_, error = ending_columns()
    failure = Failure("invalid_row", None, "has 1 cell", retryable=False)
    assert error.of(ok(line=7, status="invalid", error=failure)) == (
        "invalid_row: has 1 cell (line 7)"
    )


@pytest.mark.parametrize(
    ("path", "wrong"),
    [("$.home[0]", "leads into a list, and the schema has an object there"),
     ("$.tags.x", "x leads into an object, and the schema has a list there"),
     ("$.tags[0].y", "y leads into an object, and the schema has a text there")],
)  # fmt: skip
def test_a_path_through_what_the_schema_has_not_is_refused(path: str, wrong: str) -> None:
    schema = {"type": "object", "properties": {
        "home": {"type": ["object", "null"]}, "open": {},
        "tags": {"type": "array", "items": {"type": "string"}}}}  # fmt: skip
    with pytest.raises(ConfigError, match=wrong):
        answer_columns(schema, [select(path)])
    assert columns(schema, "$.home.x", "$.open[0].x", "$.tags[0]") == [
        ("home.x", "text"), ("open[0].x", "text"), ("tags[0]", "text")]  # fmt: skip


@given(st.lists(st.one_of(KEYS, st.integers(0, 99)), max_size=4))
def test_every_place_has_a_path_that_leads_to_it(steps: list[str | int]) -> None:
    value: Any = "here"
    for step in reversed(steps):
        value = [None] * step + [value] if isinstance(step, int) else {step: value}
    path = "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in steps)
    chosen = select(f"name=${path}")
    assert (chosen.name, list(chosen.steps)) == ("name", steps)
    assert value_at(value, chosen.steps) == "here"
    assert select(f"${path}").name == name_of(steps)


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [("name", "write it as in"), ("", "write it as in"), ("=$.a", "write it as in"),
     ("$a", "character 2"), ("x=$.a..b", "character 6"), ("$.a[-1]", "character 4"),
     ("$.a[*]", "character 4"), ("$.a[", "character 4"), ("$.", "character 2")],
)  # fmt: skip
def test_what_is_no_path_is_named_with_its_place(spec: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        select(spec)
