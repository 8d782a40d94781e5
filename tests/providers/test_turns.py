"""How much is read in one turn of the loop, and who comes when that is used up."""

from __future__ import annotations

import asyncio
from collections import Counter

from llmbatch.jobs.providers.turns import BLOCK, SHARE, Turns


async def test_a_turn_has_a_share_and_the_next_one_has_another() -> None:
    turns = Turns(asyncio.get_running_loop())
    for _ in range(10):
        assert not any(turns.over(100) for _ in range(SHARE))
        assert turns.over(100)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_large_read_is_several() -> None:
    turns = Turns(asyncio.get_running_loop())
    assert not turns.over(BLOCK * SHARE)
    assert turns.over(1)


async def test_a_few_reads_a_turn_leave_no_work_for_later_turns() -> None:
    """Where few streams are read nothing is scheduled, so that the loop can sleep."""
    loop = asyncio.get_running_loop()
    turns = Turns(loop)
    scheduled: list[object] = []
    loop.call_soon = lambda *args, **kw: scheduled.append(args)  # type: ignore[method-assign, assignment, return-value, misc]
    try:
        assert not any(turns.over(100) for _ in range(60))
    finally:
        del loop.call_soon
    assert not scheduled


async def test_those_in_line_come_in_order_a_share_a_turn_and_new_ones_behind_them() -> None:
    turns, come, now = Turns(asyncio.get_running_loop()), list[int](), 0
    by_turn: Counter[int] = Counter()

    async def stream(number: int) -> None:
        while turns.over(100):
            await turns.later()
            break
        come.append(number)
        by_turn[now] += 1

    streams = [asyncio.create_task(stream(number)) for number in range(5 * SHARE)]
    while len(come) < len(streams):
        now += 1
        await asyncio.sleep(0)
    assert come == sorted(come)
    assert max(by_turn.values()) <= SHARE + 1
    assert len(by_turn) >= 5


async def test_a_place_in_line_that_is_given_up_takes_no_share() -> None:
    turns = Turns(asyncio.get_running_loop())
    assert not any(turns.over(1) for _ in range(SHARE))
    given_up = [asyncio.create_task(turns.later()) for _ in range(2 * SHARE)]
    await asyncio.sleep(0)
    last = asyncio.create_task(turns.later())
    for task in given_up:
        task.cancel()
    for _ in range(5):  # nobody's turn went to a place that was empty
        await asyncio.sleep(0)
    assert last.done()
    await asyncio.gather(*given_up, return_exceptions=True)
