from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import UNSET
from scripted import Chair, Ran, Scripted, Step, ask, words

from llmbatch.jobs.errors import BadRequest, ContextTooLong, Overloaded
from llmbatch.jobs.events import AttemptFailed
from llmbatch.jobs.model import Delta, Rejected, Request, Result, Row, Usage
from llmbatch.jobs.structured.asking import REPEATED, Validated
from llmbatch.jobs.structured.schema import Schema
from virtualtime import VirtualClock, run_virtual

NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
GOOD = '{"name": "Ada"}'
BAD = '{"name": 5}'
PROBLEM = '$.name: 5 is not of type "string"'


def answer(text: str, *, status: Any = "ok", cost: float | None = 0.5) -> list[Step]:
    """An answer of two pieces, 1 s and 2 s after it was asked for."""
    half = len(text) // 2
    usage = Usage(10, 4, 2, 1)
    return [
        *(1.0, *words(text[:half])),
        *(1.0, *words(text[half:])),
        Delta(status=status, finish_reason="stop", usage=usage, cost_usd=cost),
    ]


def row(**more: Any) -> Request:
    messages = [{"role": "user", "content": "Who?"}]
    return ask(endpoint="chat", messages=messages, input=None, **more)


class Asked:
    """A row that was asked through the real routes, with its schema around them."""

    def __init__(self, *attempts: Sequence[Step], schema: Any = NAME, **more: Any) -> None:
        self.provider = Scripted(*attempts)
        self.ran = Ran(self.provider)
        self.schema = Schema(schema)
        self.more = more

    def __call__(self, one: Row) -> Result:
        return run_virtual(self._asked(one))

    async def _asked(self, one: Row) -> Result:
        events = self.ran.events.append
        worker = Validated(
            self.ran.call(), self.schema, clock=VirtualClock(), observer=events, **self.more
        )
        try:
            return await worker(one, Chair())
        finally:
            assert self.ran.routes is not None
            self.ran.routes.close()

    @property
    def times(self) -> int:
        return len(self.provider.asked)


@pytest.mark.parametrize("text", [GOOD, f"```json\n{GOOD}\n```", f"Here it is: {GOOD}"])
def test_a_good_answer_is_its_value_and_asked_for_once(text: str) -> None:
    asked = Asked(answer(text))
    result = asked(row())
    assert (result.status, result.output, result.error) == ("ok", {"name": "Ada"}, None)
    assert result.endpoint is UNSET
    assert asked.times == 1


def test_a_bad_answer_is_asked_for_again_with_what_is_wrong() -> None:
    asked = Asked(answer(BAD), answer(GOOD))
    result = asked(row(chunk=UNSET, metadata={"k": 1}))
    assert (result.status, result.output, result.error) == ("ok", {"name": "Ada"}, None)
    first, second = asked.provider.asked
    assert second.messages[:1] == first.messages
    assert second.messages[1] == {"role": "assistant", "content": BAD}
    assert second.messages[2]["role"] == "user"
    assert PROBLEM in second.messages[2]["content"]
    assert (result.id, result.line, result.fingerprint) == ("q1", 7, "f00d")
    assert result.metadata == {"k": 1}


def test_the_two_asks_are_one_row_with_the_sums_of_both() -> None:
    result = Asked(answer(BAD), answer(GOOD))(row(read_at=-3.0))
    assert result.usage == Usage(20, 8, 4, 2)
    assert result.cost_usd == 1.0
    metrics = result.metrics
    assert metrics is not None
    assert metrics.attempts == 2
    assert metrics.retried == ["invalid_output"]
    assert metrics.queue_s == pytest.approx(3.0, abs=1e-3)
    assert metrics.ttft_s == pytest.approx(1.0, abs=1e-3)
    assert metrics.latency_s == pytest.approx(4.0, abs=1e-3)
    assert metrics.itl_max_s == pytest.approx(1.0, abs=1e-3)
    assert metrics.output_tokens_per_s == pytest.approx(2.0, abs=1e-2)


def test_waits_of_the_second_ask_are_part_of_its_latency() -> None:
    result = Asked(answer(BAD), [Overloaded("busy")], answer(GOOD))(row())
    assert result.metrics is not None
    assert result.metrics.retried == ["invalid_output", "overloaded"]
    assert result.metrics.attempts == 3
    assert result.metrics.latency_s == pytest.approx(4.25, abs=1e-3)
    tried = result.metrics.tried
    assert tried is not UNSET
    assert [each.error for each in tried] == ["invalid_output", "overloaded", None]
    assert [each.at_s for each in tried] == pytest.approx([0, 2, 2.25], abs=1e-3)
    assert tried[-1].at_s + tried[-1].took_s == pytest.approx(4.25, abs=1e-3)


def test_a_second_bad_answer_ends_the_row_with_its_text_kept() -> None:
    asked = Asked(answer(BAD), answer("I am sorry."), answer(GOOD))
    result = asked(row())
    assert result.status == "invalid_output"
    assert result.output == "I am sorry."
    assert result.error is not None
    assert result.error.type == "invalid_output"
    assert result.error.http_status is None
    assert result.error.message == "the answer has no JSON in it"
    assert not result.error.retryable
    assert result.usage == Usage(20, 8, 4, 2)
    assert asked.times == 2


def test_observers_hear_of_the_second_ask() -> None:
    asked = Asked(answer(BAD), answer(GOOD))
    asked(row())
    [event] = [event for event in asked.ran.events if isinstance(event, AttemptFailed)]
    assert (event.attempt, event.wait, event.error.type) == (1, 0.0, "invalid_output")
    assert str(event.error) == PROBLEM


def test_a_second_ask_that_fails_is_the_error_with_the_cost_of_the_first() -> None:
    result = Asked(answer(BAD), [BadRequest("no", http_status=400)])(row())
    assert result.status == "error"
    assert result.error is not None
    assert (result.error.type, result.error.http_status) == ("bad_request", 400)
    assert (result.usage, result.cost_usd) == (Usage(10, 4, 2, 1), 0.5)
    assert result.metrics is not None
    assert result.metrics.attempts == 2
    assert result.metrics.ttft_s == pytest.approx(1.0, abs=1e-3)


def test_where_there_is_no_room_to_ask_again_the_first_answer_is_what_is_wrong() -> None:
    result = Asked(answer(BAD), [ContextTooLong("4097 of 4096 tokens", http_status=400)])(row())
    assert (result.status, result.output) == ("invalid_output", BAD)
    assert result.error is not None
    assert result.error.message == f"{PROBLEM}; asking again failed: 4097 of 4096 tokens"
    assert (result.provider, result.model) == ("scripted", "gpt-4o")


def test_a_cost_that_one_ask_does_not_tell_is_not_known() -> None:
    assert Asked(answer(BAD), answer(GOOD, cost=None))(row()).cost_usd is None
    assert Asked(answer(BAD, cost=None), answer(GOOD))(row()).cost_usd is None


def test_an_answer_that_was_cut_is_asked_for_again_in_shorter() -> None:
    asked = Asked(answer('{"name": "A', status="truncated"), answer(GOOD))
    assert asked(row()).output == {"name": "Ada"}
    assert "cut off" in asked.provider.asked[1].messages[2]["content"]
    twice = Asked(*[answer('{"name": "A', status="truncated")] * 2)(row())
    assert (twice.status, twice.output) == ("invalid_output", '{"name": "A')
    assert twice.error is not None
    assert "cut off at its token limit" in twice.error.message


def test_a_whole_value_in_a_cut_answer_is_kept_with_its_status() -> None:
    result = Asked(answer(GOOD + "   ", status="truncated"))(row())
    assert (result.status, result.output) == ("truncated", {"name": "Ada"})


@pytest.mark.parametrize("status", ["refused", "filtered"])
def test_a_refusal_is_no_answer_to_be_checked(status: Any) -> None:
    asked = Asked(answer("No.", status=status))
    assert (asked(row()).status, asked.times) == (status, 1)
    second = Asked(answer(BAD), answer("No.", status=status))(row())
    assert (second.status, second.output) == (status, "No.")
    assert second.usage == Usage(20, 8, 4, 2)


def test_a_huge_answer_is_shown_again_by_its_ends() -> None:
    asked = Asked(answer("x" * 500_000 + "END"), answer(GOOD))
    assert asked(row()).status == "ok"
    shown = asked.provider.asked[1].messages[1]["content"]
    assert len(shown) < REPEATED + 20
    assert shown.endswith("END")


def test_an_empty_answer_leaves_no_message_without_content() -> None:
    asked = Asked([Delta(status="ok", finish_reason="stop")], answer(GOOD))
    assert asked(row()).status == "ok"
    assert all(message["content"] for message in asked.provider.asked[1].messages)


def test_a_list_is_not_taken_for_an_embedding() -> None:
    result = Asked(answer("[0.5, 1]"), schema={"type": "array"})(row())
    assert (result.output, result.endpoint) == ([0.5, 1], "chat")


def test_a_text_may_be_the_value() -> None:
    result = Asked(answer('"yes"'), schema={"enum": ["yes", "no"]})(row())
    assert (result.status, result.output) == ("ok", "yes")


def test_rows_that_it_does_not_apply_to_pass_untouched() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    tool = [Delta(tool_calls=[call]), Delta(status="ok", finish_reason="tool_calls")]
    for attempts, one, more in (
        (answer("text"), ask(), {}),
        (answer("text"), row(), {"applies": lambda row: row.id != "q1"}),
        (tool, row(), {}),
        ([BadRequest("no", http_status=400)], row(), {}),
    ):
        asked = Asked(attempts, answer(GOOD), **more)
        result = asked(one)
        assert result.status in ("ok", "error")
        assert result.output in ("text", "", None)
        assert asked.times == 1
    gone = Rejected(id="q", line=1, path="in", reason="not JSON")
    assert Asked()(gone).status == "invalid"


def test_nothing_is_asked_again_once_the_job_ends() -> None:
    asked = Asked(answer(BAD), answer(GOOD), ending=lambda: True)
    result = asked(row())
    assert (result.status, result.output, asked.times) == ("invalid_output", BAD, 1)
    assert result.usage == Usage(10, 4, 2, 1)
