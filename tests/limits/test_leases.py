"""Limits of several workers with one owner: the promises of one gate hold for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from llmbatch.jobs.errors import RateLimited, SinkError, TooLarge
from llmbatch.jobs.events import Event, LimitLearned, RoutePaused
from llmbatch.jobs.limits import open_gate
from llmbatch.jobs.limits.bucket import request_pace
from llmbatch.jobs.limits.gate import RouteGate
from llmbatch.jobs.limits.leased import LATE, Leasing
from llmbatch.jobs.limits.leases import Leases
from llmbatch.jobs.limits.line import Line
from llmbatch.jobs.limits.own import Budget, OwnBudget
from llmbatch.jobs.limits.recent import Recent
from llmbatch.jobs.model import Quota, Request, Usage
from llmbatch.jobs.ports import TurnedAway
from llmbatch.jobs.tokens import TokenCounter
from llmbatch.jobs.workers.messages import read_from_worker, read_to_worker
from virtualtime import run_virtual

Ask = Callable[..., Request]
encode = msgpack.Encoder().encode


class Wire:
    """One direction of a line: what is said arrives ``delay`` seconds later, in order."""

    def __init__(self, read: Callable[[bytes], Any], delay: float) -> None:
        self._read = read
        self.delay = delay
        self.take: Callable[[Any], None] = lambda message: None
        self.said: list[Any] = []
        self._last = 0.0

    def send(self, message: object) -> None:
        loop = asyncio.get_running_loop()
        (arrived,) = self._read(encode([message]))
        self.said.append(arrived)
        self._last = max(self._last, loop.time() + self.delay)
        loop.call_at(self._last, lambda: self.take(arrived))


class Worker:
    """A worker's gate, and the line to who owns the limits."""

    def __init__(
        self, leases: Leases, concurrency: Any = 16, tpm: float | None = None, delay: float = 0.001
    ) -> None:
        self._leases = leases
        self.channel = Wire(read_to_worker, delay)
        self.back = Wire(read_from_worker, delay)
        self.back.take = lambda message: leases.take(self, message)
        leasing = Leasing(self.back.send)
        self.channel.take = leasing.take
        self.gate: RouteGate = open_gate(
            route="p/m",
            concurrency=concurrency,
            ceiling=256,
            rpm=None,
            tpm=tpm,
            counter=TokenCounter(),
            shared=None,
            observe=lambda event: None,
            leased=partial(leasing.pacer, 0),
        )
        leases.came(self)

    def die(self) -> None:
        """Nothing that was on its way arrives."""
        self.channel.take = self.back.take = lambda message: None
        self._leases.left(self)


class Own:
    """The owner of the limits of one lane, and its workers."""

    def __init__(
        self,
        rpm: float | None = None,
        tpm: float | None = None,
        *,
        budget: Callable[[Recent], Budget] = OwnBudget,
    ) -> None:
        self.events: list[Event] = []
        self.line = Line(0, "p/m", budget, self.events.append)
        self.line.limit(rpm, tpm)
        self.tpm = tpm
        self.leases = Leases([self.line])

    def worker(self, concurrency: Any = 16, delay: float = 0.001) -> Worker:
        return Worker(self.leases, concurrency, self.tpm, delay)


def most(times: list[float], width: float = 60.0) -> int:
    """How many there are in the fullest window."""
    times = sorted(times)
    best, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= width:
            first += 1
        best = max(best, last - first + 1)
    return best


async def keep_sending(
    gate: RouteGate, request: Request, times: list[float], usage: Usage | None = None
) -> None:
    """One row after the other, as one seat of a worker does it."""
    now = asyncio.get_running_loop().time
    while True:
        async with gate.admit(request) as permit:
            times.append(now())
            await asyncio.sleep(0.2)
            permit.settle(usage, None)


async def busy(workers: list[Worker], seconds: float, request: Request, **kw: Any) -> list[float]:
    """When requests went out, of workers that never run out of rows."""
    times = list[float]()
    seats = [
        asyncio.create_task(keep_sending(worker.gate, request, times, **kw))
        for worker in workers
        for _ in range(20)
    ]
    await asyncio.sleep(seconds)
    for seat in seats:
        seat.cancel()
    await asyncio.gather(*seats, return_exceptions=True)
    return times


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("rpm", [7.0, 600.0])
def test_no_minute_of_all_workers_holds_more_than_the_limit_and_it_is_used(
    ask: Ask, rpm: float, size: int
) -> None:
    async def main() -> list[float]:
        own = Own(rpm)
        return await busy([own.worker(delay=0.002 * n) for n in range(size)], 400, ask())

    times = run_virtual(main())
    assert most(times) <= rpm
    assert len([at for at in times if 60 <= at < 360]) >= 0.97 * 5 * rpm * (0.9 if rpm < 10 else 1)


def test_workers_get_their_turns_in_the_order_in_which_they_ask(ask: Ask) -> None:
    async def main() -> list[int]:
        own, order = Own(60), list[int]()
        workers = [own.worker(1), own.worker(1), own.worker(1)]

        async def visit(number: int) -> None:
            async with workers[number % 3].gate.admit(ask()):
                order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(visit(number))
                await asyncio.sleep(0.05)
        return order

    assert run_virtual(main()) == list(range(12))


def test_tokens_of_all_workers_together_stay_within_the_limit(ask: Ask) -> None:
    used = list[tuple[float, int]]()

    async def main() -> None:
        own = Own(None, 60_000)
        workers = [own.worker() for _ in range(3)]
        usage = Usage(10, 190)
        times = await busy(workers, 300, ask(10, max_tokens=200), usage=usage)
        used.extend((at, 200) for at in times)

    run_virtual(main())
    assert most([at for at, _ in used]) * 200 <= 60_000
    assert sum(n for at, n in used if 60 <= at < 240) >= 0.95 * 3 * 60_000


def test_a_request_beyond_the_whole_limit_fails_at_once_in_a_worker_too(ask: Ask) -> None:
    async def main() -> None:
        worker = Own(None, 1000).worker()
        with pytest.raises(TooLarge):
            worker.gate.admit(ask(1001))

    run_virtual(main())


@pytest.mark.parametrize("warm", [0.5, 30.0], ids=["at once", "later"])
def test_a_limit_that_one_worker_hears_of_holds_all_at_once_with_what_all_of_them_sent(
    ask: Ask, warm: float
) -> None:
    async def main() -> tuple[float, list[float], list[Event]]:
        own = Own()
        workers = [own.worker(4, delay=0.002) for _ in range(3)]
        sending = asyncio.create_task(busy(workers, 300, ask()))
        await asyncio.sleep(warm)
        now = asyncio.get_running_loop().time
        permit = await workers[0].gate.admit(ask()).__aenter__()
        permit.hear(Quota(rpm=1200))
        learned = now()
        await permit.__aexit__(None, None, None)
        return learned, await sending, own.events

    learned, times, events = run_virtual(main())
    assert [event for event in events if isinstance(event, LimitLearned)] == [
        LimitLearned("p/m", 1200, None)
    ]
    before = [at for at in times if at <= learned + 0.005]
    after = [at for at in times if at > learned + 0.005]
    burst, rate = request_pace(1200)
    # As if the bucket had been there all along: what was sent too early is made good first.
    level, last = 0.0, 0.0
    for at in before:
        level, last = max(0.0, level - rate * (at - last)) + 1, at
    early = [at for at in after if at < learned + 20]
    assert len(early) <= burst + rate * 20 + 1
    if level > rate:
        debt = min(level / rate, 61.0) - (learned - last)
        assert after[0] >= learned + debt - 1.1
    assert len([at for at in after if 100 <= at < 280]) >= 0.97 * 3 * 1200


def test_a_worker_that_comes_later_keeps_a_learned_limit_from_its_first_row_on(ask: Ask) -> None:
    async def main() -> list[float]:
        own = Own()
        first = own.worker()
        await asyncio.sleep(0.1)
        async with first.gate.admit(ask()) as permit:
            permit.hear(Quota(rpm=60))
        await asyncio.sleep(1)
        return await busy([own.worker(), own.worker()], 30, ask())

    times = run_virtual(main())
    assert 25 <= len(times) <= 31


def test_what_one_worker_is_refused_pauses_all_of_them_and_counts_once(ask: Ask) -> None:
    async def main() -> tuple[list[float], list[Event], list[float | None]]:
        own, now, times = Own(), asyncio.get_running_loop().time, list[float]()
        workers = [own.worker(8) for _ in range(3)]
        await asyncio.sleep(0.1)
        out = [await w.gate.admit(ask()).__aenter__() for w in workers for _ in range(8)]
        await asyncio.sleep(0.9)
        said = [permit.refused(5.0) for permit in out[:4]]
        await asyncio.sleep(0.01)
        said += [permit.refused(5.0) for permit in out[4:]]
        for permit in out:
            permit.settle(None, RateLimited("429"))
            await permit.__aexit__(None, None, None)

        async def row(worker: Worker) -> None:
            async with worker.gate.admit(ask()) as permit:
                times.append(now())
                await asyncio.sleep(0.3)
                permit.settle(None, None)

        await asyncio.gather(*(row(worker) for worker in workers for _ in range(6)))
        assert all(worker.gate.slots.open for worker in workers), "all is well again"
        return times, own.events, said

    times, events, said = run_virtual(main())
    assert [seconds for seconds in said if seconds is not None] == [5.0]
    assert [event for event in events if isinstance(event, RoutePaused)] == [RoutePaused("p/m", 5)]
    assert times[0] >= 6.0, "not one of the workers sent in the pause"
    assert times[1] >= times[0] + 0.3, "one goes ahead, of all of them"
    assert times[-1] < times[0] + 1.5


def test_refusals_in_several_workers_at_the_same_time_are_one_pause(ask: Ask) -> None:
    async def main() -> list[Event]:
        own = Own()
        workers = [own.worker(8, delay=0.05) for _ in range(3)]
        await asyncio.sleep(0.2)
        out = [await w.gate.admit(ask()).__aenter__() for w in workers]
        await asyncio.sleep(0.1)
        for permit in out:
            permit.refused(None)
        await asyncio.sleep(0.5)
        return own.events

    paused = [event for event in run_virtual(main()) if isinstance(event, RoutePaused)]
    assert paused == [RoutePaused("p/m", 1.0)]


def test_a_worker_that_dies_holds_nobody_up_and_what_it_was_granted_counts(ask: Ask) -> None:
    async def main() -> list[float]:
        own = Own(60)
        dying, living = own.worker(), own.worker()
        granted = list[float]()
        seats = [asyncio.create_task(keep_sending(dying.gate, ask(), granted)) for _ in range(20)]
        await asyncio.sleep(10.3)
        dying.die()
        for seat in seats:
            seat.cancel()
        await asyncio.gather(*seats, return_exceptions=True)
        assert granted
        return granted + await busy([living], 200, ask())

    times = run_virtual(main())
    assert most(times) <= 60
    gap = max(b - a for a, b in zip(sorted(times), sorted(times)[1:], strict=False))
    assert gap < 2.5, "the one that was on its way to the dead is all that is lost"


def test_a_grant_that_comes_late_is_given_back(ask: Ask) -> None:
    async def main() -> tuple[float, int]:
        own, now = Own(6000, 6_000_000), asyncio.get_running_loop().time
        worker = own.worker(1, delay=0.0)
        await asyncio.sleep(0.1)
        asked = asyncio.create_task(worker.gate.admit(ask(100)).__aenter__())
        worker.channel.delay = 2 * LATE  # so busy is its loop
        await asyncio.sleep(0.5)
        worker.channel.delay = 0.0
        await asked
        return now(), own.line._budget.before(1, 0, now())[1]

    went, tokens = run_virtual(main())
    assert went > 2 * LATE
    assert tokens == 100 + 256, "and what it had paid for the first time is not booked"


def test_who_is_turned_away_leaves_the_line_and_costs_nothing(ask: Ask) -> None:
    async def main() -> float:
        own, now = Own(2), asyncio.get_running_loop().time
        worker = own.worker(8)
        await asyncio.sleep(0.1)
        async with worker.gate.admit(ask()):
            pass
        waiting = [asyncio.create_task(worker.gate.admit(ask()).__aenter__()) for _ in range(6)]
        await asyncio.sleep(1)
        worker.gate.turn_away()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, TurnedAway) for end in ended)
        async with worker.gate.admit(ask()):
            return now()

    assert run_virtual(main()) < 32, "the very next grant is the probe's"


def test_an_error_of_the_budget_is_an_error_of_the_row_that_asked(ask: Ask) -> None:
    class Broken:
        free = False

        def limit(self, *_: Any) -> None: ...

        def settle(self, *_: Any) -> None: ...

        def before(self, *_: Any) -> tuple[int, int]:
            return 0, 0

        async def pay(self, tokens: int) -> tuple[int, int]:
            raise SinkError("the disk is full")

    async def main() -> None:
        worker = Own(budget=lambda recent: Broken()).worker()
        with pytest.raises(SinkError, match="disk is full"):
            async with worker.gate.admit(ask()):
                pass

    run_virtual(main())


def test_unpaid_requests_are_reported_every_second(ask: Ask) -> None:
    async def main() -> tuple[int, int]:
        own, now = Own(), asyncio.get_running_loop().time
        workers = [own.worker(delay=0.01), own.worker(delay=0.01)]
        times = await busy(workers, 30.5, ask(), usage=Usage(3, 4))
        await asyncio.sleep(1.5)
        requests, tokens = own.line._budget.before(own.line._recent.sent, now(), now())
        assert requests == len(times)
        return len(times), tokens

    sent, tokens = run_virtual(main())
    assert sent * 7 - 40 * 7 <= tokens <= sent * 7


@settings(max_examples=60, deadline=None)
@given(
    visits=st.lists(
        st.tuples(
            st.floats(0, 2),  # seconds after the one before
            st.integers(0, 2),  # the worker
            st.sampled_from([None, None, None, 0.5, 3.0]),  # refused, with this retry-after
            st.none() | st.floats(0, 6),  # seconds until it is cancelled
        ),
        min_size=1,
        max_size=25,
    ),
    limits=st.sampled_from([(None, None), (600.0, None), (600.0, 600_000.0)]),
    dies=st.none() | st.floats(0, 20),
)
def test_cancelled_refused_or_killed_at_any_moment_everybody_else_gets_out(
    ask: Ask,
    visits: list[tuple[float, int, float | None, float | None]],
    limits: tuple[float | None, float | None],
    dies: float | None,
) -> None:
    async def main() -> None:
        own = Own(*limits)
        workers = [own.worker(2, delay=0.01 * n) for n in range(3)]
        loop = asyncio.get_running_loop()

        async def visit(worker: Worker, retry_after: float | None) -> None:
            async with worker.gate.admit(ask()) as permit:
                await asyncio.sleep(0.3)
                if retry_after is None:
                    permit.settle(Usage(1, 1), None)
                else:
                    permit.refused(retry_after)

        tasks = list[tuple[int, asyncio.Task[None]]]()
        if dies is not None:
            loop.call_later(dies, workers[2].die)
        for gap, number, retry_after, patience in visits:
            await asyncio.sleep(gap)
            task = asyncio.create_task(visit(workers[number], retry_after))
            tasks.append((number, task))
            if patience is not None:
                loop.call_later(patience, task.cancel)
        left = [task for number, task in tasks if dies is None or number != 2]
        async with asyncio.timeout(120):
            await asyncio.gather(*left, return_exceptions=True)
        for worker in workers[: 3 if dies is None else 2]:
            for _ in range(2):
                async with asyncio.timeout(30):
                    await worker.gate.admit(ask()).__aenter__()
            assert (worker.gate.slots.free, worker.gate.slots.coming) == (0, 0)
        for _, task in tasks:
            task.cancel()
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)

    run_virtual(main())
