"""Tokens a minute: reservations, settling, and what a sliding minute holds, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from llmbatch.jobs.errors import TooLarge
from llmbatch.jobs.limits.forecast import Forecast
from llmbatch.jobs.limits.gate import RouteGate, open_gate
from llmbatch.jobs.model import Request, Usage
from llmbatch.jobs.tokens import TokenCounter
from virtualtime import run_virtual

Ask = Callable[..., Request]


class Job(Struct):
    """One request: what it asks, what it really costs, and how long it takes."""

    request: Request
    output: int
    takes: float
    gap: float = 0.0
    saved: int = 0  # input tokens that the server does not count


class Admission(Struct):
    """When it went out, what was reserved for it then, and what it cost."""

    time: float
    reserved: int
    real: int


def gate_of(tpm: float, rpm: float | None = None, concurrency: int = 64) -> RouteGate:
    return open_gate(
        route="p/m",
        concurrency=concurrency,
        ceiling=concurrency,
        rpm=rpm,
        tpm=tpm,
        counter=TokenCounter(),
        shared=None,
        observe=lambda event: None,
    )


def played(jobs: Iterable[Job], tpm: float, **limits: float) -> list[Admission]:
    async def main() -> list[Admission]:
        gate = gate_of(tpm, limits.get("rpm"), int(limits.get("concurrency", 64)))
        loop, log = asyncio.get_running_loop(), list[Admission]()

        async def row(job: Job) -> None:
            async with gate.admit(job.request) as permit:
                size = len(job.request.input) - job.saved
                log.append(Admission(loop.time(), permit.reserved, size + job.output))
                await asyncio.sleep(job.takes)
                permit.settle(Usage(size, job.output), None)

        async with asyncio.TaskGroup() as group:
            for job in jobs:
                if job.gap:
                    await asyncio.sleep(job.gap)
                group.create_task(row(job))
        return log

    return run_virtual(main())


def fullest(log: list[Admission], weigh: Callable[[Admission], int]) -> int:
    """The largest sum that any closed sliding minute of admissions holds."""
    left = total = found = 0
    for entry in log:
        total += weigh(entry)
        while entry.time - log[left].time > 60:
            total -= weigh(log[left])
            left += 1
        found = max(found, total)
    return found


def used(log: list[Admission], start: float) -> float:
    """Real tokens a minute from ``start`` to the last admission."""
    end = log[-1].time
    return sum(e.real for e in log if start <= e.time < end) / (end - start) * 60


def jobs_of(ask: Ask, most_input: int, most_output: int) -> st.SearchStrategy[list[Job]]:
    job = st.builds(
        lambda size, output, room, takes, gap: Job(
            ask(size, max_tokens=None if room is None else output + room), output, takes, gap
        ),
        st.integers(0, most_input),
        st.integers(0, most_output),
        st.none() | st.integers(0, 50),
        st.sampled_from([0.0, 0.5, 3.0, 45.0, 100.0]),
        st.sampled_from([0.0, 0.0, 0.0, 1.0, 30.0]),
    )
    return st.lists(job, min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), slots=st.integers(1, 20))
def test_a_sliding_minute_exceeds_the_limit_only_by_what_was_underestimated(
    ask: Ask, data: st.DataObject, slots: int
) -> None:
    jobs = data.draw(jobs_of(ask, 300, 300))
    log = played(jobs, 1000, concurrency=slots)
    assert len(log) == len(jobs)
    assert fullest(log, lambda e: min(e.real, e.reserved)) <= 1000
    assert fullest(log, lambda e: e.real) <= 1000 + fullest(
        log, lambda e: max(0, e.real - e.reserved)
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data(), slots=st.integers(1, 20))
def test_the_limit_is_strict_where_answers_keep_within_their_estimate(
    ask: Ask, data: st.DataObject, slots: int
) -> None:
    """Embeddings produce nothing: their estimate is exact; some are cheaper than counted."""
    sizes = data.draw(st.lists(st.integers(0, 1000), min_size=1, max_size=40))
    refunds = data.draw(st.lists(st.integers(0, 1000), min_size=len(sizes), max_size=len(sizes)))
    jobs = [
        Job(ask(size, endpoint="embeddings"), 0, 20.0, saved=min(size, refund))
        for size, refund in zip(sizes, refunds, strict=True)
    ]
    log = played(jobs, 1000, concurrency=slots)
    assert fullest(log, lambda e: e.real) <= 1000


def test_when_saturated_the_limit_is_used(ask: Ask) -> None:
    log = played([Job(ask(200, endpoint="embeddings"), 0, 2.0)] * 1500, 60_000)
    assert 0.97 * 60_000 <= used(log, 60) <= 60_000
    assert fullest(log, lambda e: e.real) <= 60_000


def test_what_was_reserved_too_much_is_given_back(ask: Ask) -> None:
    """Without that, a tenth of the limit would be used: each reserves 1000 and costs 100."""
    jobs = [Job(ask(50, max_tokens=950), 50, 2.0)] * 3000
    log = played(jobs, 60_000)
    assert 0.97 * 60_000 <= used(log, 120) <= 60_000
    assert fullest(log, lambda e: e.real) <= 60_000


def test_what_was_reserved_too_little_is_made_good(ask: Ask) -> None:
    """Answers of 1 and of 2000 tokens in turns; the mean is always wrong for both."""
    jobs = [Job(ask(10), output, 5.0) for output in (1, 2000) * 200]
    log = played(jobs, 60_000)
    assert used(log, 60) <= 60_000
    assert used(log, 60) >= 0.9 * 60_000


def test_an_input_that_the_server_counts_lower_is_given_back_each_time(ask: Ask) -> None:
    """No mean learns this: each reserves 200 and costs 100."""
    log = played([Job(ask(200, endpoint="embeddings"), 0, 1.0, saved=100)] * 2500, 60_000)
    assert 0.95 * 60_000 <= used(log, 60) <= 60_000
    assert fullest(log, lambda e: e.real) <= 60_000


def test_an_input_that_the_server_counts_higher_is_charged_each_time(ask: Ask) -> None:
    """Each reserves 200 and costs 300, so half as many pass as were reserved for."""
    log = played([Job(ask(200, endpoint="embeddings"), 0, 1.0, saved=-100)] * 1000, 60_000)
    assert 0.95 * 60_000 <= used(log, 60) <= 60_000
    assert fullest(log, lambda e: e.real) <= 1.02 * 60_000


def test_a_debt_slows_down_those_who_come_after_the_minute(ask: Ask) -> None:
    """An answer of a whole minute's tokens, settled long after it left the sliding minute."""
    late = Job(ask(10, endpoint="embeddings"), 5990, 200.0)
    log = played([late, Job(ask(600, endpoint="embeddings"), 0, 0.0, gap=201.0)], 6000)
    assert log[1].time - 201 > 55


def test_noisy_answers_stay_near_the_limit_and_not_far_above_it(ask: Ask) -> None:
    random = Random(7)
    jobs = [Job(ask(100), int(random.expovariate(1 / 200)), 8.0) for _ in range(3000)]
    log = played(jobs, 100_000)
    assert 0.93 * 100_000 <= used(log, 60) <= 100_000
    assert fullest(log, lambda e: e.real) <= 1.1 * 100_000


def test_a_request_larger_than_the_bucket_passes_in_its_turn(ask: Ask) -> None:
    log = played([Job(ask(900, endpoint="embeddings"), 0, 0.0)] * 3, 1000)
    assert [entry.reserved for entry in log] == [900] * 3
    assert log[1].time - log[0].time > 60
    assert log[2].time - log[1].time > 60


def test_one_larger_than_the_whole_budget_fails_at_once_with_the_numbers(ask: Ask) -> None:
    gate = gate_of(1000)
    with pytest.raises(TooLarge, match=r"1001 input tokens, more than --tpm 1000"):
        gate.admit(ask(1001))
    with pytest.raises(TooLarge, match=r"600 input tokens and up to 401 output tokens"):
        gate.admit(ask(600, max_tokens=401))
    gate.admit(ask(600, max_tokens=400))
    gate.admit(ask(1000, max_tokens=400, endpoint="embeddings"))


def test_the_estimate_is_the_limit_first_and_then_the_mean_of_answers(ask: Ask) -> None:
    forecast = Forecast(TokenCounter())

    def estimate(**params: int) -> int:
        return forecast.cost(ask(10, **params), 10)

    assert estimate() == 10 + 256
    assert estimate(max_tokens=900) == 10 + 900
    for output in (100, 300):
        forecast.learn(Usage(10, output))
    assert estimate() == 10 + 200
    assert estimate(max_tokens=900) == 10 + 200
    assert estimate(max_tokens=50) == 10 + 50
    assert forecast.cost(ask(10, endpoint="embeddings"), 10) == 10


def test_settling_without_usage_leaves_the_estimate_and_settling_again_replaces(ask: Ask) -> None:
    async def main() -> list[int]:
        gate = gate_of(1000)
        seen = []
        async with gate.admit(ask(100)) as permit:
            for usage in (None, Usage(100, 5), Usage(100, 7)):
                permit.settle(usage, None)
                seen.append(permit.reserved)
        return seen

    assert run_virtual(main()) == [356, 105, 107]


def test_tokens_and_requests_hold_together(ask: Ask) -> None:
    log = played([Job(ask(10, endpoint="embeddings"), 0, 1.0)] * 100, 10_000, rpm=30)
    assert fullest(log, lambda e: 1) <= 30
    log = played([Job(ask(500, endpoint="embeddings"), 0, 1.0)] * 60, 10_000, rpm=600)
    assert fullest(log, lambda e: e.real) <= 10_000


def test_one_who_leaves_the_line_costs_no_tokens(ask: Ask) -> None:
    async def main() -> float:
        gate, loop = gate_of(6000), asyncio.get_running_loop()

        async def row() -> float:
            async with gate.admit(ask(1500, endpoint="embeddings")):
                return loop.time()

        first, second = asyncio.create_task(row()), asyncio.create_task(row())
        await asyncio.sleep(14)  # the first has paid nearly all of it
        first.cancel()
        return await second

    assert run_virtual(main()) == pytest.approx(15, abs=1)


def test_one_who_leaves_while_the_request_waits_gives_its_tokens_back(ask: Ask) -> None:
    async def main() -> float:
        gate, loop = gate_of(1000, rpm=1), asyncio.get_running_loop()

        async def row() -> float:
            async with gate.admit(ask(450, endpoint="embeddings")):
                return loop.time()

        _, second, third = (asyncio.create_task(row()) for _ in range(3))
        await asyncio.sleep(85)  # the second has its tokens since 55 s, and no request before 89 s
        second.cancel()
        return await third

    assert run_virtual(main()) < 105  # 113 s where all of them are paid anew
