"""Fields in short, such as ``name:str, score:int``, and the schema that they stand for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.structured.schema import Schema
from llmbatch.jobs.structured.shortform import TYPES, expand

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
VALUES: dict[str, Any] = {"str": "x", "int": 3, "float": 1.5, "bool": True, "date": "2026-01-31"}


def test_fields_become_an_object_that_names_all_its_keys() -> None:
    assert expand("name:str, score:int, tags : str[], note:str?, mood:good|so so") == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "score": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": {"type": ["string", "null"]},
            "mood": {"type": "string", "enum": ["good", "so so"]},
        },
        "required": ["name", "score", "tags", "mood"],
        "additionalProperties": False,
    }


def test_other_words_for_a_type_are_known() -> None:
    assert expand("a:string,b:number,c:Boolean,d:text") == expand("a:str,b:float,c:bool,d:str")


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(list(TYPES)), st.booleans(),
                                        st.booleans()), min_size=1, max_size=6))  # fmt: skip
def test_what_fits_the_fields_fits_the_schema_and_nothing_more(
    fields: dict[str, tuple[str, bool, bool]],
) -> None:
    said = ", ".join(
        f"{name}:{kind}{'[]' * many}{'?' * open_}" for name, (kind, many, open_) in fields.items()
    )
    schema = Schema(expand(said))
    value = {name: [VALUES[k]] if many else VALUES[k] for name, (k, many, _) in fields.items()}
    assert schema.check(value) is None
    for name, (_, _, open_) in fields.items():
        assert (schema.check({**value, name: None}) is None) == open_
        lacking = {key: value[key] for key in value if key != name}
        assert (schema.check(lacking) is None) == open_
        assert schema.check({**value, name: {}}) is not None
    assert schema.check({**value, "another key": 1}) is not None


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("name:str, score:itn", 'character 11: score: "itn" is no type; did you mean int?'),
        ("name:str,, a:int", "character 10: a field is missing"),
        ("name:str,", "character 10: a field is missing"),
        ("name, score:int", "character 1: name has no type: write name:str, or str, int"),
        ("a:int, a:str", "character 8: the field a is named twice"),
        ("note?:str", "character 1: write the ? behind the type: note:str?"),
        ("a:str?[]", 'character 1: "str?[]" is no type: [] and ? come last, as in a:str[]?'),
        ("first name:str", 'character 1: "first name" is no field\'s name'),
        ("mood:good|good", "a word stands twice"),
        ("mood:good|", "a word is missing beside the |"),
        ("mood:str|int", "str is a type; between | stand words"),
        ("a:" + "x" * 300, "is no type; types are"),
    ],
)
def test_a_mistake_is_named_with_its_place(said: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(wrong)):
        expand(said)


def test_a_file_wins_over_fields_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Schema.of("a:str").value == expand("a:str")
    Path("a:str").write_text('{"type": "integer"}')
    assert Schema.of("a:str").value == {"type": "integer"}


@pytest.mark.parametrize("name", ["schema.json", "some,folder/schema.json", "schema"])
def test_a_file_that_is_not_there_is_missed(name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no file {name}; fields are written as in"):
        Schema.of(name)
