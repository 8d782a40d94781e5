"""Limits that a server names are kept by themselves; a refusal pauses the route, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import geminiwire
import pytest
from desk import Desk
from faultreplies import Call, Recipe, answer, error, rate_limited
from quotaservers import SlidingWindow
from watching import Watch

from llmbatch.jobs.limits.bucket import request_bucket

JITTER = 2.0
"""Seconds by which a loaded machine may squeeze what was sent apart."""


def headers_of(rpm: int, left: int | None = None, reset: str = "0s") -> dict[str, str]:
    """OpenAI's headers for a limit of requests."""
    return {
        "x-ratelimit-limit-requests": str(rpm),
        "x-ratelimit-remaining-requests": str(rpm - 1 if left is None else left),
        "x-ratelimit-reset-requests": reset,
    }


def excess(times: list[float], burst: float, rate: float) -> float:
    """By how many requests the worst window, of any length, is beyond what is allowed in it."""
    times = sorted(times)
    return max(
        last - first + 1 - burst - rate * (times[last] - times[first] + JITTER)
        for first in range(len(times))
        for last in range(first, len(times))
    )


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize(
    ("named", "asked"), [(1800, None), (60_000, 1800)], ids=["learned", "asked"]
)
async def test_the_limit_in_force_is_kept_from_the_first_answer_on(
    desk: Desk, named: int, asked: int | None, processes: int
) -> None:
    rpm, rows = 1800, 90 if processes == 1 else 180
    desk.prompts(rows)
    quota = SlidingWindow(named)

    def recipe(call: Call) -> Recipe:
        taken, now = quota.take(call.at), quota.quota(call.at)
        said = headers_of(named, now.requests_left, f"{now.requests_reset:.3f}s")
        return answer(headers=said) if taken else rate_limited(headers=said)

    desk.server.replies = recipe
    flags = () if asked is None else ("--rpm", str(asked))
    flags += ("--processes", str(processes), "--summary", "sum.json")
    done = await desk.run("in.jsonl", *flags)
    assert done.code == 0, done
    times = [call.at for call in desk.server.calls]
    assert len(times) == rows, "nothing was refused, nothing sent twice"
    bucket = request_bucket(rpm)
    at_first = 8 if asked is None else 0  # what was in flight before the first answer
    assert excess(times, bucket.burst + at_first, bucket.rate) <= 0
    assert excess([0.0] * rows, bucket.burst + at_first, bucket.rate) > 0
    summary = desk.summary()
    learned = summary["routes"].get("openai-compatible/m", {}).get("rpm")
    assert learned == (named if asked is None else None)
    line = "openai-compatible/m allows 1,800 requests a minute"
    assert (line in done.stderr) == (asked is None)
    assert summary["bound"]["by"] == "limit", summary["bound"]
    assert "bound by   the limit: " in done.stderr


def anthropic_headers(left: int, seconds: float) -> Mapping[str, str]:
    reset = datetime.now(UTC) + timedelta(seconds=seconds)
    name = "anthropic-ratelimit-requests-"
    said = {"limit": "6000", "remaining": str(left), "reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {name + key: value for key, value in said.items()}


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_the_job_slows_down_before_the_quota_is_empty(desk: Desk, wire: str) -> None:
    """Somebody else uses the key as well: nothing is left for one to two seconds."""
    desk.prompts(3)

    def recipe(call: Call) -> Recipe:
        left = 0 if call is desk.server.calls[0] else 5990
        if wire == "openai":
            return answer(headers=headers_of(6000, left, "1.2s"))
        return answer(headers=anthropic_headers(left, 2.5))

    desk.server.replies = recipe
    server = desk.server
    desk.settings(
        providers={
            "openai": {"base_url": server.url, "api": "openai"},
            "anthropic": {"base_url": server.root, "api": "anthropic"},
        }
    )
    flags = ("-m", f"{wire}/m", "--concurrency", "1", "--summary", "sum.json")
    env = {"OPENAI_API_KEY": "k" * 20, "ANTHROPIC_API_KEY": "k" * 20}
    done = await desk.run("in.jsonl", *flags, route=False, env=env)
    assert done.code == 0, done
    first, then, _ = (call.at for call in server.calls)
    assert then - first >= (1.2 if wire == "openai" else 1.5)
    assert desk.summary()["retries"] == {}
    assert desk.summary()["routes"][f"{wire}/m"]["rpm"] == 6000


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_a_refusal_pauses_the_whole_route_once(desk: Desk, processes: str) -> None:
    desk.prompts(24)
    all_there = asyncio.Event()

    async def recipe(call: Call) -> Recipe:
        if len(desk.server.calls) > 8:
            return answer()
        if len(desk.server.calls) == 8:
            all_there.set()
        await all_there.wait()
        return rate_limited(retry_after="1")

    Watch(desk.server, recipe)
    flags = ("--concurrency", "8", "--retries", "1", "--processes", processes)
    done = await desk.run("in.jsonl", *flags, "--summary", "sum.json")
    assert done.code == 0, done
    times = sorted(call.at for call in desk.server.calls)
    assert len(times) == 24 + 8
    assert times[8] - times[7] >= 1.0, "nothing at all was sent while the server wanted peace"
    summary = desk.summary()
    assert summary["routes"]["openai-compatible/m"]["pauses"] == 1
    assert summary["retries"] == {"rate_limited": 8}
    assert "pauses     1 pause that the server asked for, 1 s" in done.stderr


def gemini_refusal(rpm: int, delay: str) -> Recipe:
    failure = geminiwire.failure(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota.",
        geminiwire.quota_failure(**{"GenerateRequestsPerMinutePerProjectPerModel": str(rpm)}),
        geminiwire.retry_info(delay),
    )
    return error(429, body=json.dumps(failure))


async def test_geminis_refusal_says_how_long_to_pause_and_what_the_quota_is(desk: Desk) -> None:
    desk.prompts(4)
    desk.server.replies = [gemini_refusal(1200, "1.2s")]
    env = {"GEMINI_API_KEY": "k" * 20, "GOOGLE_GEMINI_BASE_URL": desk.server.root}
    flags = ("-m", "gemini/g", "--concurrency", "1", "--summary", "sum.json")
    done = await desk.run("in.jsonl", *flags, route=False, env=env)
    assert done.code == 0, done
    times = sorted(call.at for call in desk.server.calls)
    assert times[1] - times[0] >= 1.2
    route: dict[str, Any] = desk.summary()["routes"]["gemini/g"]
    assert (route["rpm"], route["pauses"]) == (1200, 1)
    assert "gemini/g allows 1,200 requests a minute" in done.stderr


async def test_a_longer_pause_than_max_wait_goes_to_the_fallback(desk: Desk) -> None:
    desk.prompts(6)
    desk.server.replies = lambda call: (
        rate_limited(retry_after="3600") if call.body["model"] == "m" else answer()
    )
    done = await desk.run("in.jsonl", "--fallback", "n", "--concurrency", "1", "--max-wait", "5s")
    assert done.code == 0, done
    assert {result["model"] for result in desk.results().values()} == {"n"}
    asked = [call.body["model"] for call in desk.server.calls]
    assert asked.count("m") <= 4, "it is left alone for as long as it says"
