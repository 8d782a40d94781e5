"""Rows that ask the same, through the real command: sent once, answered each."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest
from desk import Desk
from faultreplies import Call, Recipe, answer, error, held

SUM = ("--summary", "sum.json")


def same(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"r{n}", "prompt": "the same", "tag": n, **more} for n in range(1, count + 1)]


@pytest.mark.parametrize("where", ["file", "stdout", "openai-batch", "input order"])
async def test_what_asks_the_same_is_sent_once_and_answered_to_each_row(
    desk: Desk, where: str
) -> None:
    desk.write(*same(40), {"id": "other", "prompt": "another"})
    args = {
        "file": (),
        "stdout": ("-o", "-"),
        "openai-batch": ("--format", "openai-batch"),
        "input order": ("--order", "input"),
    }[where]
    done = await desk.run("in.jsonl", "--concurrency", "4", *args, *SUM)
    assert done.code == 0, done
    assert len(desk.server.calls) == 2
    if where == "stdout":
        (desk.folder / "in.results.jsonl").write_text(done.stdout)
    key = "custom_id" if where == "openai-batch" else "id"
    lines = {line[key]: line for line in desk.lines()}
    assert set(lines) == {*(f"r{n}" for n in range(1, 41)), "other"}
    if where != "openai-batch":
        assert {line["output"] for line in lines.values()} == {
            "You said: the same",
            "You said: another",
        }
        asked = [row for row in lines.values() if "same_as" not in row["metrics"]]
        twins = [row for row in lines.values() if "same_as" in row["metrics"]]
        assert len(twins) == 39
        leader = next(row for row in asked if row["id"] != "other")
        assert {row["metrics"]["same_as"] for row in twins} == {leader["id"]}
        assert all(row["metadata"] == {"tag": row["line"]} for row in twins)
        assert all(row["usage"]["input_tokens"] == 0 and row["cost_usd"] == 0 for row in twins)
    if where == "input order":
        assert [line["line"] for line in desk.lines()] == list(range(1, 42))
    found = desk.summary()
    assert found["reused"] == {"same": 39}
    assert found["rows"] == {"ok": 41}
    assert found["attempts"] == 2
    assert "reused     39 rows asked the same as another" in done.stderr


async def test_without_dedupe_every_row_is_sent(desk: Desk) -> None:
    desk.write(*same(10))
    done = await desk.run("in.jsonl", "--no-dedupe", *SUM)
    assert done.code == 0, done
    assert len(desk.server.calls) == 10
    assert desk.summary()["reused"] == {}
    assert not any("same_as" in line["metrics"] for line in desk.lines())


async def test_an_earlier_runs_answer_counts_and_rows_are_done_by_their_own_id(desk: Desk) -> None:
    desk.write(*same(3))
    assert (await desk.run("in.jsonl")).code == 0
    desk.write(*same(6), {"id": "r7", "prompt": "the same", "temperature": 1})
    done = await desk.run("in.jsonl", *SUM)
    assert done.code == 0, done
    assert len(desk.server.calls) == 2, "the first row, and the one with other parameters"
    found = desk.summary()
    assert found["skipped"] == {"ok": 3}
    assert found["reused"] == {"same": 3}
    assert {row["metrics"].get("same_as") for row in desk.lines()} == {None, "r1"}
    again = await desk.run("in.jsonl", *SUM)
    assert again.code == 0
    assert desk.summary()["skipped"] == {"ok": 7}
    assert len(desk.server.calls) == 2


async def test_a_row_whose_error_passes_does_not_fail_the_others(desk: Desk) -> None:
    desk.write(*same(8))
    fails = [error(503), error(503), error(503)]

    def reply(call: Call) -> Recipe:
        return fails.pop() if fails else answer()

    desk.server.replies = reply
    done = await desk.run("in.jsonl", "--retries", "0", "--concurrency", "8", *SUM)
    assert done.code == 1, done
    assert desk.summary()["rows"] == {"ok": 5, "error": 3}
    assert len(desk.server.calls) == 4
    assert desk.summary()["reused"] == {"same": 4}


async def test_a_request_that_is_refused_is_refused_once(desk: Desk) -> None:
    desk.write(*same(8))
    desk.server.replies = error(400, "no such parameter")
    done = await desk.run("in.jsonl", *SUM)
    assert done.code == 1, done
    assert len(desk.server.calls) == 1
    assert desk.summary()["failures"] == {"bad_request": 8}


async def test_rows_that_wait_for_another_are_left_for_the_next_run_when_it_ends(
    desk: Desk,
) -> None:
    desk.write(*same(20))
    release = asyncio.Event()
    desk.server.replies = held(release)
    async with desk.running("in.jsonl", "--concurrency", "4") as job:
        while not desk.server.calls:
            await asyncio.sleep(0.01)
        job.send(signal.SIGTERM)
        await job.heard("terminated")
        release.set()
        done = await job.ended()
    assert done.code == 143, done
    assert [line["id"] for line in desk.lines()] == ["r1"]
    assert (await desk.run("in.jsonl")).code == 0
    assert len(desk.server.calls) == 1
    assert len(desk.results()) == 20
