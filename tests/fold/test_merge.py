from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.fold.merge import Merger, records
from llmbatch.jobs.fold.sameness import Numbers, digest
from llmbatch.jobs.fold.table import MORE, WIDEST
from llmbatch.jobs.model import Chunk


def chunk(number: int, **more: Any) -> Chunk:
    """Chunks of 100 characters, one after the other."""
    start = 100 * (number - 1)
    values: dict[str, Any] = {
        "document": "contract.pdf", "number": number, "start": start, "end": start + 100,
        "byte_start": start, "byte_end": start + 100, "tokens": 25,
    }  # fmt: skip
    return Chunk(**values | more)


def answers(*values: Any) -> list[tuple[Chunk, Any]]:
    return [(chunk(number), value) for number, value in enumerate(values, 1)]


def merged(*values: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Merger(answers(*values)).jsonl()]


def bare(*values: Any) -> list[dict[str, Any]]:
    """The records without their sources, which come last."""
    return [{key: row[key] for key in list(row)[:-1]} for row in merged(*values)]


def cited(*values: Any) -> list[list[int]]:
    """The chunks that each record cites."""
    return [[source["chunk"] for source in row["sources"]] for row in merged(*values)]


def table(*values: Any) -> list[list[str]]:
    lines = list(Merger(answers(*values)).csv())
    assert all(line.endswith("\r\n") for line in lines)
    rows = list(csv.reader(io.StringIO("".join(lines), newline=""), strict=True))
    assert len(rows) == len(lines)
    return rows


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"a": 1}, 2, "x", [3]], [(None, {"a": 1}), (None, 2), (None, "x"), (None, [3])]),
        ({"f": [{"a": 1}, {"b": 2}]}, [("f", {"a": 1}), ("f", {"b": 2})]),
        ({"t": "T", "f": [1], "g": [2]}, [("f", 1), ("g", 2), (None, {"t": "T"})]),
        ({"name": "x", "n": 0}, [(None, {"name": "x", "n": 0})]),
        ({"f": [], "note": None, "title": ""}, []),
        ({"f": [], "more": False}, [(None, {"more": False})]),
        ({}, []), ([], []), (None, []), ("", []), ([None, {}, "", []], []),
        ("text", [(None, "text")]), (0, [(None, 0)]), (False, [(None, False)]),
    ],
)  # fmt: skip
def test_an_answer_has_these_records(value: Any, expected: Any) -> None:
    assert list(records(value)) == expected


def test_what_two_overlapping_chunks_both_say_stands_once_with_both_sources() -> None:
    rows = merged(
        {"items": [{"name": "rent", "due": 1}, {"name": "deposit", "due": 2}]},
        {"items": [{"due": 2.0, "name": " Deposit\n"}, {"name": "repairs", "due": 3}]},
    )
    assert [row["name"] for row in rows] == ["rent", "deposit", "repairs"]
    assert [[s["chunk"] for s in row["sources"]] for row in rows] == [[1], [1, 2], [2]]


def test_a_source_says_where_it_is() -> None:
    one, two = chunk(1), chunk(2, page=3, last_page=4, document="b.pdf")
    merger = Merger([(one, [{"a": 1}]), (two, [{"a": 1}])])
    [line] = merger.jsonl()
    assert line == (
        '{"a":1,"sources":[{"chunk":1,"document":"contract.pdf","start":0,"end":100},'
        '{"chunk":2,"document":"b.pdf","page":3,"start":100,"end":200}]}\n'
    )
    rows = list(merger.csv())
    assert rows == [
        "a,sources\r\n",
        "1,contract.pdf chars 0-100; b.pdf pp. 3-4 chars 100-200\r\n",
    ]


def test_a_chunk_is_cited_once_however_often_it_says_it() -> None:
    assert cited(["a", "A", "a "], ["b"], ["a", "a"]) == [[1, 3], [2]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 0}, {"a": -0.0}),
        ({"a": {"b": [1, {"c": "X"}]}}, {"a": {"b": [1.0, {"c": "x"}]}}),
        ("Two  words ", "two\twords"),
        ("STRASSE", "straße"),
        (10**20, 1e20),
    ],
)
def test_these_are_the_same(one: Any, other: Any) -> None:
    assert len(merged([one], [other])) == 1
    assert Merger(answers([one], [other])).duplicates == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True), (0, False), ("1", 1), ("null", [None]), ("a b", "ab"),
        ({"a": "x"}, {"A": "x"}), ({"a": "x"}, {"a ": "x"}), ({"a": 1}, {"a": 1, "b": None}),
        ([[1], [2]], [[1, 2]]), ([["a", "b"]], [["ab"]]), ({"a": ["b"]}, {"a": {"b": 1}}),
        ([1, 2], [2, 1]), ({"a": "b"}, ["a", "b"]), (1.5, 1), ("é", "e"),
    ],
)  # fmt: skip
def test_these_are_not_the_same(one: Any, other: Any) -> None:
    assert len(merged([one], [other])) == 2


def test_the_same_item_in_two_lists_is_two_records() -> None:
    rows = bare({"risks": ["fire"], "duties": ["fire", "rent"]}, {"risks": ["Fire"], "n": 1})
    assert rows == [
        {"value": "fire", "list": "risks"},
        {"value": "fire", "list": "duties"},
        {"value": "rent", "list": "duties"},
        {"n": 1},
    ]


def test_one_list_needs_no_name() -> None:
    assert bare({"items": [{"a": 1}], "title": "T"}) == [{"a": 1}, {"title": "T"}]


def test_keys_that_are_taken_are_ours_with_an_underscore_in_every_line() -> None:
    rows = merged({"a": [{"sources": 1}], "b": [{"list": 2, "_list": 3}]}, {"a": [{"x": 1}]})
    assert [list(row) for row in rows] == [
        ["sources", "__list", "_sources"],
        ["list", "_list", "__list", "_sources"],
        ["x", "__list", "_sources"],
    ]
    assert rows[0]["sources"] == 1


def test_the_header_is_the_union_of_keys_in_the_order_of_their_first_appearance() -> None:
    rows = table([{"b": 1, "a": "x"}], [{"c": True, "a": None}], ["text"])
    assert rows[0] == ["b", "a", "c", "value", "sources"]
    assert [row[:-1] for row in rows[1:]] == [
        ["1", "x", "", ""],
        ["", "", "true", ""],
        ["", "", "", "text"],
    ]


def test_nested_values_are_json_in_their_cell() -> None:
    nested = {"tags": ["a; b", "c"], "who": {"name": 'A "x"'}, "n": 1.5, "no": False}
    _, row = table([nested])
    assert [json.loads(cell) for cell in row[:-1]] == list(nested.values())


@pytest.mark.parametrize(
    "text",
    ["a,b", 'say "x"', "two\nlines", "two\r\nlines", "cr\rhere", " space ", "'", "é😀", "\0"],
)
def test_any_text_is_quoted_so_that_it_reads_back(text: str) -> None:
    assert table([{"t": text, text: 1}])[1][0] == text


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "-1+1", "+",
     "-", "--5", "＝1+1", "+1 2"],
)  # fmt: skip
def test_a_text_that_is_a_formula_to_a_spreadsheet_is_disarmed(text: str) -> None:
    header, row = table([{"t": text, text: 1}])
    assert row[0] == header[1] == "'" + text
    assert bare([{"t": text}]) == [{"t": text}], "JSON needs no guard"
    [_, line] = Merger([(chunk(1, document=text), ["x"])]).csv()
    assert f"'{text}" in next(csv.reader([line]))[1] or "\n" in text or "\r" in text


@pytest.mark.parametrize("text", ["-5", "+5", "-1.5e-3", "-1,234.50", "-5%", "-.5", "5=5", "a@b"])
def test_a_number_is_no_formula(text: str) -> None:
    assert table([{"t": text}])[1][0] == text


def test_numbers_and_negative_numbers_stand_as_they_are() -> None:
    assert table([{"a": -5, "b": -1.5, "c": 10**30}])[1][:3] == ["-5", "-1.5", str(10**30)]


def test_half_a_surrogate_pair_is_written_as_its_escape() -> None:
    merger = Merger(answers([{"a\ud800": "x\udfff"}]))
    [line] = merger.jsonl()
    assert json.loads(line.encode())["a\ud800"] == "x\udfff"
    for line in merger.csv():
        line.encode()


def test_no_answers_are_no_lines_and_a_header_alone() -> None:
    for empty in (answers(), answers([], {}, None, {"items": []})):
        merger = Merger(empty)
        assert (merger.records, merger.duplicates) == (0, 0)
        assert list(merger.jsonl()) == []
        assert list(merger.csv()) == ["sources\r\n"]


def test_keys_without_end_share_the_last_column() -> None:
    odd = [{f"k{n}": n, "more": "m"} for n in range(WIDEST + 5)]
    header, *rows = table(odd)
    assert len(header) == WIDEST + 2
    assert header[-2:] == [f"_{MORE}", "sources"]
    assert rows[0][-2] == ""
    assert json.loads(rows[-1][-2]) == {f"k{WIDEST + 4}": WIDEST + 4}


class Changing:
    """Answers that are others each time they are read."""

    def __init__(self, *times: list[Any]) -> None:
        self.times = list(times)

    def __iter__(self) -> Iterator[tuple[Chunk, Any]]:
        return iter(answers(*self.times.pop(0)))


@pytest.mark.parametrize("later", [[["b"]], [["a"]], [["a"], ["c"]], [["b"], ["a"]], []])
def test_answers_that_change_while_they_are_merged_are_found_out(later: list[Any]) -> None:
    for form in (Merger.jsonl, Merger.csv):
        merger = Merger(Changing([["a"], ["b"]], later))
        with pytest.raises(SourceError, match="changed while they were merged"):
            list(form(merger))


def test_lines_are_made_one_at_a_time() -> None:
    read = 0

    class Counted:
        def __iter__(self) -> Iterator[tuple[Chunk, Any]]:
            nonlocal read
            for pair in answers(*[[{"n": n}] for n in range(100)]):
                read += 1
                yield pair

    merger = Merger(Counted())
    read = 0
    lines = merger.jsonl()
    next(lines)
    assert read == 1


def test_memory_is_for_hashes_and_not_for_records() -> None:
    long = "x" * 2000

    class Many:
        def __iter__(self) -> Iterator[tuple[Chunk, Any]]:
            return ((chunk(1 + n // 100), [{"n": n, "text": long}]) for n in range(20_000))

    tracemalloc.start()
    merger = Merger(Many())
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert merger.records == 20_000
    assert size / 20_000 < 120
    assert peak / 20_000 < 200


def test_half_a_digest_in_common_is_no_sameness() -> None:
    numbers = Numbers()
    digests = [5, 1 << 64 | 5, 2 << 64 | 5, 6, 0, 7 << 64]
    assert [numbers.add(value) for value in digests] == list(range(6))
    assert [numbers.add(value) for value in digests] == list(range(6))
    assert [numbers.get(value) for value in digests] == list(range(6))
    assert numbers.get(3 << 64 | 5) is None
    assert len(numbers) == 6


def test_any_depth_has_a_digest() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert digest(None, deep) != digest(None, [deep])


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
json_values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(st.lists(json_values, max_size=6))
def test_every_record_of_every_answer_is_in_both_forms(values: list[Any]) -> None:
    merger = Merger(answers(*values))
    said = sum(len(list(records(value))) for value in values)
    assert merger.records + merger.duplicates == said
    lines = [json.loads(line) for line in merger.jsonl()]
    rows = table(*values)
    assert len(lines) == len(rows) - 1 == merger.records
    assert all(len(row) == len(rows[0]) for row in rows)
    found = {(s["chunk"]) for line in lines for s in line[list(line)[-1]]}
    assert found == {n for n, value in enumerate(values, 1) if list(records(value))}


@given(st.lists(json_values, max_size=6))
def test_merging_twice_what_was_said_once_changes_nothing_but_the_sources(
    values: list[Any],
) -> None:
    assert bare(*values, *values) == bare(*values)


@given(json_values)
def test_the_order_of_keys_and_the_case_of_texts_do_not_matter(value: Any) -> None:
    def other(v: Any) -> Any:
        if isinstance(v, dict):
            return {key: other(v[key]) for key in reversed(v)}
        if isinstance(v, list):
            return [other(item) for item in v]
        return f" {v}\n" if isinstance(v, str) else v

    assert digest("a", value) == digest("a", other(value))
    assert digest("a", value) != digest("b", value)
    assert digest("a", value) != digest(None, value)
