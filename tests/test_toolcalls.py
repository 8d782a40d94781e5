"""Pieces of tool calls become tool calls, however servers number them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.toolcalls import ToolCalls


def joined(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    calls = ToolCalls()
    for part in parts:
        calls.add(part)
    return calls.listed()


def said(*parts: dict[str, Any]) -> list[tuple[Any, Any, Any]]:
    return [
        (call.get("id"), call["function"].get("name"), call["function"].get("arguments"))
        for call in joined(*parts)
    ]


def call(call_id: str | None, name: str | None, arguments: str, **rest: Any) -> dict[str, Any]:
    head = {} if call_id is None else {"id": call_id}
    named = {} if name is None else {"name": name}
    return {**rest, **head, "function": {**named, "arguments": arguments}}


@given(st.text(min_size=1), st.lists(st.integers(min_value=0, max_value=200), max_size=5))
def test_arguments_survive_any_split(value: str, cuts: list[int]) -> None:
    text = json.dumps({"value": value})
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    rest = [call(None, None, piece, index=0) for piece in pieces]
    assert said(call("a", "f", "", index=0), *rest) == [("a", "f", text)]


@pytest.mark.parametrize("index", [None, "0", 1.5, True])
def test_a_call_without_a_usable_index_is_one_of_its_own(index: object) -> None:
    calls = joined({"index": 0, "id": "a"}, {"index": index, "id": "b"})
    assert [call["id"] for call in calls] == ["a", "b"]


def test_parallel_calls_that_all_say_index_0_are_told_apart() -> None:
    parts = [call(f"c{n}", "get", f'{{"n": {n}}}', index=0) for n in range(3)]
    assert said(*parts) == [(f"c{n}", "get", f'{{"n": {n}}}') for n in range(3)]


def test_pieces_that_follow_under_the_same_index_go_on_with_the_call_that_came_last() -> None:
    assert said(
        call("a", "f", "", index=0),
        call(None, None, "1", index=0),
        call("b", "g", "", index=0),
        call(None, None, "2", index=0),
    ) == [("a", "f", "1"), ("b", "g", "2")]


def test_pieces_without_an_index_go_on_with_the_last_call_or_with_that_of_their_id() -> None:
    assert said(
        call("a", "f", ""),
        call(None, None, "1"),
        call("b", "g", ""),
        call(None, None, "2"),
        call("a", None, "3"),
    ) == [("a", "f", "13"), ("b", "g", "2")]


def test_whole_calls_without_index_and_id_are_as_many_as_there_are() -> None:
    assert said(call(None, "f", "1"), call(None, "f", "2")) == [(None, "f", "1"), (None, "f", "2")]


def test_an_id_that_is_new_in_every_piece_tears_no_call_apart() -> None:
    parts = [call("a", "f", "{", index=0), *(call(f"x{n}", None, "}", index=0) for n in range(2))]
    assert said(*parts) == [("a", "f", "{}}")]


@pytest.mark.parametrize("nothing", ["", None])
def test_later_pieces_with_an_empty_id_or_type_take_neither_away(nothing: object) -> None:
    first = {**call("a", "f", "{", index=0), "type": "function"}
    later = {"index": 0, "id": nothing, "type": nothing, "function": {"arguments": "}"}}
    assert joined(first, later) == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_a_name_that_is_repeated_with_every_piece_is_not_doubled() -> None:
    parts = [call("a", "f", piece, index=0) for piece in ("{", "}")]
    assert said(*parts) == [("a", "f", "{}")]


def test_a_name_in_pieces_is_joined() -> None:
    assert said(call("a", "get_", "", index=0), call(None, "time", "", index=0)) == [
        ("a", "get_time", "")
    ]


def test_the_input_of_a_custom_tool_is_joined() -> None:
    head = {"id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    assert joined({"index": 0, **head}, {"index": 0, "custom": {"input": " -l"}}) == [
        {"id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}
    ]


def test_size_is_one_for_each_and_the_characters_of_its_arguments() -> None:
    calls = ToolCalls()
    assert calls.size == 0
    calls.add(call("a", "f", "1234"))
    calls.add({"id": "b", "custom": {"name": "g", "input": "12"}})
    assert calls.size == 8


def test_arguments_in_very_many_pieces_cost_no_more_than_their_length() -> None:
    # Copying what is there for each piece would take minutes and run into the test's timeout.
    calls = ToolCalls()
    for _ in range(100_000):
        calls.add(call(None, None, "x" * 100, index=0))
    assert calls.size == 1 + 10_000_000
    assert calls.listed()[0]["function"]["arguments"] == "x" * 10_000_000


def test_very_many_calls_without_an_index_cost_no_more_than_they_are() -> None:
    calls = ToolCalls()
    for n in range(50_000):
        calls.add(call(f"c{n}", "f", "1"))
        calls.add(call(f"c{n}", None, "2"))
    assert len(calls.listed()) == 50_000
    assert {made["function"]["arguments"] for made in calls.listed()} == {"12"}


def test_listing_twice_gives_the_same() -> None:
    calls = ToolCalls()
    calls.add(call("a", "f", "1", index=0))
    first = calls.listed()
    calls.add(call(None, None, "2", index=0))
    assert first[0]["function"] == {"name": "f", "arguments": "1"}
    assert calls.listed()[0]["function"] == {"name": "f", "arguments": "12"}
