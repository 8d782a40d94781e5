"""A budget that several workers spend holds as that of one: over all of them, whoever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from scripted import DONE, Chair, Ran, Scripted, Step, ask, words
from spender import Habits
from spenders import Line, Studies

from llmbatch.jobs.budget.desk import BudgetDesk
from llmbatch.jobs.budget.ledger import NOTHING, UNIT, Amount, Caps
from llmbatch.jobs.budget.till import HOPELESS, Till
from llmbatch.jobs.config import PriceConfig
from llmbatch.jobs.drain import Drain
from llmbatch.jobs.model import Delta, Request, Usage
from virtualtime import VirtualClock, run_virtual

NOISE = 1e-9
TOKEN = PriceConfig(input=0, output=1_000_000)
"""A dollar for each token of an answer."""
EXACT = Habits(errors=0.1, refusals=0.1)
ROUGH = Habits(errors=0.1, refusals=0.05, breaks=0.15)


def used(till: Till) -> Amount:
    """What a later run has to count as used up."""
    figures = till.figures()
    return Amount(round(figures.used_usd * UNIT), figures.used_tokens)


def row(most: int = 10, **more: object) -> Request:
    return ask(model="m0", params={"max_tokens": most}, **more)


def said(tokens: int, wait: float = 1.0) -> list[Step]:
    return [*words("a"), wait, DONE, Delta(usage=Usage(1, tokens))]


class Crew:
    """Two workers, one server, one till; to be made inside the running loop."""

    def __init__(self, server: Scripted, caps: Caps, delay: float = 0.001) -> None:
        self.server = server
        self.caps = caps
        self.delay = delay
        self.till = Till(caps, Drain())
        self.desk = BudgetDesk(self.till)
        self.lines = [self.worker(), self.worker()]
        self.calls = [line.ran.call() for line in self.lines if line.ran is not None]

    def worker(self) -> Line:
        line = Line(self.desk, lambda: self.delay)
        line.ran = Ran(self.server, prices={"*": TOKEN}, caps=self.caps, funds=line.funds)
        return line


@pytest.mark.parametrize("habits", [EXACT, ROUGH], ids=["told", "untold"])
@pytest.mark.parametrize("workers", [2, 3])
def test_money_spent_never_exceeds_the_cap_and_as_good_as_all_of_it_is_used(
    habits: Habits, workers: int
) -> None:
    stopped = 0
    for seed in range(30):
        study = Studies(seed, habits, workers=workers)
        cap = Random(seed).uniform(20, 60) * study.worst[0]
        till = run_virtual(study.ask(Caps(cost=cap)))
        assert study.billed[0] <= cap + NOISE, seed
        if study.drain.stop is None:
            assert len(study.sink.results) == len(study.rows), seed
            continue
        stopped += 1
        assert study.drain.stop.cause == "budget"
        assert used(till).money / UNIT >= 0.95 * cap, seed
        if habits is EXACT:
            assert study.billed[0] >= 0.95 * cap, seed
    assert stopped > 5


def test_tokens_used_never_exceed_the_cap_and_as_good_as_all_of_them_are_used() -> None:
    stopped = 0
    for seed in range(1000, 1030):
        study = Studies(seed, ROUGH)
        cap = round(Random(seed).uniform(20, 60) * study.worst[1])
        till = run_virtual(study.ask(Caps(tokens=cap)))
        assert study.billed[1] <= cap, seed
        if study.drain.stop is not None:
            stopped += 1
            assert used(till).tokens >= 0.95 * cap, seed
        else:
            assert len(study.sink.results) == len(study.rows), seed
    assert stopped > 5


def test_workers_that_die_take_no_money_with_them_that_nobody_counts() -> None:
    """Whatever the server billed is within the cap, and later runs know of it."""
    uncertain = 0
    for seed in range(2000, 2030):
        study = Studies(seed, EXACT)
        cap = Random(seed).uniform(20, 60) * study.worst[0]
        till = run_virtual(study.ask(Caps(cost=cap), deaths=3))
        uncertain += till.figures().uncertain
        assert study.billed[0] <= used(till).money / UNIT + NOISE <= cap + 2 * NOISE, seed
        if study.drain.stop is None:
            assert len(study.sink.results) == len(study.rows), seed
        else:
            assert used(till).money / UNIT >= 0.95 * cap, seed
    assert uncertain > 30, "what a dead worker had sent is counted, each attempt"


def test_runs_that_follow_each_other_and_are_interrupted_stay_within_the_cap_together() -> None:
    interrupted = 0
    for seed in range(3000, 3025):
        study, random = Studies(seed, ROUGH, rows=60), Random(seed)
        caps = Caps(cost=random.uniform(20, 90) * study.worst[0])
        till = run_virtual(study.ask(caps, interrupt=random.uniform(0.1, 20)))
        interrupted += study.drain.stop is not None and study.drain.stop.cause == "SIGINT"
        assert study.billed[0] <= used(till).money / UNIT + NOISE, seed
        again = run_virtual(study.ask(caps, used(till)))
        assert study.billed[0] <= used(again).money / UNIT + NOISE, seed
        assert used(again).money / UNIT <= (caps.cost or 0) + NOISE, seed
        assert study.drain.stop is not None or len(study.sink.results) == 60, seed
    assert interrupted > 5


def test_first_come_is_first_served_whichever_worker_asks() -> None:
    """15 dollars: r1 takes 10, r2 (10) of the other one waits, and so does r3, which would fit."""

    class Server(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            return said(4)

    server = Server()

    async def main() -> None:
        crew = Crew(server, Caps(cost=15))
        tasks = []
        for call, most in ((0, 10), (1, 10), (0, 1)):
            name = f"r{len(tasks) + 1}"
            task = asyncio.create_task(crew.calls[call](row(most, id=name), Chair()))
            await VirtualClock().sleep(0.1)
            tasks.append(task)
        await asyncio.gather(*tasks)

    run_virtual(main())
    assert [request.id for request in server.asked] == ["r1", "r2", "r3"]
    assert server.times == pytest.approx([0, 1, 1], abs=0.01)


def test_rows_that_all_wait_are_let_in_by_what_ends_in_another_worker() -> None:
    """All places of one worker wait for money, and what they wait for is with the other one."""
    server = Scripted(always=said(1))

    async def main() -> list[str]:
        crew = Crew(server, Caps(cost=30))
        first = [asyncio.create_task(crew.calls[0](row(id=f"a{n}"), Chair())) for n in range(3)]
        await VirtualClock().sleep(0.1)
        others = [asyncio.create_task(crew.calls[1](row(id=f"b{n}"), Chair())) for n in range(9)]
        return [result.status for result in await asyncio.gather(*first, *others)]

    assert run_virtual(main()) == ["ok"] * 12


@pytest.mark.parametrize("after", [0.0, 0.0005, 0.001, 0.0015, 0.002, 0.0025, 0.5])
def test_a_row_that_is_cancelled_while_its_grant_is_on_the_way_gives_it_back(after: float) -> None:
    server = Scripted(always=said(10, wait=60))

    async def main() -> Amount:
        crew = Crew(server, Caps(cost=10))
        task = asyncio.create_task(crew.calls[0](row(), Chair()))
        await VirtualClock().sleep(after)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await VirtualClock().sleep(1)
        assert crew.till.aside == NOTHING
        return used(crew.till)

    assert run_virtual(main()).money == (10 * UNIT if server.asked else 0)


def test_who_waits_in_a_worker_that_dies_is_out_of_the_line() -> None:
    server = Scripted(always=said(4))

    async def main() -> str:
        crew = Crew(server, Caps(cost=18))
        tasks = [asyncio.create_task(crew.calls[0](row(id=f"a{n}"), Chair())) for n in range(2)]
        await VirtualClock().sleep(0.1)
        last = asyncio.create_task(crew.calls[1](row(4, id="b"), Chair()))
        await VirtualClock().sleep(0.1)
        assert [request.id for request in server.asked] == ["a0"]
        await crew.lines[0].die()
        for task in tasks:
            task.cancel()
        return (await last).status

    assert run_virtual(main()) == "ok"
    assert [request.id for request in server.asked] == ["a0", "b"]


def test_what_one_worker_learns_of_a_server_the_others_and_their_successors_know() -> None:
    """It ignores the limit, and 25 tokens are what an answer may take from then on."""
    server = Scripted(said(25), always=said(25))

    async def main() -> list[str]:
        crew = Crew(server, Caps(cost=49))
        await crew.calls[1](row(1, id="x"), Chair())
        await VirtualClock().sleep(0.1)
        successor = crew.worker()
        assert successor.ran is not None
        calls = [crew.calls[0], successor.ran.call()]
        await VirtualClock().sleep(0.1)
        for call in calls:
            task = asyncio.create_task(call(row(1, id="y"), Chair()))
            await VirtualClock().sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return [request.id for request in server.asked]

    assert run_virtual(main()) == ["x"]


@pytest.mark.parametrize("bounded", [0, 1])
def test_the_first_rows_without_a_worst_case_are_those_of_all_workers(bounded: int) -> None:
    server = Scripted(always=said(1))

    async def main() -> list[str]:
        crew = Crew(server, Caps(cost=99))
        for _ in range(bounded):
            await crew.calls[0](row(), Chair())
        types = []
        for number in range(HOPELESS):
            result = await crew.calls[number % 2](ask(), Chair())
            assert result.error is not None
            types.append(result.error.type)
        stops = [line.ran.drain.stop for line in crew.lines if line.ran is not None]
        assert [stop is not None for stop in stops] == [False, not bounded]
        return types

    types = run_virtual(main())
    assert types[:-1] == ["unbounded"] * (HOPELESS - 1)


def test_an_amount_beyond_64_bits_is_told_in_full() -> None:
    server = Scripted(always=said(3_000_000))

    async def main() -> int:
        crew = Crew(server, Caps(cost=1e14))
        await crew.calls[0](row(30_000_000), Chair())
        await VirtualClock().sleep(0.1)
        return used(crew.till).money

    assert run_virtual(main()) == 3_000_000 * UNIT
