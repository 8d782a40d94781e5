"""Slots and order: who gets in, when, and that nothing is lost when someone walks away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.limits import open_gate
from llmbatch.jobs.model import Request, Usage
from llmbatch.jobs.ports import Gate
from virtualtime import run_virtual

Ask = Callable[..., Request]
Open = Callable[..., Gate]

LIMITS = st.sampled_from([(None, None), (90.0, None), (None, 900.0), (90.0, 900.0)])


def step(coro: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that must not suspend; its value."""
    with pytest.raises(StopIteration) as stop:
        coro.send(None)
    return stop.value.value


async def test_with_a_free_slot_and_no_limits_admission_never_suspends(
    gate_of: Open, ask: Ask
) -> None:
    gate = gate_of(2)
    first, second = gate.admit(ask()), gate.admit(ask())
    assert step(first.__aenter__()).waited == 0.0
    assert step(second.__aenter__()).waited == 0.0
    step(first.__aexit__(None, None, None))
    step(gate.admit(ask()).__aenter__())


@pytest.mark.parametrize(("rpm", "tpm"), [(6e5, None), (None, 6e7), (6e5, 6e7)])
async def test_with_room_in_every_limit_admission_never_suspends(
    gate_of: Open, ask: Ask, rpm: float | None, tpm: float | None
) -> None:
    gate = gate_of(2, rpm=rpm, tpm=tpm)
    permits = [gate.admit(ask()), gate.admit(ask())]
    assert [step(permit.__aenter__()).waited for permit in permits] == [0.0, 0.0]
    third = asyncio.create_task(gate.admit(ask()).__aenter__())
    await asyncio.sleep(0)
    assert not third.done(), "there is no slot"
    step(permits[0].__aexit__(None, None, None))
    assert (await third).waited >= 0.0


@pytest.mark.parametrize(("rpm", "tpm"), [(None, None), (600.0, None), (600.0, 60_000.0)])
def test_no_more_than_the_slots_are_in_flight_and_each_leaver_wakes_one(
    gate_of: Open, ask: Ask, rpm: float | None, tpm: float | None
) -> None:
    async def main() -> None:
        gate, inside, leave = gate_of(2, rpm, tpm), 0, asyncio.Semaphore(0)

        async def row() -> None:
            nonlocal inside
            async with gate.admit(ask()):
                inside += 1
                await leave.acquire()
            inside -= 1

        rows = [asyncio.create_task(row()) for _ in range(7)]
        for left in range(6):
            await asyncio.sleep(5)
            assert inside == min(2, 7 - left)
            leave.release()
        leave.release()
        await asyncio.gather(*rows)

    run_virtual(main())


def test_waited_is_the_time_that_admission_took(gate_of: Open, ask: Ask) -> None:
    async def main() -> tuple[float, float]:
        waits = []
        for gate in (gate_of(1), gate_of(1, rpm=6000)):

            async def row(gate: Gate = gate) -> float:
                async with gate.admit(ask()) as permit:
                    await asyncio.sleep(7)
                return permit.waited

            waits.append((await asyncio.gather(row(), row()))[1])
        return waits[0], waits[1]

    assert run_virtual(main()) == pytest.approx((7, 7))


def test_the_slot_comes_back_when_the_work_fails(gate_of: Open, ask: Ask) -> None:
    async def main() -> None:
        for gate in (gate_of(1), gate_of(1, rpm=6000, tpm=60_000)):
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):
                    async with gate.admit(ask()):
                        raise ZeroDivisionError

    run_virtual(main())


def test_small_requests_never_overtake_a_large_one(gate_of: Open, ask: Ask) -> None:
    async def main() -> list[int]:
        gate, order = gate_of(100, tpm=6000), list[int]()

        async def row(tokens: int) -> None:
            async with gate.admit(ask(tokens, endpoint="embeddings")):
                order.append(tokens)

        await asyncio.gather(*(row(n) for n in (30, 2500, 1, 2, 1400, 3, 4)))
        return order

    assert run_virtual(main()) == [30, 2500, 1, 2, 1400, 3, 4]


def test_one_who_comes_as_a_slot_is_handed_over_stays_behind(gate_of: Open, ask: Ask) -> None:
    async def main(gate: Gate, slots: int) -> list[str]:
        order = list[str]()

        async def row(name: str) -> None:
            async with gate.admit(ask()):
                order.append(name)

        holders = [gate.admit(ask()) for _ in range(slots)]
        for holder in holders:
            await holder.__aenter__()
        waiting = asyncio.create_task(row("first"))
        await asyncio.sleep(1)
        for holder in holders:
            await holder.__aexit__(None, None, None)
        await row("second")  # comes before the one that was woken has run
        await waiting
        return order

    assert run_virtual(main(gate_of(1), 1)) == ["first", "second"]
    assert run_virtual(main(gate_of(2, rpm=60_000), 2)) == ["first", "second"]


VISITS = st.lists(
    st.tuples(
        st.integers(0, 8),  # seconds after the one before
        st.integers(0, 400),  # tokens
        st.integers(0, 30),  # seconds inside
        st.none() | st.integers(0, 40),  # seconds until it is cancelled
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(limits=LIMITS, slots=st.integers(1, 4), visits=VISITS)
def test_cancelled_visitors_leave_no_hole_and_lose_no_slot(
    gate_of: Open,
    ask: Ask,
    limits: tuple[float | None, float | None],
    slots: int,
    visits: list[tuple[int, int, int, int | None]],
) -> None:
    order: list[int] = []
    inside: set[int] = set()

    async def main() -> None:
        gate = gate_of(slots, *limits)

        async def visit(number: int, tokens: int, stay: float) -> None:
            async with gate.admit(ask(tokens, endpoint="embeddings")) as permit:
                order.append(number)
                inside.add(number)
                assert len(inside) <= slots
                try:
                    await asyncio.sleep(stay)
                    permit.settle(Usage(tokens, 0), None)
                finally:
                    inside.remove(number)

        loop, tasks = asyncio.get_running_loop(), list[asyncio.Task[None]]()
        for number, (gap, tokens, stay, patience) in enumerate(visits):
            await asyncio.sleep(gap)
            tasks.append(asyncio.create_task(visit(number, tokens, stay)))
            if patience is not None:
                loop.call_later(patience, tasks[-1].cancel)
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert ended is None or isinstance(ended, asyncio.CancelledError)

        again = [gate.admit(ask(0, endpoint="embeddings")) for _ in range(slots)]
        async with asyncio.timeout(120):
            for holder in again:
                await holder.__aenter__()

    run_virtual(main())
    assert order == sorted(order)
    patient = {n for n, visit in enumerate(visits) if visit[3] is None}
    assert patient <= set(order)


def test_a_slot_handed_to_one_who_is_cancelled_in_the_same_moment_goes_on(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> None:
        for gate in (gate_of(1), gate_of(1, rpm=6000)):
            holder = gate.admit(ask())
            await holder.__aenter__()

            async def row(gate: Gate = gate) -> bool:
                async with gate.admit(ask()):
                    return True

            unlucky, lucky = asyncio.create_task(row()), asyncio.create_task(row())
            await asyncio.sleep(1)
            await holder.__aexit__(None, None, None)
            unlucky.cancel()
            assert await lucky
            assert unlucky.cancelled()

    run_virtual(main())


def test_wrong_arguments_are_refused(gate_of: Open) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        gate_of(0)
    with pytest.raises(ValueError, match="counter"):
        open_gate(
            route="p/m",
            concurrency=1,
            ceiling=1,
            rpm=None,
            tpm=100,
            counter=None,
            shared=None,
            observe=lambda event: None,
        )
