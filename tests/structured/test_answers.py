from __future__ import annotations

import contextlib
import json
import string
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.structured.answers import NoValue, parse
from llmbatch.jobs.structured.strictjson import DEPTH

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)  # fmt: skip
containers = st.lists(values) | st.dictionaries(st.text(), values)
prose = st.text(string.ascii_letters + " .,:!?\n'", max_size=60)


def refused(text: str) -> str:
    with pytest.raises(NoValue) as caught:
        parse(text)
    return str(caught.value)


@given(values, st.sampled_from([None, 2]), st.booleans())
def test_an_answer_that_is_json_is_its_value(value: Any, indent: int | None, ascii_: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)
    assert parse(text) == value
    assert parse(f"\ufeff \r\n{text}\n\n") == value


@given(containers, prose, prose)
def test_prose_around_one_object_or_list_is_stripped(value: Any, before: str, after: str) -> None:
    assert parse(f"{before}{json.dumps(value)}{after}") == value


@settings(max_examples=200)
@given(value=containers, before=prose, after=prose)
def test_a_fenced_block_is_unwrapped(value: Any, before: str, after: str) -> None:
    inside = json.dumps(value, indent=1)
    for fence, info in product(["```", "````", "~~~"], ["", "json", "JSON", " json title=x"]):
        block = f"{fence}{info}\n{inside}\n{fence}"
        assert parse(block) == value, block
        assert parse(f"{before}\n{block}\n{after}") == value, block
        assert parse(f"As [1] says {{here}}:\n{block}\nSee [2].") == value, block


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"code": "```py\\nx\\n```"}\n```', {"code": "```py\nx\n```"}),
        ('```json\n{"a": 1}', {"a": 1}),
        ('```json {"a": 1} ```', {"a": 1}),
        ('```python\nprint({})\n```\n```json\n{"a": 1}\n```', {"a": 1}),
        ('<think>{"a": 0}? No: [2]</think>\n{"a": 1}', {"a": 1}),
        ('{"a": 1}\n\nI hope this helps!', {"a": 1}),
        ("  42 ", 42),
        ('"a text"', "a text"),
        ("null", None),
    ],
)
def test_what_models_put_around_their_json_goes(text: str, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the answer is empty"),
        (" \n\t ", "the answer is empty"),
        ("```json\n```", "the answer is not JSON"),
        ("I can't do that.", "the answer has no JSON in it"),
        ("{'a': 1}", "enclosed in double quotes (line 1, column 2)"),
        ('{"a": 1,\n "b" 2}', "expecting ':' delimiter (line 2, column 6)"),
        ('{"a": 1} {"a": 2}', "more brackets follow"),
        ('{"a": 1}\n{"a": 2}', "more brackets follow"),
        ('As [1] has it: {"a": 1}', "more brackets follow"),
        ('With {braces}: {"a": 1}', "not JSON"),
        ('```\n{"a": 1}\n```\n```\n{"a": 2}\n```', "2 blocks of JSON"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', 'the key "c" stands twice in one object'),
        ('{"a": NaN}', "NaN is no JSON value"),
        ("NaN", "NaN is no JSON value"),
        ("Here: [-Infinity]", "-Infinity is no JSON value"),
        ("[1e999]", "the number 1e999 is too large"),
        ("[" + "9" * 5000 + "]", "too many digits"),
        ("9" * 5000, "too many digits"),
        ('["a\nb"]', "invalid control character"),
    ],
)
def test_what_is_not_one_value_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert reason in refused(text)


@given(values.filter(lambda v: isinstance(v, dict | list) and len(v) > 0), st.data())
def test_a_list_inside_a_broken_answer_is_not_taken_for_the_answer(
    value: Any, data: st.DataObject
) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(1, len(text) - 1))
    refused(text[:cut])
    refused(f"Here it is:\n```json\n{text[:cut]}")


@pytest.mark.parametrize("opening", ["[", '{"a":', "[{"])
@pytest.mark.parametrize("before", ["", "Look: "])
def test_bottomless_nesting_is_refused(opening: str, before: str) -> None:
    refused(before + opening * 500_000)
    refused(before + "[" * 500_000 + "]" * 500_000)


def test_nesting_is_allowed_to_a_depth() -> None:
    for extra, allowed in ((0, True), (1, False)):
        text = "[" * (DEPTH + extra) + "]" * (DEPTH + extra)
        wide = f"[{text[1:-1]}, {','.join(['[]'] * 500)}]"
        for answer in (text, wide):
            if allowed:
                assert parse(answer) == json.loads(answer)
            else:
                assert "nested more than 100 levels" in refused(answer)


@given(st.text('[]{}",:`~\n\\ 1aN', max_size=60))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    with contextlib.suppress(NoValue):
        json.dumps(parse(text), allow_nan=False)


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        '["',
        "{",
        "```\n",
        "```\n[",
        " ",
        "\n",
        "<think>",
        '"',
        '{"a":"\\"',
        "1",
        "[1],",
        "~~~a\n{",
    ],
)
def test_ten_megabytes_of_anything_are_read_once(piece: str) -> None:
    """A search that starts anew at each bracket or fence would take hours, past any timeout."""
    text = piece * (10_000_000 // len(piece))
    assert refused(text)
