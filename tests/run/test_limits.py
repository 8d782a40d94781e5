"""The limits, counted at the server; whole minutes are measured by the benchmark."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from faultreplies import answer, error, rate_limited
from watching import Watch

from llmbatch.jobs.limits.bucket import request_bucket

JITTER = 2.0
"""Seconds by which a loaded machine may squeeze what was sent apart."""


def excess(times: list[float], burst: float, rate: float) -> float:
    """By how many requests the worst window, of any length, is beyond what is allowed in it."""
    times = sorted(times)
    return max(
        last - first + 1 - burst - rate * (times[last] - times[first] + JITTER)
        for first in range(len(times))
        for last in range(first, len(times))
    )


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("failing", [False, True], ids=["good", "retried"])
async def test_no_window_holds_more_requests_than_the_limit_allows(
    desk: Desk, failing: bool, processes: int
) -> None:
    rpm, rows = 1800, 80
    desk.prompts(rows)
    seen: set[str] = set()

    def fail_at_first(call: Any) -> Any:
        first = call.prompt not in seen
        seen.add(call.prompt)
        return rate_limited(retry_after_ms="1") if first and int(call.prompt[4:]) % 5 == 0 else None

    Watch(desk.server, lambda call: (failing and fail_at_first(call)) or answer())
    flags = ("--rpm", str(rpm), "--concurrency", "64", "--processes", str(processes))
    done = await desk.run("in.jsonl", *flags)
    assert done.code == 0, done
    times = [call.at for call in desk.server.calls]
    assert len(times) == rows + (rows // 5 if failing else 0), "retries count as well"
    bucket = request_bucket(rpm)
    assert bucket.burst + bucket.rate * 60 <= rpm
    assert excess(times, bucket.burst, bucket.rate) <= 0
    assert excess([0.0] * rows, bucket.burst, bucket.rate) > 0, "all at once would be noticed"
    assert "for the limits" in done.stderr
    assert any(row["metrics"]["limiter_s"] > 0 for row in desk.lines())


async def test_a_worker_that_is_killed_takes_nothing_of_the_limit_with_it(desk: Desk) -> None:
    """What it was granted counts as sent, and its rows are paid for again."""
    rpm, rows = 1800, 100
    desk.prompts(rows)
    watch = Watch(desk.server, answer(delay=0.01))
    flags = ("--rpm", str(rpm), "--concurrency", "64", "--processes", "2")
    async with desk.running("in.jsonl", *flags) as job:
        await watch.requests(30)
        workers = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        os.kill(int(workers[0]), signal.SIGKILL)
        done = await job.ended()
    assert done.code == 0, done
    assert "was ended by SIGKILL" in done.stderr
    assert {row["status"] for row in desk.results().values()} == {"ok"}
    assert len(desk.results()) == rows
    times = [call.at for call in desk.server.calls]
    bucket = request_bucket(rpm)
    assert excess(times, bucket.burst, bucket.rate) <= 0


@pytest.mark.parametrize(("limit", "processes"), [(1, 1), (5, 1), (5, 2), (5, 3), (2, 3)])
async def test_no_more_requests_are_in_flight_than_allowed(
    desk: Desk, limit: int, processes: int
) -> None:
    desk.prompts(60)
    full, seen = asyncio.Event(), set()

    async def recipe(call: Any) -> Any:
        if desk.server.in_flight >= limit:
            full.set()
        await full.wait()
        first = call.prompt not in seen
        seen.add(call.prompt)
        if first and int(call.prompt[4:]) % 3 == 0:  # lets another row in while it backs off
            return error(503, headers={"Retry-After-Ms": "1"})
        return answer(delay=0.001)

    Watch(desk.server, recipe)
    flags = ("--concurrency", str(limit), "--processes", str(processes))
    done = await desk.run("in.jsonl", *flags)
    assert done.code == 0, done
    assert desk.server.peak == limit
    assert len(desk.server.calls) == 80


async def test_a_row_beyond_the_token_budget_fails_at_once_and_the_others_go_on(
    desk: Desk,
) -> None:
    small = [{"id": name, "prompt": f"say {name}", "max_tokens": 10} for name in "abc"]
    desk.write(
        small[0],
        {"id": "wide", "prompt": "word " * 120_000},
        small[1],
        {"id": "long", "prompt": "say it", "max_tokens": 200_000},
        small[2],
    )
    done = await desk.run("in.jsonl", "--tpm", "100000")
    assert done.code == 1
    assert "3 ok, 2 error" in done.last
    assert "2 too_large" in done.stderr
    assert sorted(call.prompt for call in desk.server.calls) == ["say a", "say b", "say c"]
    results = desk.results()
    for name, need in (("wide", " input tokens,"), ("long", " and up to 200000 output tokens,")):
        failure = results[name]["error"]
        assert (failure["type"], failure["retryable"]) == ("too_large", False)
        assert need in failure["message"]
        assert "more than --tpm 100000 allows in a whole minute" in failure["message"]
        assert results[name]["metrics"] is None, "it was never sent"
    assert (await desk.run("in.jsonl")).code == 0, "without the limit they run"
