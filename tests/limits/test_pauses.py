"""A route that was told to wait: once, all of it, and no longer than asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import RateLimited
from llmbatch.jobs.events import Event, LimitWaited, RoutePaused
from llmbatch.jobs.limits.gate import RouteGate, RoutePermit
from llmbatch.jobs.model import Request
from virtualtime import run_virtual

Ask = Callable[..., Request]
Open = Callable[..., RouteGate]
LIMITS = [(None, None), (6000.0, None), (6000.0, 600_000.0)]


@pytest.mark.parametrize(("rpm", "tpm"), LIMITS)
def test_nobody_is_admitted_before_the_pause_is_over(
    gate_of: Open, ask: Ask, rpm: float | None, tpm: float | None
) -> None:
    async def main() -> None:
        events = list[Event]()
        gate, now, times = gate_of(8, rpm, tpm, events=events), _now(), list[float]()

        async def row() -> None:
            async with gate.admit(ask()) as permit:
                times.append(now())
                permit.settle(None, None)

        async with gate.admit(ask()) as permit:
            assert permit.refused(7.0) == 7.0
        await asyncio.gather(*(row() for _ in range(20)))
        assert times[0] == pytest.approx(7, abs=0.01)
        assert times[-1] < 7.5
        assert [event for event in events if isinstance(event, RoutePaused)] == [
            RoutePaused("p/m", 7.0)
        ]
        waited = sum(event.seconds for event in events if isinstance(event, LimitWaited))
        assert waited == pytest.approx(times[-1], abs=0.1)

    run_virtual(main())


def test_refusals_of_what_was_sent_before_are_the_same_one(gate_of: Open, ask: Ask) -> None:
    async def main() -> None:
        gate, now = gate_of(8), _now()
        before = [await gate.admit(ask()).__aenter__() for _ in range(4)]
        assert before[2].refused(3.0) == 3.0
        assert [permit.refused(50.0) for permit in before] == [None] * 4
        await asyncio.sleep(10)  # long over, and still nothing new
        assert before[3].refused(50.0) is None
        for permit in before:
            await permit.__aexit__(None, None, None)
        async with gate.admit(ask()) as permit:
            assert now() == pytest.approx(10, abs=0.01)
            assert permit.refused(3.0) == 3.0

    run_virtual(main())


def test_without_a_word_of_the_server_pauses_double_until_an_answer_comes(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> tuple[list[float | None], list[float | None]]:
        gate = gate_of(8)

        async def refused(retry_after: float | None = None) -> float | None:
            async with gate.admit(ask()) as permit:
                seconds = permit.refused(retry_after)
                permit.settle(None, RateLimited("429"))
                return seconds

        rising = [await refused() for _ in range(8)]
        async with gate.admit(ask()) as permit:
            permit.settle(None, None)
        return rising, [await refused(), await refused(30.0), await refused(0.0)]

    rising, again = run_virtual(main())
    assert rising == [1, 2, 4, 8, 16, 32, 60, 60]
    assert again == [1, 30, 2]


def test_an_answer_to_what_was_sent_before_the_pause_does_not_shorten_the_next(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> float | None:
        gate = gate_of(8)
        early = gate.admit(ask())
        await early.__aenter__()
        async with gate.admit(ask()) as permit:
            permit.refused(None)
        early.settle(None, None)
        async with gate.admit(ask()) as permit:
            return permit.refused(None)

    assert run_virtual(main()) == 2


def test_the_first_after_a_pause_is_ahead_until_it_is_answered_or_a_second_has_passed(
    gate_of: Open, ask: Ask
) -> None:
    """So that a server which still refuses says so once, and not to every slot."""

    async def main(answers_after: float) -> list[float]:
        gate, now, times = gate_of(64), _now(), list[float]()

        async def row() -> None:
            async with gate.admit(ask()) as permit:
                times.append(now())
                await asyncio.sleep(answers_after)
                permit.settle(None, None)

        async with gate.admit(ask()) as permit:
            permit.refused(5.0)
        await asyncio.gather(*(row() for _ in range(10)))
        return times

    for answers_after, others in ((0.2, 5.2), (30.0, 6.0)):
        times = run_virtual(main(answers_after))
        assert times == pytest.approx([5.0] + [others] * 9, abs=0.01)


def test_a_pause_that_comes_while_one_waits_for_the_budget_holds_him_too(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> list[float]:
        gate, now, times = gate_of(8, rpm=60), _now(), list[float]()

        async def row() -> None:
            async with gate.admit(ask()):
                times.append(now())

        async with gate.admit(ask()) as permit:
            rows = [asyncio.create_task(row()) for _ in range(3)]
            await asyncio.sleep(0.4)
            permit.refused(20.0)
        await asyncio.gather(*rows)
        return times

    times = run_virtual(main())
    assert 20.4 <= times[0] < 22.5  # and pays again, because it goes out later than it was counted
    assert times[2] - times[0] == pytest.approx(2 * 61 / 59.7, abs=0.5)


@settings(max_examples=80, deadline=None)
@given(
    visits=st.lists(
        st.tuples(
            st.floats(0, 3),  # seconds after the one before
            st.sampled_from([None, None, None, 0.5, 4.0]),  # refused, with this retry-after
            st.none() | st.floats(0, 8),  # seconds until it is cancelled
        ),
        min_size=1,
        max_size=25,
    ),
    limits=st.sampled_from(LIMITS),
    slots=st.integers(1, 4),
)
def test_cancelled_in_any_moment_nobody_is_lost_nor_overtaken(
    gate_of: Open,
    ask: Ask,
    visits: list[tuple[float, float | None, float | None]],
    limits: tuple[float | None, float | None],
    slots: int,
) -> None:
    order: list[int] = []
    pauses: list[tuple[float, float]] = []

    async def main() -> None:
        gate, now = gate_of(slots, *limits), _now()

        async def visit(number: int, retry_after: float | None) -> None:
            async with gate.admit(ask()) as permit:
                order.append(number)
                assert not any(start + 1e-6 < now() < end - 1e-6 for start, end in pauses)
                await asyncio.sleep(0.3)
                if retry_after is None:
                    permit.settle(None, None)
                elif (seconds := permit.refused(retry_after)) is not None:
                    pauses.append((now(), now() + seconds))

        tasks = list[asyncio.Task[None]]()
        for number, (gap, retry_after, patience) in enumerate(visits):
            await asyncio.sleep(gap)
            tasks.append(asyncio.create_task(visit(number, retry_after)))
            if patience is not None:
                asyncio.get_running_loop().call_later(patience, tasks[-1].cancel)
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert ended is None or isinstance(ended, asyncio.CancelledError)

        again = [gate.admit(ask()) for _ in range(slots)]
        async with asyncio.timeout(30):
            for holder in again:
                await holder.__aenter__()
        assert gate.slots.free == 0
        assert gate.slots.coming == 0

    run_virtual(main())
    assert order == sorted(order)
    assert {n for n, visit in enumerate(visits) if visit[2] is None} <= set(order)


def test_after_a_pause_an_unlimited_gate_is_as_quick_as_before(gate_of: Open, ask: Ask) -> None:
    async def main() -> None:
        gate = gate_of(4)
        async with gate.admit(ask()) as permit:
            permit.refused(2.0)
        for _ in range(2):
            async with gate.admit(ask()) as permit:
                permit.settle(None, None)
        with pytest.raises(StopIteration):
            RoutePermit(gate, ask(), -1).__aenter__().send(None)
        assert gate.slots.open

    run_virtual(main())


def _now() -> Callable[[], float]:
    return asyncio.get_running_loop().time
