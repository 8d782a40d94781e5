"""A row is called, and asks, what its line is named: with the row made of it or without."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.sources.defaults import AnswerForm, RowDefaults
from llmbatch.jobs.sources.formats import JSONL, TEXT, Format
from llmbatch.jobs.sources.rows import RowParser
from llmbatch.jobs.sources.tables.row import CSV

PARSERS = {
    "plain": RowParser(RowDefaults(model="m", target="t")),
    "several": RowParser(RowDefaults(model="m"), several=True, whole=True),
    "system": RowParser(RowDefaults(model="m", system="be brief", params={"max_tokens": 9})),
    "extra": RowParser(RowDefaults(model="m", params={"extra_body": {"top_k": 2}, "seed": 1})),
    "template": RowParser(RowDefaults(model="m", template="do {{prompt}}")),
    "embeddings": RowParser(RowDefaults(model="m", endpoint="embeddings")),
    "words": RowParser(RowDefaults(model="m", form=AnswerForm(mark="x", words="as JSON"))),
    "form": RowParser(RowDefaults(model="m", form=AnswerForm(mark="x", params={"seed": 3}))),
}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 1 << 70),
    st.sampled_from([0.5, float("nan"), "", " ", "a", "é", "\ud800", "x" * 120]),
    st.sampled_from([[], {}, ["a"], [1], {"a": "b"}, [[[]]] * 60]),
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", ""]), "content": VALUES}
    ),
    max_size=3,
)
KEYS = (
    *("id", "custom_id", "prompt", "messages", "input", "system", "model", "metadata", "other"),
    *("max_tokens", "temperature", "stop", "n", "stream", "seed", "logprobs", "user", "tools"),
    *("extra_body", "body", "method", "url"),
)
ROWS = st.dictionaries(st.sampled_from(KEYS), VALUES | MESSAGES, max_size=5)
ASKING = ROWS.flatmap(lambda row: st.sampled_from(["p", "é"]).map(lambda p: {"prompt": p} | row))


def named(parser: RowParser, line: bytes, form: Format = JSONL) -> None:
    row = parser.parse(line, 7, "in.x", form)
    assert parser.names([(7, line)], "in.x", form) == [(row.id, row.fingerprint)]


@given(st.sampled_from(sorted(PARSERS)), ROWS | ASKING, st.booleans())
def test_every_object_is_named_as_the_row_that_is_made_of_it(
    parser: str, row: dict[str, Any], ascii_only: bool
) -> None:
    text = json.dumps(row, ensure_ascii=ascii_only)
    named(PARSERS[parser], text.encode("utf-8", "surrogatepass"))


@given(
    st.sampled_from(sorted(PARSERS)),
    st.fixed_dictionaries(
        {"prompt": st.sampled_from(["p", "é", ""])},
        optional={
            "id": st.sampled_from(["a", "é", "", 5, None]),
            "max_tokens": st.sampled_from([3, 3.5, None, True]),
            "temperature": st.sampled_from([0, 0.5, "hot"]),
            "system": st.sampled_from(["s", None, 4]),
        },
    ),
)
def test_so_are_the_rows_that_most_inputs_have(parser: str, row: dict[str, Any]) -> None:
    named(PARSERS[parser], json.dumps(row).encode())


@pytest.mark.parametrize("parser", sorted(PARSERS))
@pytest.mark.parametrize(
    "line", [b'"text"', b"[1]", b"{", b"\xff", b"\0", b'{"prompt": "a", "prompt": "b"}', b"7"]
)
def test_so_is_whatever_else_a_line_holds(parser: str, line: bytes) -> None:
    named(PARSERS[parser], line)
    named(PARSERS[parser], line, TEXT)


def test_the_rows_of_a_table_have_their_cells_in_their_types() -> None:
    for parser in PARSERS.values():
        named(parser, b'{"id":"q","prompt":"p","max_tokens":"5"}', CSV)


def test_names_end_before_a_line_that_may_name_an_image() -> None:
    lines = [(n, b'{"prompt": "p"}') for n in (1, 2)]
    image = (3, b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}')
    parser = PARSERS["plain"]
    assert [name for name, _ in parser.names([*lines, image, *lines], "in.x")] == ["1", "2"]
    assert parser.names([image], "in.x") == []
