"""What workers tell of the same route is told once, and numbers are added up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.engines.chorus import Chorus
from llmbatch.jobs.events import (
    BreakerClosed,
    BreakerOpened,
    ConcurrencyChanged,
    Event,
    LimitWaited,
    Noted,
    RouteStopped,
)

Told = tuple[Chorus, list[Event], Callable[[float], None]]


@pytest.fixture
def chorus() -> Told:
    events: list[Event] = []
    time = [0.0]
    return (
        Chorus(events.append, lambda: time[0], {1: 4, 2: 4}),
        events,
        lambda at: time.__setitem__(0, at),
    )


def opened(route: str = "p/m") -> BreakerOpened:
    return BreakerOpened(route, "HTTP 503", 1.0)


def test_an_outage_begins_with_the_first_worker_and_ends_with_the_first_answer(
    chorus: Told,
) -> None:
    told, events, at = chorus
    told.heard(1, opened())
    at(2.0)
    told.heard(2, opened())
    assert events == [opened()]
    at(9.0)
    told.heard(2, BreakerClosed("p/m", 7.0))
    told.heard(1, BreakerClosed("p/m", 9.0))
    assert events == [opened(), BreakerClosed("p/m", 9.0)]
    told.heard(2, opened())
    assert events[2:] == [opened()]


def test_routes_are_told_apart(chorus: Told) -> None:
    told, events, _ = chorus
    told.heard(1, opened())
    told.heard(2, opened("q/n"))
    assert events == [opened(), opened("q/n")]


def test_an_outage_goes_on_when_the_worker_that_found_it_dies(chorus: Told) -> None:
    told, events, at = chorus
    told.heard(1, opened())
    told.left(1)
    assert events == [opened()]
    at(3.0)
    told.heard(2, BreakerClosed("p/m", 3.0))
    assert events == [opened(), BreakerClosed("p/m", 3.0)]


def test_what_may_be_in_flight_is_the_sum(chorus: Told) -> None:
    told, events, _ = chorus
    told.heard(1, ConcurrencyChanged("p/m", 4, 8, "probing"))
    told.heard(2, ConcurrencyChanged("p/m", 4, 16, "probing"))
    told.heard(1, ConcurrencyChanged("p/m", 8, 2, "refused"))
    told.left(2)
    told.left(2)
    assert events == [
        ConcurrencyChanged("p/m", 8, 12, "probing"),
        ConcurrencyChanged("p/m", 12, 24, "probing"),
        ConcurrencyChanged("p/m", 24, 18, "refused"),
        ConcurrencyChanged("p/m", 18, 6, "begins anew"),
    ]


def test_what_each_worker_finds_is_told_once_and_everything_else_every_time(chorus: Told) -> None:
    told, events, _ = chorus
    once: list[Event] = [Noted("a price is missing"), RouteStopped("p/m", "the key is refused")]
    for number in (1, 2):
        for event in (*once, LimitWaited("p/m", 0.5)):
            told.heard(number, event)
    assert events == [*once, LimitWaited("p/m", 0.5), LimitWaited("p/m", 0.5)]


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["open", "close", "left"]))))
def test_openings_and_closings_take_turns(steps: list[tuple[int, str]]) -> None:
    events: list[Event] = []
    told = Chorus(events.append, lambda: 0.0, {1: 2, 2: 2, 3: 2})
    for number, step in steps:
        if step == "left":
            told.left(number)
        else:
            told.heard(number, opened() if step == "open" else BreakerClosed("p/m", 1.0))
    kinds = [type(event) for event in events]
    assert kinds == [BreakerOpened, BreakerClosed] * (len(kinds) // 2) + [BreakerOpened] * (
        len(kinds) % 2
    )
