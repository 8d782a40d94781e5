"""A budget holds: what is really spent never exceeds it, and as good as all of it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import DONE, Chair, Ran, Scripted, Step, ask, words
from spender import Habits, Study, used

from llmbatch.jobs.budget.ledger import UNIT, Amount, Caps, Ledger, dollars
from llmbatch.jobs.budget.till import HOPELESS
from llmbatch.jobs.config import PriceConfig
from llmbatch.jobs.errors import (
    BadRequest,
    ConnectionFailed,
    Overloaded,
    ProviderError,
    Stalled,
    StreamBroken,
    Unanswered,
)
from llmbatch.jobs.limits.gate import RouteGate
from llmbatch.jobs.model import Delta, Request, Result, Usage
from virtualtime import VirtualClock, run_virtual

NOISE = 1e-9
TOKEN = PriceConfig(input=0, output=1_000_000)
"""A dollar for each token of an answer."""
EXACT = Habits(errors=0.1, refusals=0.1)
ROUGH = Habits(errors=0.1, refusals=0.05, breaks=0.15)


def row(most: int = 10, **more: object) -> Request:
    return ask(model="m0", params={"max_tokens": most}, **more)


def said(tokens: int, wait: float = 1.0) -> list[Step]:
    return [*words("a"), wait, DONE, Delta(usage=Usage(1, tokens))]


async def left_waiting(ran: Ran, before: int = 0) -> None:
    """Ask rows one after the other, and one more that waits for money until it is cancelled."""
    call = ran.call()
    for _ in range(before):
        await call(row(), Chair())
    task = asyncio.create_task(call(row(), Chair()))
    await VirtualClock().sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("habits", [EXACT, ROUGH], ids=["told", "untold"])
def test_money_spent_never_exceeds_the_cap_and_as_good_as_all_of_it_is_used(
    block: int, habits: Habits
) -> None:
    """As the servers count: 200 jobs, with retries, fallbacks at other prices, broken streams."""
    stopped = 0
    for seed in range(25 * block, 25 * (block + 1)):
        study = Study(seed, habits)
        cap = Random(seed).uniform(20, 60) * study.worst[0]
        ran = run_virtual(study.run(Caps(cost=cap)))
        assert study.billed[0] <= cap + NOISE, seed
        if ran.drain.stop is None:
            assert len(study.sink.results) == len(study.rows), seed
            continue
        stopped += 1
        assert ran.drain.stop.cause == "budget"
        assert used(ran).money / UNIT >= 0.95 * cap, seed
        if habits is EXACT:
            assert study.billed[0] >= 0.95 * cap, seed
    assert stopped > 5


@pytest.mark.parametrize("habits", [EXACT, ROUGH], ids=["told", "untold"])
def test_tokens_used_never_exceed_the_cap_and_as_good_as_all_of_them_are_used(
    habits: Habits,
) -> None:
    stopped = 0
    for seed in range(1000, 1050):
        study = Study(seed, habits)
        cap = round(Random(seed).uniform(20, 60) * study.worst[1])
        ran = run_virtual(study.run(Caps(tokens=cap)))
        assert study.billed[1] <= cap, seed
        if ran.drain.stop is not None:
            stopped += 1
            assert used(ran).tokens >= 0.95 * cap, seed
            assert habits is ROUGH or study.billed[1] >= 0.95 * cap, seed
        else:
            assert len(study.sink.results) == len(study.rows), seed
    assert stopped > 5


def test_runs_that_follow_each_other_stay_within_the_last_cap_together() -> None:
    for seed in range(2000, 2020):
        study = Study(seed, ROUGH)
        worst = study.worst[0]
        ran = run_virtual(study.run(Caps(cost=20 * worst)))
        assert ran.drain.stop is not None
        first = len(study.sink.results)
        again = run_virtual(study.run(Caps(cost=20 * worst), used(ran)))
        assert used(again).money / UNIT <= 20 * worst + NOISE, seed
        more = run_virtual(study.run(Caps(cost=40 * worst), used(again)))
        assert 20 * worst < used(more).money / UNIT <= 40 * worst + NOISE
        assert study.billed[0] <= 40 * worst + NOISE, seed
        assert len(study.sink.results) > first


def test_what_an_interrupt_cuts_off_counts_and_the_rest_is_run_later() -> None:
    interrupted = 0
    for seed in range(3000, 3030):
        study, random = Study(seed, ROUGH, rows=60), Random(seed)
        caps = Caps(cost=random.uniform(20, 90) * study.worst[0])
        ran = run_virtual(study.run(caps, interrupt=random.uniform(0, 20)))
        interrupted += ran.drain.stop is not None and ran.drain.stop.cause == "SIGINT"
        assert study.billed[0] <= used(ran).money / UNIT + NOISE, seed
        again = run_virtual(study.run(caps, used(ran)))
        assert study.billed[0] <= used(again).money / UNIT + NOISE, seed
        assert used(again).money / UNIT <= caps.cost + NOISE, seed
        assert again.drain.stop is not None or len(study.sink.results) == 60, seed
    assert interrupted > 5


def test_what_is_given_back_lets_others_in_first_come_first_served() -> None:
    """15 dollars: r1 takes 10, r2 (10) waits, and r3, which would fit, waits behind it."""

    class Server(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            return said(4)

    ran = Ran(Server(), prices={"*": TOKEN}, caps=Caps(cost=15))
    rows = [row(10, id="r1"), row(10, id="r2"), row(1, id="r3")]

    async def main() -> list[Result]:
        call = ran.call()
        return await asyncio.gather(*(call(each, Chair()) for each in rows))

    results = run_virtual(main())
    waits = [result.metrics.limiter_s for result in results if result.metrics]
    assert waits == pytest.approx([0, 1, 1], abs=1e-6)
    assert [request.id for request in ran.provider.asked] == ["r1", "r2", "r3"]
    assert ran.provider.times == pytest.approx([0, 1, 1], abs=1e-6)


def test_a_row_that_waits_for_money_holds_no_slot_and_says_so_to_its_seat() -> None:
    ran = Ran(Scripted(always=said(10)), prices={"*": TOKEN}, caps=Caps(cost=25), concurrency=4)
    seats = [Chair() for _ in range(3)]

    async def main() -> int:
        call = ran.call()
        tasks = [asyncio.create_task(call(row(id=str(n)), seat)) for n, seat in enumerate(seats)]
        await VirtualClock().sleep(0.5)
        assert ran.routes is not None
        gate = ran.routes.lanes[0].gate
        assert isinstance(gate, RouteGate)
        free = gate.slots.free
        await asyncio.wait(tasks, timeout=2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return free

    assert run_virtual(main()) == 2
    assert [seat.log for seat in seats] == [[], [], ["waits, sending=False", "is back"]]
    assert ran.drain.stop is not None, "20 of 25 are spent, and the third row may cost 10"


def test_a_row_that_could_never_fit_stops_the_job_with_what_to_do() -> None:
    ran = Ran(Scripted(), prices={"*": TOKEN}, caps=Caps(cost=5))
    run_virtual(left_waiting(ran))
    assert ran.drain.stop is not None
    assert ran.drain.stop.message == (
        "the budget of $5.00 is too small: the next row may cost up to $10.00; raise --max-cost "
        "and run the same command again"
    )
    assert ran.provider.asked == []


@pytest.mark.parametrize(
    ("failure", "left"),
    [
        (Overloaded("no", http_status=503), 10),
        (BadRequest("no", http_status=400), 10),
        (ConnectionFailed("nobody listens"), 10),
        (Unanswered("closed"), 0),
        (Overloaded("the gateway waits no longer", http_status=504), 0),
        (StreamBroken("cut", http_status=200), 0),
        (Stalled("nothing came"), 0),
    ],
)
def test_what_was_refused_costs_nothing_and_what_broke_off_counts_at_its_worst(
    failure: ProviderError, left: int
) -> None:
    ran = Ran(Scripted([failure]), prices={"*": TOKEN}, caps=Caps(cost=10), retries=0)
    run_virtual(ran.row(row(10)))
    assert ran.till is not None
    figures = ran.till.figures()
    assert 10 - figures.used_usd == left
    assert figures.uncertain == (left == 0)


def test_a_count_of_zeros_is_no_count() -> None:
    ran = Ran(Scripted([*words("a"), DONE, Delta(usage=Usage(0, 0))]), prices={"*": TOKEN},
              caps=Caps(cost=10))  # fmt: skip
    assert run_virtual(ran.row(row(10))).status == "ok"
    assert used(ran).money == 10 * UNIT


def test_a_row_that_is_cancelled_counts_at_its_worst_only_where_it_was_sent() -> None:
    ran = Ran(Scripted(always=said(1, wait=60)), prices={"*": TOKEN}, caps=Caps(cost=99),
              concurrency=1)  # fmt: skip

    async def main() -> None:
        call = ran.call()
        tasks = [asyncio.create_task(call(row(id=str(n)), Chair())) for n in range(2)]
        await VirtualClock().sleep(1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_virtual(main())
    assert used(ran).money == 10 * UNIT


def test_a_server_that_ignores_the_limit_is_taken_at_its_word_from_then_on() -> None:
    ran = Ran(Scripted(said(25), said(25)), prices={"*": TOKEN}, caps=Caps(cost=49))

    run_virtual(left_waiting(ran, before=1))
    assert len(ran.provider.asked) == 1
    assert ran.drain.stop is not None
    assert "the next row may cost up to $25.00" in ran.drain.stop.message


def test_a_rows_own_model_without_a_price_is_that_rows_error() -> None:
    ran = Ran(Scripted(), prices={"scripted/m0": TOKEN}, caps=Caps(cost=5))
    result = run_virtual(ran.row(ask(model="secret")))
    assert result.error is not None
    assert result.error.type == "unpriced"
    assert "no price for scripted/secret" in result.error.message
    assert (ran.provider.asked, ran.drain.stop) == ([], None)


def test_a_row_whose_answer_has_no_known_end_is_that_rows_error() -> None:
    ran = Ran(Scripted(), prices={"*": TOKEN}, caps=Caps(tokens=5))
    result = run_virtual(ran.row(ask()))
    assert result.error is not None
    assert result.error.type == "unbounded"
    assert "set --max-tokens" in result.error.message
    assert (ran.provider.asked, ran.drain.stop) == ([], None)


def test_a_route_is_given_up_where_none_of_its_first_rows_has_a_worst_case() -> None:
    ran = Ran(Scripted(name="a"), Scripted(name="b"), prices={"*": TOKEN}, caps=Caps(cost=99))

    async def main() -> None:
        call = ran.call()
        for _ in range(HOPELESS):
            await call(ask(), Chair())

    run_virtual(main())
    assert ran.drain.stop is not None
    assert ran.drain.stop.cause == "fatal"
    assert "an answer of b/m1 can get is not known" in ran.drain.stop.message
    assert "set --max-tokens" in ran.drain.stop.message


def test_rows_without_a_worst_case_among_others_end_no_job() -> None:
    ran = Ran(Scripted(always=said(1)), prices={"*": TOKEN}, caps=Caps(cost=99))

    async def main() -> list[str]:
        call = ran.call()
        rows = [row(), *(ask() for _ in range(3 * HOPELESS)), row()]
        return [(await call(each, Chair())).status for each in rows]

    assert run_virtual(main()) == ["ok", *["error"] * 3 * HOPELESS, "ok"]
    assert ran.drain.stop is None


amounts = st.builds(Amount, st.integers(0, 50), st.integers(0, 50))


@given(st.integers(1, 300), st.integers(1, 300), st.lists(st.tuples(amounts, st.data())))
def test_no_order_of_events_takes_a_ledger_beyond_its_caps(
    cost: int, tokens: int, steps: list[tuple[Amount, st.DataObject]]
) -> None:
    ledger = Ledger(Caps(cost / UNIT, tokens))
    under_way: list[Amount] = []
    for worst, data in steps:
        if ledger.fits(worst):
            ledger.set_aside(worst)
            under_way.append(worst)
        if under_way and data.draw(st.booleans()):
            ended = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            end = data.draw(st.sampled_from(["settle", "doubt", "give back"]))
            if end == "settle":
                part = data.draw(st.floats(0, 1))
                ledger.settle(ended, Amount(int(ended.money * part), int(ended.tokens * part)))
            elif end == "doubt":
                ledger.doubt(ended)
            else:
                ledger.give_back(ended)
        for unit, cap in ((0, cost), (1, tokens)):
            assert ledger.known[unit] + ledger.uncertain[unit] + ledger.aside[unit] <= cap
    for unit in (0, 1):
        assert ledger.aside[unit] == sum(worst[unit] for worst in under_way)


@given(*[st.integers(0, 10**6)] * 6)
def test_a_lease_has_room_for_what_needs_it_and_stays_within_the_caps(
    money: int, tokens: int, aside: int, more: int, cap: int, wanted: int
) -> None:
    ledger = Ledger(Caps(cost=cap / UNIT, tokens=cap), Amount(money, tokens))
    ledger.set_aside(Amount(aside, more))
    needed = (money + aside + wanted, tokens + more + wanted)
    for lease, need in zip(ledger.lease(Amount(wanted, wanted)), needed, strict=True):
        assert need <= lease <= max(need, cap)
        assert lease - need <= max(aside + wanted, more + wanted, cap // 50)


def test_nothing_is_sent_before_it_is_written_down() -> None:
    provider = Scripted(always=said(1))
    study = Ran(provider, caps=Caps(tokens=1000))
    asked: list[int] = []

    async def main() -> None:
        call = study.call()
        till = study.till
        assert till is not None
        till.write_down(lambda: asked.append(till.lease.tokens))
        task = asyncio.create_task(call(row(), Chair()))
        await VirtualClock().sleep(5)
        assert provider.asked == []
        assert asked, "somebody is told to write it down"
        till.written(till.lease)
        assert (await task).status == "ok"

    run_virtual(main())


@pytest.mark.parametrize(
    ("usd", "cap", "most"),
    [(1.0, "$1.00", "$1.00"), (0.0312, "$0.0312", "$0.032"), (1234.5, "$1,234.50", "$1,234.50"),
     (0.25, "$0.25", "$0.25"), (0.00021, "$0.00021", "$0.00021"), (3.001, "$3.001", "$3.01")],
)  # fmt: skip
def test_money_is_said_in_full_or_rounded_up(usd: float, cap: str, most: str) -> None:
    assert (dollars(usd), dollars(usd, up=True)) == (cap, most)
