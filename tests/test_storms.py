"""Servers that want to be left alone: what pauses a route, and what becomes of its rows."""

from __future__ import annotations

import asyncio

import pytest
from scripted import DONE, Chair, Ran, Scripted, ask

from llmbatch.jobs.errors import Overloaded, RateLimited
from llmbatch.jobs.events import AttemptFailed, RoutePaused
from llmbatch.jobs.model import Result
from virtualtime import run_virtual


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
