"""A line is decoded, or refused with the place where it goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.sources.formats import TEXT, Odd, decode_json, decode_text, peek_id
from llmbatch.jobs.sources.invalid import Invalid
from llmbatch.jobs.sources.rows import RowDefaults, RowParser


def reason(line: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        decode_json(line)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"hello", "not JSON: expecting value at column 1"),
        (b'{"a": 1', "not JSON: expecting ',' delimiter at column 8"),
        (b'{"a": 1} x', "not JSON: extra data at column 10"),
        (b"{'a': 1}", "not JSON: expecting property name enclosed in double quotes at column 2"),
        (b'{"a": "x\ty"}', "not JSON: invalid control character at column 9"),
        (b"[", "not JSON: expecting value at column 2; a line must hold one whole row"),
        (b'{"a": "x\xffy"}', "not UTF-8: 0xff at byte 9 of the line"),
        ('{"a": "é"}'.encode("latin-1"), "not UTF-8: 0xe9 at byte 8 of the line"),
        (b'{"a": "x\0y"}', "a NUL at byte 9: is the file UTF-16, or not text at all?"),
        (b'{"a": 1}\0', "a NUL at byte 9: is the file UTF-16, or not text at all?"),
        (b"[" * 5000 + b"]" * 5000, "nested more than 100 levels deep"),
        (b'{"a":' * 150 + b"1" + b"}" * 150, "nested more than 100 levels deep"),
        (b'{"a": ' + b"1" * 5000 + b"}", "a number has too many digits"),
    ],
)
def test_what_is_not_json_says_where(line: bytes, expected: str) -> None:
    assert reason(line) == expected


@pytest.mark.parametrize("line", [b'{"a": NaN}', b'"\\ud800"', b'{"a": -Infinity}', b"1e999"])
def test_what_only_a_lenient_parser_takes_is_marked(line: bytes) -> None:
    value = decode_json(line)
    assert isinstance(value, Odd)
    assert repr(value.value) == repr(json.loads(line))


def test_many_brackets_are_not_deep() -> None:
    line = json.dumps({"a": [[1], {"b": [2]}] * 500, "b": "{" * 900}).encode()
    assert decode_json(line) == json.loads(line)


def test_a_key_that_occurs_twice_keeps_its_last_value() -> None:
    assert decode_json(b'{"a": 1, "a": 2}') == {"a": 2}


def test_a_byte_order_mark_before_a_later_line_is_dropped_too() -> None:
    value = decode_json(b'\xef\xbb\xbf{"a": 1}')
    assert value.value == {"a": 1}


def test_a_line_of_text_stands_as_it_is() -> None:
    assert decode_text(' {"id": "é"} '.encode()) == ' {"id": "é"} '
    assert TEXT.read_id(b'{"id": "a"}') is None
    for line, expected in ((b"a\0", "a NUL at byte 2"), (b"ab\xff", "not UTF-8: 0xff at byte 3")):
        with pytest.raises(Invalid, match=expected):
            decode_text(line)


IDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["\ud800", "a", "", 10**40, [], {}]),
)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "id": IDS,
        "custom_id": IDS,
        "prompt": st.one_of(st.text(max_size=5), IDS),
        "x": IDS,
        "body": st.just({}),
    },
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(ROWS, st.text(max_size=3), st.lists(st.none(), max_size=2)), st.binary(max_size=2))
def test_the_scan_and_the_parser_agree_on_every_id(row: Any, dirt: bytes) -> None:
    parser = RowParser(RowDefaults(model="m"))
    clean = json.dumps(row).encode()
    for line in (clean, clean + dirt, clean[:-1] + dirt + clean[-1:], clean[:-2] + dirt):
        if line.strip():
            assert (peek_id(line) or "7") == parser.parse(line, 7, "in.jsonl").id
