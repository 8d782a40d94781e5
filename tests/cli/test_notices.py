"""What is worth a line while a job runs, and what is not."""

from __future__ import annotations

import pytest

from llmbatch.cli.notices import Notices
from llmbatch.jobs.errors import RateLimited
from llmbatch.jobs.events import (
    AttemptFailed,
    BreakerClosed,
    BreakerOpened,
    ConcurrencyChanged,
    Event,
    JobStarted,
    LimitLearned,
    LimitWaited,
    ParamsDropped,
    RoutePaused,
    RouteStopped,
    SourceWaited,
)
from llmbatch.jobs.model import Request

REQUEST = Request(id="1", line=1, path="x.jsonl", endpoint="chat", model="m", fingerprint="f")


class Night:
    """Notices with a clock that is moved by hand; ``said`` is all that was said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        self.notices = Notices(lambda: self.now)

    def hear(self, *events: Event) -> list[str]:
        """What is said of these."""
        said = [text for event in events if (text := self.notices(event)) is not None]
        self.said += said
        return said


def test_an_outage_is_said_when_it_begins_and_when_it_ends() -> None:
    night = Night()
    assert night.hear(BreakerOpened("p/m", "HTTP 503", 1.0)) == [
        "p/m does not answer (HTTP 503): left alone, asked again in 1s"
    ]
    assert night.hear(BreakerClosed("p/m", 245.0)) == ["p/m answers again, after 4m05s"]


def test_a_route_that_comes_and_goes_gets_a_line_every_thirty_seconds() -> None:
    night = Night()
    for _ in range(65):
        night.hear(BreakerOpened("p/m", "HTTP 503", 1.0))
        night.now += 1
        night.hear(BreakerClosed("p/m", 1.0))
    assert len(night.said) == 6, "each outage that is said has its end said, and no other"
    assert night.hear(BreakerOpened("q/n", "HTTP 503", 1.0)), "another route has its own lines"


def test_long_pauses_are_said_and_not_each_of_a_hundred() -> None:
    night = Night()
    assert night.hear(RoutePaused("p/m", 5.0)) == []
    assert night.hear(RoutePaused("p/m", 12.0)) == ["p/m asks for a pause of 12s"]
    night.now += 29
    assert night.hear(RoutePaused("p/m", 12.0)) == []
    assert night.hear(RoutePaused("q/n", 12.0)) == ["q/n asks for a pause of 12s"]
    assert night.hear(BreakerOpened("p/m", "HTTP 503", 1.0)), "nor does it hide another kind"
    night.now += 1
    assert night.hear(RoutePaused("p/m", 12.0)) == ["p/m asks for a pause of 12s"]


@pytest.mark.parametrize(
    ("rpm", "tpm", "text"),
    [
        (300.0, None, "p/m allows 300 requests a minute"),
        (None, 40_000.0, "p/m allows 40,000 tokens a minute"),
        (300.0, 40_000.0, "p/m allows 300 requests and 40,000 tokens a minute"),
    ],
)
def test_a_limit_that_is_learned_is_said_once(
    rpm: float | None, tpm: float | None, text: str
) -> None:
    night = Night()
    assert night.hear(LimitLearned("p/m", rpm, tpm)) == [text]
    night.now += 1000
    assert night.hear(LimitLearned("p/m", 500.0, tpm)) == []
    assert len(night.hear(LimitLearned("q/n", rpm, tpm))) == 1


def test_a_route_that_stops_is_always_said() -> None:
    assert Night().hear(RouteStopped("p/m", "the key is refused")) == [
        "p/m is out of this job: the key is refused"
    ]


def test_what_is_for_observers_alone_is_not_said() -> None:
    assert not Night().hear(
        ConcurrencyChanged("p/m", 8, 16, "probing"),
        LimitWaited("p/m", 30.0),
        SourceWaited(30.0),
        ParamsDropped("p/m", ["seed"]),
        AttemptFailed(REQUEST, 1, RateLimited("slow down"), 30.0),
        JobStarted(1, "out.jsonl", "p/m", 256, None, None),
    )
