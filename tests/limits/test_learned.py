"""Limits that the server names, against servers that judge a minute in different ways.

In virtual time; a server sees a request half its latency after it went out.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct
from quotaservers import FixedWindow, SlidingWindow, TokenBucket

from llmbatch.jobs.errors import RateLimited
from llmbatch.jobs.events import Event, LimitLearned, LimitWaited
from llmbatch.jobs.limits.gate import RouteGate
from llmbatch.jobs.model import Quota, Request, Usage
from virtualtime import run_virtual

Ask = Callable[..., Request]
Open = Callable[..., RouteGate]
Server = TokenBucket | FixedWindow | SlidingWindow

SERVERS = [
    pytest.param(TokenBucket, 0.0, id="token bucket"),
    pytest.param(FixedWindow, 0.0, id="fixed window"),
    pytest.param(FixedWindow, 37.0, id="fixed window, begun before"),
    pytest.param(SlidingWindow, 0.0, id="sliding window"),
]


class Log(Struct):
    """When requests were answered, and when refused; ``others`` were another client's."""

    good: list[float] = []
    refused: list[float] = []
    others: int = 0

    @property
    def share_refused(self) -> float:
        return len(self.refused) / (len(self.refused) + len(self.good))

    def used(self, start: float, limit: int) -> float:
        """Share of the quota that our requests used from ``start`` on."""
        end = max(self.good)
        return sum(start < time <= end for time in self.good) / (end - start) * 60 / limit


def played(
    server: Server,
    gate: RouteGate,
    request: Request,
    rows: int,
    *,
    latency: float = 0.2,
    others: float = 0.0,
    retry_after: float | None = None,
) -> Log:
    """Send all rows until each has been answered; ``others`` come at that many a second."""
    log = Log()

    async def row(now: Callable[[], float]) -> bool:
        async with gate.admit(request) as permit:
            await asyncio.sleep(latency / 2)
            taken = server.take(now())
            quota = server.quota(now())
            (log.good if taken else log.refused).append(now())
            await asyncio.sleep(latency / 2)
            permit.hear(quota)
            if taken:
                permit.settle(Usage(10, 10), None)
            else:
                permit.refused(retry_after)
                permit.settle(None, RateLimited("429"))
            return taken

    async def stranger(now: Callable[[], float]) -> None:
        while True:
            log.others += server.take(now())
            await asyncio.sleep(1 / others)

    async def main() -> None:
        now = asyncio.get_running_loop().time
        todo = iter(range(rows))

        async def pump() -> None:
            for _ in todo:
                while not await row(now):
                    pass

        beside = asyncio.create_task(stranger(now)) if others else None
        await asyncio.gather(*(pump() for _ in range(64)))
        if beside:
            beside.cancel()

    run_virtual(main())
    assert len(log.good) == rows
    return log


@pytest.mark.parametrize(("kind", "phase"), SERVERS)
@pytest.mark.parametrize("concurrency", [64, "auto"])
def test_an_unknown_quota_is_kept_and_used(
    gate_of: Open, ask: Ask, kind: type[Server], phase: float, concurrency: Any
) -> None:
    log = played(kind(300, phase), gate_of(concurrency), ask(), 600)
    assert log.share_refused <= 0.02
    assert log.used(60, 300) >= 0.95


@pytest.mark.parametrize(("kind", "phase"), SERVERS)
@pytest.mark.parametrize("retry_after", [None, 5.0])
def test_beside_another_client_little_is_refused_and_nothing_wasted(
    gate_of: Open, ask: Ask, kind: type[Server], phase: float, retry_after: float | None
) -> None:
    """The other one asks for half of the quota, and does not care whether anything is left."""
    log = played(kind(300, phase), gate_of(64), ask(), 900, others=2.5, retry_after=retry_after)
    assert log.share_refused < 0.05
    minutes = max(log.good) / 60
    assert (len(log.good) + log.others) / (300 * minutes) >= 0.85


@pytest.mark.parametrize(("kind", "phase"), SERVERS)
def test_beside_another_client_slow_answers_are_counted_that_are_still_on_their_way(
    gate_of: Open, ask: Ask, kind: type[Server], phase: float
) -> None:
    log = played(kind(300, phase), gate_of(64), ask(), 900, latency=10, others=2.5)
    assert log.share_refused < 0.1  # what a server says is 5 s old, and half of it is not ours


@pytest.mark.parametrize(("kind", "phase"), SERVERS)
def test_a_limit_of_the_users_above_the_servers_slows_down_before_the_quota_is_empty(
    gate_of: Open, ask: Ask, kind: type[Server], phase: float
) -> None:
    log = played(kind(300, phase), gate_of(64, rpm=1200), ask(), 900)
    assert log.share_refused <= 0.02
    assert max(log.good) <= 210  # of 900 rows: three minutes' quota


def test_what_was_sent_before_the_limit_was_known_counts(gate_of: Open, ask: Ask) -> None:
    """Of 250 at once, 50 are left for the minute; evenly paced the next is due after 51 s."""

    async def main() -> list[float]:
        gate, now, times = gate_of(250), asyncio.get_running_loop().time, list[float]()

        async def row() -> None:
            async with gate.admit(ask()) as permit:
                times.append(now())
                await asyncio.sleep(0.2)
                permit.hear(Quota(rpm=300))

        await asyncio.gather(*(row() for _ in range(300)))
        return times

    times = run_virtual(main())
    assert times[249] == pytest.approx(0, abs=0.01)
    assert times[250] == pytest.approx(250 / 4.9, abs=1.5)
    assert times[299] - times[250] == pytest.approx(49 / 4.9, abs=1)


def test_learned_tokens_are_estimated_and_those_already_used_count(gate_of: Open, ask: Ask) -> None:
    async def main() -> tuple[list[float], list[Event]]:
        events = list[Event]()
        gate, times = gate_of(4, events=events), list[float]()
        now = asyncio.get_running_loop().time

        async def row() -> None:
            async with gate.admit(ask(900, endpoint="embeddings")) as permit:
                times.append(now())
                await asyncio.sleep(1)
                permit.hear(Quota(tpm=6000))
                permit.settle(Usage(900, 0), None)

        await asyncio.gather(*(row() for _ in range(12)))
        return times, events

    times, events = run_virtual(main())
    assert [event for event in events if isinstance(event, LimitLearned)] == [
        LimitLearned("p/m", None, 6000)
    ]
    for start in times:
        assert sum(start <= time < start + 60 for time in times) <= 6  # of 900 tokens
    assert times[-1] < 130


def test_a_request_above_a_learned_budget_is_left_to_the_server(gate_of: Open, ask: Ask) -> None:
    async def main() -> float:
        gate, now = gate_of(4), asyncio.get_running_loop().time
        async with gate.admit(ask()) as permit:
            permit.hear(Quota(tpm=1000))
            permit.settle(Usage(600, 0), None)
        async with gate.admit(ask(5000, endpoint="embeddings")):
            return now()

    assert 60 < run_virtual(main()) < 105  # an empty minute, paid for


def test_the_vocabulary_is_never_read_for_a_limit_that_nobody_asked_for(
    gate_of: Open, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "toktok", None)

    async def main() -> int:
        gate = gate_of(4)
        async with gate.admit(ask()) as permit:
            permit.hear(Quota(tpm=100_000))
        async with gate.admit(ask(50, endpoint="embeddings")) as permit:
            return permit.reserved

    assert run_virtual(main()) == 50


def test_the_users_limits_stay_whatever_the_server_names(gate_of: Open, ask: Ask) -> None:
    async def main() -> list[Event]:
        events = list[Event]()
        gate = gate_of(4, rpm=60, tpm=6000, events=events)
        async with gate.admit(ask()) as permit:
            permit.hear(Quota(rpm=3000, tpm=300_000))
            permit.hear(Quota(rpm=30, tpm=3000))
        assert (gate.pacer.rpm, gate.pacer.tpm) == (60, 6000)
        return [event for event in events if not isinstance(event, LimitWaited)]

    assert run_virtual(main()) == []


def test_the_smallest_limit_of_all_models_holds_and_each_change_is_an_event(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> list[Event]:
        events = list[Event]()
        gate = gate_of(4, events=events)
        for model, rpm in [("a", 500), ("b", 3000), ("a", 500), ("b", 100), ("b", 900), ("a", 600)]:
            async with gate.admit(ask(model=model)) as permit:
                permit.hear(Quota(rpm=rpm, tpm=90_000))
        return events

    seen = [event for event in run_virtual(main()) if not isinstance(event, LimitWaited)]
    assert seen == [LimitLearned("p/m", rpm, 90_000) for rpm in (500, 100, 500, 600)]


def test_any_number_of_models_is_remembered_in_bounded_room(gate_of: Open, ask: Ask) -> None:
    async def main() -> str:
        gate = gate_of(4)
        for number in range(300):
            async with gate.admit(ask(model=f"m{number}")) as permit:
                permit.hear(Quota(rpm=1_000_000 - number))
        assert gate.pacer.rpm is not None
        return repr(gate.pacer._learned)

    assert "of 65 models" in run_virtual(main())


def test_what_a_server_has_left_is_spread_over_the_seconds_until_its_reset(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> list[float]:
        gate, now, times = gate_of(4), asyncio.get_running_loop().time, list[float]()
        async with gate.admit(ask()) as permit:
            permit.hear(Quota(rpm=600, requests_left=10, requests_reset=20))
        for _ in range(8):
            async with gate.admit(ask()):
                times.append(now())
        async with gate.admit(ask()) as permit:
            permit.hear(Quota(rpm=600, requests_left=590, requests_reset=60))
        async with gate.admit(ask()):
            times.append(now())
        return times

    times = run_virtual(main())
    gaps = [after - before for before, after in itertools.pairwise(times[:-1])]
    assert gaps == pytest.approx([2.0] * 7, abs=0.01)
    assert times[-1] - times[-2] < 2.2  # the last of that pace, and then at the limit's


def test_whoever_waits_for_a_scarce_quota_goes_as_soon_as_there_is_enough(
    gate_of: Open, ask: Ask
) -> None:
    async def main() -> float:
        gate, now = gate_of(4), asyncio.get_running_loop().time

        async def row() -> float:
            async with gate.admit(ask()):
                return now()

        async with gate.admit(ask()) as permit:
            permit.hear(Quota(tpm=60_000, tokens_left=0, tokens_reset=50))
            waiting = asyncio.create_task(row())
            await asyncio.sleep(2)
            permit.hear(Quota(tpm=60_000, tokens_left=60_000, tokens_reset=0))
            return await waiting

    assert run_virtual(main()) == pytest.approx(2, abs=0.1)


def test_waits_for_the_limit_are_reported_and_add_up_to_wall_time(gate_of: Open, ask: Ask) -> None:
    async def main() -> tuple[float, float]:
        events = list[Event]()
        gate, now = gate_of(64, rpm=600, events=events), asyncio.get_running_loop().time

        async def row() -> None:
            async with gate.admit(ask()):
                await asyncio.sleep(0.2)

        await asyncio.gather(*(row() for _ in range(300)))
        waits = [event for event in events if isinstance(event, LimitWaited)]
        assert all(event.route == "p/m" and event.seconds > 0.001 for event in waits)
        return sum(event.seconds for event in waits), now()

    waited, wall = run_virtual(main())
    assert 0.95 * wall < waited <= wall
