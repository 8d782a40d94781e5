"""A template turns any row into a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.sources.invalid import Invalid
from llmbatch.jobs.sources.template import Template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Summarise: {{text}}", "Summarise: Hello {{n}}"),
        ("{{ text }}/{{text}}", "Hello {{n}}/Hello {{n}}"),
        ("{{n}} {{f}} {{yes}} {{none}}", "3 1.5 true null"),
        ("{{a.b.c}}, {{a}}", 'deep, {"b": {"c": "deep"}}'),
        ("{{list.1}} of {{list}}", 'zwei of ["eins", "zwei"]'),
        ("{{dotted.key}}", "whole"),
        ("{text} } {{f}} {", "{text} } 1.5 {"),
        ("{{two words}} {{é}}", "both accent"),
    ],
)
def test_fields_are_replaced(text: str, expected: str) -> None:
    row = {
        "text": "Hello {{n}}",
        "n": 3,
        "f": 1.5,
        "yes": True,
        "none": None,
        "a": {"b": {"c": "deep"}},
        "list": ["eins", "zwei"],
        "dotted.key": "whole",
        "dotted": {"key": "part"},
        "two words": "both",
        "é": "accent",
    }
    assert Template(text).render(row) == expected


@pytest.mark.parametrize("name", ["body", "a.c", "a.b.c", "list.2", "list.x", "text.0"])
def test_a_missing_field_is_named_with_those_that_are_there(name: str) -> None:
    row = {"text": "x", "a": {"b": "x"}, "list": [1, 2]}
    with pytest.raises(Invalid) as caught:
        Template("{{" + name + "}}").render(row)
    assert str(caught.value) == f"no field {name} for the template; the row has: text, a, list"


def test_a_row_without_fields_is_told_so() -> None:
    with pytest.raises(Invalid, match="no field text for the template; the row has: no fields"):
        Template("{{text}}").render({})


@pytest.mark.parametrize("text", ["Summarise: {text}", "", "{{text"])
def test_a_template_without_a_field_is_a_mistake(text: str) -> None:
    with pytest.raises(ConfigError, match=r"names no field: write \{\{text\}\} where"):
        Template(text)


def test_an_empty_field_name_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"has an empty \{\{\}\}: name a field in it"):
        Template("{{text}} {{ }}")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="{}")), st.text())))
def test_literals_and_values_come_out_as_they_went_in(pairs: list[tuple[str, str]]) -> None:
    text = "".join(f"{literal}{{{{f{n}}}}}" for n, (literal, _) in enumerate(pairs)) + "{{end}}"
    row = {f"f{n}": value for n, (_, value) in enumerate(pairs)} | {"end": ""}
    assert Template(text).render(row) == "".join(literal + value for literal, value in pairs)
