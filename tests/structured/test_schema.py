from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.structured.schema import Schema

FINDINGS = {
    "type": "object",
    "properties": {
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "score": {"type": "integer"}},
                "required": ["name"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["findings"],
}


def wrong(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        Schema.load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def loading(tmp_path: Path, content: Any) -> str:
    path = tmp_path / "schema.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    message = wrong(path)
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def test_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(FINDINGS, indent=2).encode())
    schema = Schema.load(path)
    assert schema.value == FINDINGS
    assert json.loads(schema.text) == FINDINGS
    assert "\n" not in schema.text
    assert schema.check({"findings": [{"name": "x"}]}) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": is not JSON: the file is empty"),
        (b'{\n"type": "object",\n}', ":3: is not JSON: "),
        (b'{"type": "object"} x', ":1: is not JSON: more text follows"),
        (b'{"type": "object", "type": "array"}', ': is not JSON: the key "type" stands twice'),
        (b'{"minimum": NaN}', ": is not JSON: NaN"),
        (b"[" * 100_000, ": is not JSON: lists and objects are nested more than"),
        (b'{"title": "\xff"}', ": is not UTF-8 (byte 11)"),
        (b'{"title": "\\ud800"}', ": a text has half a surrogate pair"),
        (5, ": a JSON Schema is an object (or true), not a number"),
        (["name"], ": a JSON Schema is an object (or true), not a list"),
        ("name:str", ": a JSON Schema is an object (or true), not a text"),
        (None, ": a JSON Schema is an object (or true), not null"),
        ({"type": "obj"}, ': is not a valid JSON Schema: $.type: "obj"'),
        ({"properties": {"a": {"minLength": -1}}}, "$.properties.a.minLength: -1 is less than"),
        ({"pattern": "(["}, '$.pattern: "([" is not a "regex"'),
        ({"$schema": 5}, ": is not a valid JSON Schema: $"),
        ({"$ref": "#/$defs/none"}, ": is not a valid JSON Schema: "),
    ],
)
def test_what_is_no_schema_is_refused_with_file_and_place(
    tmp_path: Path, content: Any, said: str
) -> None:
    assert said in loading(tmp_path, content)


@pytest.mark.parametrize(
    "ref",
    [
        "http://127.0.0.1:9/schema.json",
        "https://example.com/schema.json#/$defs/a",
        "file:///etc/passwd",
        "other.json",
        "../other.json#/a",
    ],
)
@pytest.mark.parametrize("draft", ["https://json-schema.org/draft/2020-12/schema",
                                   "http://json-schema.org/draft-07/schema#"])  # fmt: skip
def test_nothing_is_fetched(tmp_path: Path, ref: str, draft: str) -> None:
    said = loading(tmp_path, {"$schema": draft, "properties": {"x": {"$ref": ref}}})
    assert "and nothing is fetched: copy it into the schema's $defs" in said
    assert ref.split("#")[0].removeprefix("../") in said


def test_an_unknown_draft_is_not_fetched_either(tmp_path: Path) -> None:
    said = loading(tmp_path, {"$schema": "http://127.0.0.1:9/draft"})
    assert "http://127.0.0.1:9/draft" in said


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    assert wrong(tmp_path / "none.json").endswith("none.json: can't read the schema: "
                                                  "No such file or directory")  # fmt: skip
    assert "Is a directory" in wrong(tmp_path)


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(ConfigError, match=r"pip install 'llmbatch\[schema\]'"):
        Schema({})


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"a": [1.5]}])
def test_true_and_an_empty_schema_fit_everything(value: Any) -> None:
    assert Schema(True).check(value) is None
    assert Schema({}).check(value) is None


def test_references_inside_the_schema_are_followed() -> None:
    schema = Schema(
        {
            "$id": "https://example.com/own.json",
            "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}, "type": "object"}},
            "$ref": "#/$defs/node",
        }
    )
    assert schema.check({"next": {"next": {}}}) is None
    assert schema.check({"next": {"next": 1}}) == '$.next.next: 1 is not of type "object"'


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"findings": [{"name": "a"}, {"name": 5}]}, '$.findings[1].name: 5 is not of type "strin'),
        ({"findings": [{"name": "a", "odd key": 1}]}, "$.findings[0]: Additional properties"),
        ([], '$: [] is not of type "object"'),
        ({}, '$: "findings" is a required property'),
        ({"findings": [{"name": "a\nb" * 5, "score": "x\ny"}]}, "$.findings[0].score: "),
    ],
)
def test_a_problem_is_told_with_its_place_in_one_line(value: Any, said: str) -> None:
    message = Schema(FINDINGS).check(value)
    assert message is not None
    assert message.startswith(said)
    assert "\n" not in message


def test_three_problems_are_told_and_the_others_counted() -> None:
    message = Schema(FINDINGS).check({"findings": [{}] * 5})
    assert message == (
        '$.findings[0]: "name" is a required property; $.findings[1]: "name" is a required '
        'property; $.findings[2]: "name" is a required property; and 2 more'
    )


def test_of_several_shapes_the_closest_says_why() -> None:
    schema = Schema({"anyOf": [{"type": "null"}, FINDINGS]})
    message = schema.check({"findings": [{"name": 5}]})
    assert message is not None
    assert '(closest: $.findings[0].name: 5 is not of type "string")' in message


def test_formats_are_checked() -> None:
    schema = Schema({"format": "date"})
    assert schema.check("2026-11-22") is None
    assert schema.check("22.11.2026") == '$: "22.11.2026" is not a "date"'


@pytest.mark.parametrize(
    "value",
    [
        "x" * 5_000_000,
        {"findings": "x" * 5_000_000},
        {"findings": ["x" * 1_000_000] * 5},
        {"findings": [5] * 200_000},
        {"findings": [{"name": "a", "x" * 1_000_000: 1}]},
    ],
    ids=["root", "value", "list", "many", "key"],
)
@pytest.mark.parametrize("schema", [FINDINGS, {"anyOf": [FINDINGS, {"type": "integer"}]}])
def test_no_message_echoes_megabytes(schema: Any, value: Any) -> None:
    message = Schema(schema).check(value)
    assert message is not None
    assert len(message) < 3500


def test_in_a_large_value_the_first_problem_is_told_with_its_place() -> None:
    rows: list[Any] = [{"name": "a"} for _ in range(50_000)]
    rows[40_000] = {"name": 5}
    said = Schema(FINDINGS).check({"findings": rows})
    assert said == '$.findings[40000].name: 5 is not of type "string"'


def test_what_the_validator_can_not_take_in_is_a_problem_and_no_crash() -> None:
    said = Schema({"type": "string"}).check("\ud800")
    assert said is not None
    assert "half a surrogate pair" in said
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    schema = Schema(
        {"$ref": "#/$defs/list", "$defs": {"list": {"items": {"$ref": "#/$defs/list"}}}}
    )
    schema.check(deep)  # whatever it says of it
    assert Schema({"type": "integer"}).check(10**300) is None


def test_a_pattern_that_backtracks_for_ever_is_given_up() -> None:
    said = Schema({"pattern": r"^(a|a)*\1$"}).check("a" * 60 + "b")
    assert said is not None


@given(st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))  # fmt: skip  # noqa: E501
def test_any_value_fits_or_has_a_message(value: Any) -> None:
    said = Schema(FINDINGS).check(value)
    assert said is None or "\n" not in said
