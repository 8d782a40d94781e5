"""Deltas become an answer."""

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.answer import Answer, whole
from llmbatch.jobs.model import Delta, Usage


def test_times_are_measured_between_chunks_with_text() -> None:
    answer = Answer(sent=10.0)
    for now, text in ((10.5, ""), (11.0, "a"), (11.5, "b"), (11.75, ""), (13.5, "c")):
        answer.add(Delta(text=text), now)
    assert answer.first == 11.0
    assert answer.mean_gap == 1.25
    assert answer.longest_gap == 2.0
    assert answer.output == "abc"


def test_reasoning_is_a_first_token_but_no_gap_between_texts() -> None:
    answer = Answer(sent=0.0)
    answer.add(Delta(reasoning="hm"), 1.0)
    answer.add(Delta(text="a"), 5.0)
    answer.add(Delta(text="b"), 6.0)
    assert (answer.first, answer.mean_gap, answer.longest_gap) == (1.0, 1.0, 1.0)
    assert (answer.reasoning, answer.output) == ("hm", "ab")


def test_a_clock_that_starts_at_zero_is_no_missing_time() -> None:
    answer = Answer(sent=0.0)
    answer.add(Delta(text="a"), 0.0)
    answer.add(Delta(text="b"), 0.0)
    assert (answer.first, answer.mean_gap) == (0.0, 0.0)


def test_one_chunk_has_no_gap() -> None:
    answer = Answer(sent=0.0)
    answer.add(Delta(text="all", status="ok", finish_reason="stop", usage=Usage(1, 2)), 1.0)
    assert answer.mean_gap is None
    assert (answer.status, answer.finish_reason, answer.usage) == ("ok", "stop", Usage(1, 2))


def test_a_cost_without_tokens_is_kept() -> None:
    answer = Answer(sent=0.0)
    answer.add(Delta(status="ok", cost_usd=0.25), 1.0)
    assert (answer.cost_usd, answer.usage) == (0.25, None)


def test_an_output_that_is_no_text_is_kept_as_it_is() -> None:
    answer = Answer(sent=0.0)
    answer.add(Delta(value=[0.1, 0.2]), 1.0)
    assert answer.output == [0.1, 0.2]


def test_tool_calls_are_joined_by_index() -> None:
    answer = Answer(sent=0.0)
    for part in (
        {"index": 1, "id": "b", "type": "function", "function": {"name": "two", "arguments": ""}},
        {"index": 0, "id": "a", "type": "function", "function": {"name": "one", "arguments": "{"}},
        {"index": 1, "function": {"arguments": "[]"}},
        {"index": 0, "function": {"arguments": '"x": 1}'}},
    ):
        answer.add(Delta(tool_calls=[part]), 2.0)
    assert answer.tool_calls == [
        {"id": "a", "type": "function", "function": {"name": "one", "arguments": '{"x": 1}'}},
        {"id": "b", "type": "function", "function": {"name": "two", "arguments": "[]"}},
    ]
    assert answer.first == 2.0
    assert answer.size > 0


def test_surrogate_halves_from_two_chunks_become_their_character() -> None:
    answer = Answer(sent=0.0)
    answer.add(Delta(text="a\ud83d"), 1.0)
    answer.add(Delta(text="\ude00b"), 2.0)
    assert answer.output == "a😀b"


def test_surrogate_halves_in_tool_arguments_become_their_character() -> None:
    answer = Answer(sent=0.0)
    for half in ("\ud83d", "\ude00"):
        answer.add(Delta(tool_calls=[{"index": 0, "function": {"arguments": half}}]), 1.0)
    assert answer.tool_calls == [{"function": {"arguments": "😀"}, "type": "function"}]


@given(st.text(st.characters(exclude_categories=[])))
def test_whole_changes_nothing_but_pairs(text: str) -> None:
    joined = whole(text)
    as_bytes = "utf-16-le", "surrogatepass"
    assert joined.encode(*as_bytes) == text.encode(*as_bytes)


def test_chunks_that_come_at_once_have_no_time_between_them() -> None:
    answer = Answer(sent=0.0)
    answer.add(Delta("abc", chunks=3), 1.0)
    assert (answer.mean_gap, answer.longest_gap) == (0.0, 0.0)
    answer.add(Delta("de", chunks=2), 3.0)
    assert (answer.gaps, answer.mean_gap, answer.longest_gap) == (4, 0.5, 2.0)
