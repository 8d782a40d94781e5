"""Servers that want to be left alone: what pauses a route, and what becomes of its rows."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest
from scripted import DONE, Chair, Ran, Scripted, Step, ask

from llmbatch.jobs.breaker import STORMS
from llmbatch.jobs.errors import NotFound, Overloaded, RateLimited
from llmbatch.jobs.events import AttemptFailed, BreakerOpened, RoutePaused
from llmbatch.jobs.model import Request, Result
from virtualtime import VirtualClock, run_virtual


async def rows(ran: Ran, count: int) -> list[Result]:
    """So many rows at once."""
    call = ran.call()
    assert ran.routes is not None
    try:
        return await asyncio.gather(*(call(ask(id=f"r{n}"), Chair()) for n in range(count)))
    finally:
        ran.routes.close()


@pytest.mark.parametrize("asked", [None, 0.0])
def test_an_overload_that_names_no_wait_is_one_rows_trouble(asked: float | None) -> None:
    """Also where it says so in numbers: come back at once."""
    busy = Overloaded("HTTP 503", http_status=503, retry_after=asked)
    ran = Ran(Scripted([busy], always=[DONE]))
    assert {r.status for r in run_virtual(rows(ran, 3))} == {"ok"}
    assert not any(isinstance(event, RoutePaused) for event in ran.events)


def test_a_pause_of_one_route_is_none_of_the_next() -> None:
    """The row backs off there as it would have done anyway."""
    last = RateLimited("no more", http_status=429, should_retry=False)
    busy = Overloaded("HTTP 500", http_status=500)
    ran = Ran(Scripted([last], name="a"), Scripted([busy], [DONE], name="b"))
    assert [r.provider for r in run_virtual(rows(ran, 1))] == ["b"]
    waits = [event.wait for event in ran.events if isinstance(event, AttemptFailed)]
    assert waits == [None, 0.25]


class Refusing(Scripted):
    """Answers with 429 until a time, and perhaps one of so many rows even then."""

    def __init__(self, until: float, asked: float | None, every: int = 0) -> None:
        super().__init__(name="a")
        self.until, self.wish, self.every = until, asked, every

    def script(self, request: Request, whole: bool) -> Sequence[Step]:
        kept = not self.every or len(self.times) % self.every
        limited = RateLimited("HTTP 429: slow down", http_status=429, retry_after=self.wish)
        return [0.1, limited if VirtualClock().now() < self.until and kept else DONE]


@pytest.mark.parametrize("asked", [None, 5.0])
def test_a_route_that_answers_nothing_but_429_gives_its_rows_to_the_next(
    asked: float | None,
) -> None:
    second = Scripted(always=[0.1, DONE], name="b")
    ran = Ran(Refusing(math.inf, asked), second, concurrency=16, retries=5)
    assert {(r.status, r.provider) for r in run_virtual(rows(ran, 200))} == {("ok", "b")}
    assert max(second.times) < 60
    assert len(ran.provider.asked) < 16 + 2 * STORMS


def test_where_it_is_the_only_one_no_row_fails_and_the_job_ends_after_max_outage() -> None:
    ran = Ran(Refusing(math.inf, None), concurrency=16, retries=STORMS, max_outage=300.0)

    assert 300 < run_virtual(ran.until_stopped(40)) < 360
    assert ran.drain.stop is not None
    assert "HTTP 429: slow down" in ran.drain.stop.message


def test_after_a_storm_that_ends_all_rows_have_their_answers() -> None:
    ran = Ran(Refusing(200.0, None), concurrency=16, retries=5)
    assert {r.status for r in run_virtual(rows(ran, 100))} == {"ok"}


def test_a_route_that_answers_now_and_then_is_not_out() -> None:
    """As one whose quota is small and unknown."""
    ran = Ran(Refusing(math.inf, 5.0, every=3), concurrency=4, retries=20)
    assert {r.status for r in run_virtual(rows(ran, 30))} == {"ok"}
    assert not any(isinstance(event, BreakerOpened) for event in ran.events)


def test_a_server_that_calls_back_too_soon_is_not_hammered_and_is_back_soon() -> None:
    """Each answer asks for 5 ms, for 8 seconds."""
    ran = Ran(Refusing(8.0, 0.005), concurrency=8)
    assert {r.status for r in run_virtual(rows(ran, 40))} == {"ok"}
    assert len(ran.provider.asked) < 40 + 8 + 12
    assert max(ran.provider.times) < 8 + 8
    assert not any(isinstance(event, BreakerOpened) for event in ran.events)


def test_any_answer_to_the_first_after_a_pause_lets_the_others_out() -> None:
    limited = RateLimited("HTTP 429", http_status=429, retry_after=5.0)
    missing = NotFound("HTTP 404", http_status=404)
    ran = Ran(Scripted(*([[0.1, limited]] * 4), [0.1, missing], always=[0.1, DONE]), concurrency=4)
    run_virtual(rows(ran, 8))
    assert max(ran.provider.times) < 5.1 + 0.1 + 0.5
