"""Requests a minute, as a server counts them, in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.limits import open_gate
from llmbatch.jobs.limits.bucket import request_bucket
from llmbatch.jobs.limits.gate import RouteGate
from llmbatch.jobs.model import Request
from virtualtime import run_virtual

Ask = Callable[..., Request]
MINUTE = 60.0


def gate_of(concurrency: int, rpm: float) -> RouteGate:
    return open_gate(
        route="p/m",
        concurrency=concurrency,
        ceiling=concurrency,
        rpm=rpm,
        tpm=None,
        counter=None,
        shared=None,
        observe=lambda event: None,
    )


def sent(rpm: float, gaps: list[float], request: Request) -> list[float]:
    """When requests that come with these gaps between them are let through."""

    async def main() -> list[float]:
        gate = gate_of(len(gaps), rpm)
        loop, times = asyncio.get_running_loop(), list[float]()

        async def row() -> None:
            async with gate.admit(request):
                times.append(loop.time())

        async with asyncio.TaskGroup() as group:
            for gap in gaps:
                if gap:
                    await asyncio.sleep(gap)
                group.create_task(row())
        return times

    return run_virtual(main())


def most(times: list[float], window: float = MINUTE) -> int:
    """The most that any closed sliding window holds."""
    times, left, found = sorted(times), 0, 0
    for right, time in enumerate(times):
        while time - times[left] > window:
            left += 1
        found = max(found, right - left + 1)
    return found


def at_server(times: list[float], seed: int) -> list[float]:
    """The same requests after a way of up to (almost) a second each."""
    random = Random(seed)
    return [time + random.random() * 0.999 for time in times]


GAPS = st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 7.0, 65.0]), min_size=1, max_size=250)


@settings(max_examples=60, deadline=None)
@given(rpm=st.integers(1, 100) | st.floats(1, 100), gaps=GAPS, seed=st.integers())
def test_no_sliding_minute_at_the_server_holds_more(
    ask: Ask, rpm: float, gaps: list[float], seed: int
) -> None:
    times = sent(rpm, gaps, ask())
    assert len(times) == len(gaps)
    assert most(at_server(times, seed)) <= rpm


@settings(max_examples=20, deadline=None)
@given(rpm=st.floats(0.01, 1, exclude_max=True), gaps=GAPS, seed=st.integers())
def test_below_one_a_minute_the_distance_holds(
    ask: Ask, rpm: float, gaps: list[float], seed: int
) -> None:
    times = at_server(sent(rpm, gaps[:20], ask()), seed)
    assert most(times, MINUTE / rpm) == 1


@pytest.mark.parametrize("rpm", [1, 2, 3, 10, 60, 500, 600, 3000])
def test_when_saturated_the_limit_is_used_and_kept_from_the_first_second(
    ask: Ask, rpm: int
) -> None:
    times = sent(rpm, [0.0] * max(20, 3 * rpm), ask())
    assert most(times) <= rpm
    assert most(at_server(times, rpm)) <= rpm
    steady = times[len(times) // 3 :]
    used = (len(steady) - 1) / (steady[-1] - steady[0]) * MINUTE / rpm
    assert 0.97 <= used <= 1


def test_half_a_request_a_minute_is_one_in_two_minutes(ask: Ask) -> None:
    assert sent(0.5, [0.0] * 4, ask()) == pytest.approx([0, 121, 242, 363], abs=1e-6)


def test_a_loop_that_comes_late_still_uses_the_limit(ask: Ask) -> None:
    """A bucket of exactly one request would lose each delay; 0.2 s are made good."""
    random = Random(1)

    async def main() -> list[float]:
        gate = gate_of(8, 600)
        loop, times = asyncio.get_running_loop(), list[float]()
        for _ in range(2000):
            async with gate.admit(ask()):
                times.append(loop.time())
            await asyncio.sleep(random.random() * 0.15)  # nobody waits at the gate meanwhile
        return times

    times = run_virtual(main())
    assert most(times) <= 600
    assert (len(times) - 1) / (times[-1] - times[0]) * MINUTE / 600 >= 0.97


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 100_000) | st.floats(1, 100_000))
def test_burst_and_refill_of_a_minute_and_a_second_stay_within_the_limit(rpm: float) -> None:
    bucket, whole = request_bucket(rpm), math.floor(rpm)
    assert bucket.burst >= 1
    assert bucket.burst + bucket.rate * (MINUTE + 0.999) < whole + 1
    assert bucket.rate * MINUTE >= 0.97 * whole


def test_a_high_rate_passes_in_groups_and_not_with_a_timer_each(ask: Ask) -> None:
    times = sent(100_000, [0.0] * 4000, ask())
    assert most(times, 1.0) <= 1 + 500 + 1632
    later = times[1000:]
    assert len({round(time, 4) for time in later}) < len(later) / 10
    assert (len(later) - 1) / (later[-1] - later[0]) * MINUTE >= 97_000
