"""Rows that ask the same are asked once, and each of them has a result of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs
from sampleresults import rejected, request, sample
from scripted import Chair, Ending

from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.model import UNSET, Failure, Request, Result, Row, Status, Usage
from llmbatch.jobs.ports import Seat
from llmbatch.jobs.reuse.copies import of_cached, of_twin, reuse, shareable
from llmbatch.jobs.reuse.twins import RecentAnswers, Twins

OVERLOADED = Failure("overloaded", 503, "busy", retryable=True)
TOO_LONG = Failure("context_too_long", 400, "too long", retryable=False)


class Asked:
    """A worker that is told how each row ends."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.ends: dict[str, asyncio.Future[Result]] = {}

    async def __call__(self, row: Row, seat: Seat) -> Result:
        self.ids.append(row.id)
        self.ends[row.id] = asyncio.get_running_loop().create_future()
        return await self.ends[row.id]

    def end(self, row_id: str, status: Status = "ok", **fields: Any) -> None:
        self.ends[row_id].set_result(sample(row_id, status, **fields))


class Desk:
    """Twins around a worker, and rows on their way."""

    def __init__(self) -> None:
        self.asked = Asked()
        self.twins = Twins(self.asked, RecentAnswers(), SystemClock())
        self.chairs: dict[str, Chair] = {}

    async def ask(self, *rows: Row) -> list[asyncio.Task[Result]]:
        tasks = []
        for row in rows:
            chair = self.chairs[row.id] = Chair()
            tasks.append(asyncio.create_task(self._ask(row, chair)))
        await settle()
        return tasks

    async def _ask(self, row: Row, chair: Chair) -> Result:
        return await self.twins(row, chair)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def rows(*ids: str, fingerprint: str = "f1") -> list[Request]:
    return [request(row_id, fingerprint) for row_id in ids]


async def test_rows_that_ask_the_same_wait_without_a_place_for_the_one_that_is_asked() -> None:
    desk = Desk()
    tasks = await desk.ask(*rows("a", "b", "c"), *rows("d", fingerprint="other"))
    assert desk.asked.ids == ["a", "d"]
    assert desk.chairs["b"].log == ["waits, sending=False"]
    desk.asked.end("a", output="yes")
    desk.asked.end("d", fingerprint="other")
    first, second, third, other = await asyncio.gather(*tasks)
    assert [r.output for r in (first, second, third)] == ["yes"] * 3
    assert (first.id, second.id, third.id, other.id) == ("a", "b", "c", "d")
    assert [reuse(r) for r in (first, second, third, other)] == [None, "same", "same", None]


async def test_the_result_is_the_rows_own_and_cost_nothing() -> None:
    desk = Desk()
    row = structs.replace(request("b"), line=9, metadata={"tag": "mine"})
    tasks = await desk.ask(*rows("a"), row)
    desk.asked.end("a", metadata={"tag": "another's"}, cost_usd=0.5)
    _, twin = await asyncio.gather(*tasks)
    assert (twin.id, twin.line, twin.metadata) == ("b", 9, {"tag": "mine"})
    assert (twin.usage, twin.cost_usd) == (Usage(), 0.0)
    assert twin.metrics is not None
    assert (twin.metrics.same_as, twin.metrics.attempts) == ("a", 0)
    assert twin.metrics.ttft_s is None


async def test_a_later_row_has_the_answer_at_once() -> None:
    desk = Desk()
    (first,) = await desk.ask(*rows("a"))
    desk.asked.end("a")
    await first
    (later,) = await desk.ask(*rows("b"))
    assert (await later).output == "an answer"
    assert desk.asked.ids == ["a"]
    assert desk.chairs["b"].log == []


@pytest.mark.parametrize("status", ["error", "partial"])
async def test_where_the_end_passes_the_next_one_is_asked_itself(status: Status) -> None:
    desk = Desk()
    tasks = await desk.ask(*rows("a", "b", "c"))
    desk.asked.end("a", status, error=OVERLOADED)
    await settle()
    assert desk.asked.ids == ["a", "b"]
    desk.asked.end("b")
    ends = await asyncio.gather(*tasks)
    assert [r.status for r in ends] == [status, "ok", "ok"]
    assert [reuse(r) for r in ends] == [None, None, "same"]


async def test_what_no_asking_cures_is_shared() -> None:
    desk = Desk()
    tasks = await desk.ask(*rows("a", "b"))
    desk.asked.end("a", "error", error=TOO_LONG)
    ends = await asyncio.gather(*tasks)
    assert [r.error for r in ends] == [TOO_LONG, TOO_LONG]
    assert desk.asked.ids == ["a"]


async def test_a_row_that_is_let_go_of_makes_way_for_the_next() -> None:
    desk = Desk()
    tasks = await desk.ask(*rows("a", "b"))
    tasks[0].cancel()
    await settle()
    assert desk.asked.ids == ["a", "b"]
    desk.asked.end("b")
    assert (await tasks[1]).status == "ok"


async def test_a_row_that_waits_while_the_job_ends_is_left_for_the_next_run() -> None:
    desk = Desk()
    tasks = await desk.ask(*rows("a"))
    with pytest.raises(Ending):
        await desk.twins(request("b"), Chair(ending=True))
    desk.asked.end("a")
    await tasks[0]


async def test_a_cancelled_twin_does_not_take_the_others_with_it() -> None:
    desk = Desk()
    tasks = await desk.ask(*rows("a", "b", "c"))
    tasks[1].cancel()
    await settle()
    desk.asked.end("a")
    assert (await tasks[0]).status == (await tasks[2]).status == "ok"


async def test_rows_that_can_not_be_sent_pass() -> None:
    desk = Desk()
    tasks = await desk.ask(rejected("a"), rejected("b"))
    assert desk.asked.ids == ["a", "b"]
    for row_id in ("a", "b"):
        desk.asked.end(row_id, "invalid")
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("status", "fields", "shared"),
    [
        ("ok", {}, True),
        ("truncated", {}, True),
        ("refused", {}, True),
        ("filtered", {}, True),
        ("partial", {}, False),
        ("invalid", {}, False),
        ("error", {}, False),
        ("error", {"error": TOO_LONG}, True),
        ("error", {"error": TOO_LONG, "fallbacks": 1}, False),
        ("error", {"error": Failure("auth_failed", 401, "no", retryable=False)}, False),
        ("invalid_output", {"error": Failure("invalid_output", None, "", False)}, True),
    ],
)
def test_what_is_shared(status: Status, fields: dict[str, Any], shared: bool) -> None:
    assert shareable(sample("a", status, **fields)) is shared


def test_the_twin_of_a_twin_names_the_row_that_was_asked() -> None:
    twin = of_twin(request("b"), sample("a"), 0.0, 0.0)
    again = of_twin(request("c"), twin, 0.0, 0.0)
    assert again.metrics is not None
    assert again.metrics.same_as == "a"
    cached = of_cached(request("d"), sample("x"), 0.0, 0.0)
    assert cached.metrics is not None
    assert (cached.metrics.cached, cached.metrics.same_as) == (True, UNSET)


def test_answers_in_memory_are_bounded_and_the_latest_used_are_kept() -> None:
    answers = RecentAnswers(room=12_000)
    for number in range(4):
        answers.keep(sample(fingerprint=f"f{number}", output="x" * 1000, metadata={"big": "y"}))
        assert answers.recall("f0") is not None
    assert answers.recall("f1") is not None
    answers.keep(sample(fingerprint="f4", output="x" * 4000))
    assert answers.recall("f2") is None
    found = answers.recall("f0")
    assert found is not None
    assert found.metadata == {}
    answers.keep(sample(fingerprint="big", output="x" * 20_000))
    assert answers.recall("big") is None
    assert answers.recall("f4") is not None
