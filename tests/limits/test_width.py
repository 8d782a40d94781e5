"""Slots whose number changes while rows wait and run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import RateLimited
from llmbatch.jobs.events import ConcurrencyChanged, Event
from llmbatch.jobs.limits.gate import RouteGate
from llmbatch.jobs.limits.slots import Slots
from llmbatch.jobs.model import Request
from virtualtime import run_virtual

Ask = Callable[..., Request]
Open = Callable[..., RouteGate]


@settings(max_examples=100, deadline=None)
@given(
    widths=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), max_size=12),
    stays=st.lists(st.integers(0, 5), min_size=1, max_size=30),
)
def test_more_slots_let_more_in_at_once_and_fewer_let_those_inside_finish(
    widths: list[tuple[int, int]], stays: list[int]
) -> None:
    order: list[int] = []

    async def main() -> None:
        slots, inside, taken = Slots(2), 0, 0

        async def row(number: int, stay: float) -> None:
            nonlocal inside
            await slots.take()
            slots.arrived()
            order.append(number)
            inside += 1
            assert inside <= max(slots.width, taken)
            await asyncio.sleep(stay + 0.5)
            inside -= 1
            slots.release()

        async def change() -> None:
            nonlocal taken
            for after, width in widths:
                await asyncio.sleep(after + 0.25)
                taken = slots.width - slots.free  # they stay, and nobody beside them
                slots.resize(width)

        await asyncio.gather(change(), *(row(n, stay) for n, stay in enumerate(stays)))
        assert slots.free == slots.width

    run_virtual(main())
    assert order == list(range(len(stays)))


def test_auto_starts_at_eight_and_each_change_is_an_event(gate_of: Open, ask: Ask) -> None:
    async def main() -> tuple[int, list[Event]]:
        events = list[Event]()
        gate, todo = gate_of("auto", events=events), iter(range(3000))
        assert gate.width == 8

        async def pump() -> None:
            for _ in todo:
                async with gate.admit(ask()) as permit:
                    await asyncio.sleep(0.5)
                    permit.settle(None, None)

        await asyncio.gather(*(pump() for _ in range(300)))
        return gate.width, events

    width, events = run_virtual(main())
    changes = [event for event in events if isinstance(event, ConcurrencyChanged)]
    assert len(changes) == len(events) > 2
    assert changes[0].before == 8
    assert all(one.now == two.before for one, two in itertools.pairwise(changes))
    assert changes[-1].now == width > 100


def test_auto_never_exceeds_its_ceiling_and_shrinks_when_refused(gate_of: Open, ask: Ask) -> None:
    async def main() -> tuple[int, int]:
        gate, inside, peak = gate_of("auto", ceiling=20), 0, 0

        async def pump(rows: int, error: RateLimited | None) -> None:
            nonlocal inside, peak
            for _ in range(rows):
                async with gate.admit(ask()) as permit:
                    inside += 1
                    peak = max(peak, inside)
                    await asyncio.sleep(0.5)
                    permit.settle(None, error)
                    inside -= 1

        await asyncio.gather(*(pump(20, None) for _ in range(40)))
        widest, before = peak, gate.width
        await asyncio.gather(*(pump(2, RateLimited("429")) for _ in range(40)))
        assert gate.width < before
        return widest, before

    widest, before = run_virtual(main())
    assert widest == before == 20


def test_a_limit_that_holds_the_route_back_is_not_taken_for_its_best_width(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> int:
        gate = gate_of("auto", rpm=60)

        async def pump() -> None:
            for _ in range(5):
                async with gate.admit(ask()) as permit:
                    await asyncio.sleep(0.1)
                    permit.settle(None, None)

        await asyncio.gather(*(pump() for _ in range(40)))
        return gate.width

    assert run_virtual(main()) == 8


@pytest.mark.parametrize("concurrency", [1, 7])
def test_a_number_that_was_asked_for_stays(gate_of: Open, ask: Ask, concurrency: int) -> None:
    async def main() -> int:
        gate = gate_of(concurrency)
        for _ in range(100):
            async with gate.admit(ask()) as permit:
                permit.settle(None, RateLimited("429"))
        return gate.width

    assert run_virtual(main()) == concurrency
