"""The breaker: opens on failing rows, not on a row; probes; closes on success."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from llmbatch.jobs.breaker import DOWN, FAILING, LONGEST_COOLDOWN, WINDOW, Breaker, counts
from llmbatch.jobs.errors import (
    AuthFailed,
    BadRequest,
    ConnectionFailed,
    ErrorInStream,
    MalformedResponse,
    OutOfConnections,
    Overloaded,
    ProviderError,
    RateLimited,
    Stalled,
    StreamBroken,
    TimedOut,
)
from llmbatch.jobs.events import BreakerClosed, BreakerOpened, Event

GONE = ConnectionFailed("nobody listens")
BUSY = Overloaded("HTTP 503", http_status=503)
BUG = Overloaded("HTTP 500", http_status=500)


@dataclass
class Case:
    """A breaker with a clock that is set by hand."""

    now: float = 100.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = Breaker("x/m", lambda: self.now, self.events.append)

    def fail(self, count: int, error: ProviderError = GONE, first: int = 0) -> None:
        for row in range(first, first + count):
            self.breaker.failed(f"r{row}", error, probe=False)

    def succeed(self, count: int) -> None:
        for _ in range(count):
            self.breaker.succeeded(probe=False)

    def probe(self, error: ProviderError | None) -> None:
        assert self.breaker.admits_probe()
        self.breaker.probing = True
        if error is None:
            self.breaker.succeeded(probe=True)
        else:
            self.breaker.failed("probe", error, probe=True)


@pytest.mark.parametrize("error", [GONE, BUSY])
def test_it_opens_when_several_rows_in_a_row_find_nobody_there(error: ProviderError) -> None:
    case = Case()
    case.succeed(500)
    case.fail(DOWN - 1, error)
    assert case.breaker.closed
    case.fail(WINDOW, error, first=DOWN)
    assert not case.breaker.closed
    assert case.events == [BreakerOpened("x/m", str(error), 1.0)]


def test_at_the_start_few_are_enough() -> None:
    case = Case()
    case.fail(DOWN)
    assert not case.breaker.closed


def test_one_row_that_fails_again_and_again_opens_nothing() -> None:
    case = Case()
    for _ in range(100):
        case.breaker.failed("poison", BUG, probe=False)
        case.breaker.failed("other", GONE, probe=False)
    assert case.breaker.closed


def test_prompts_that_a_server_chokes_on_need_more_rows_than_a_server_that_is_gone() -> None:
    case = Case()
    case.fail(FAILING - 1, BUG)
    assert case.breaker.closed
    case.fail(1, BUG, first=FAILING)
    assert not case.breaker.closed


def test_a_share_of_failures_below_half_opens_nothing() -> None:
    case = Case()
    for n in range(200):
        case.succeed(2)
        case.fail(1, BUSY, first=n)
    assert case.breaker.closed


def test_a_failure_long_past_is_forgotten() -> None:
    case = Case()
    case.fail(DOWN - 1)
    case.succeed(WINDOW)
    case.fail(1, BUSY, first=50)
    assert case.breaker.closed


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (GONE, True),
        (BUSY, True),
        (TimedOut("slow"), True),
        (ErrorInStream("no"), True),
        (MalformedResponse("html"), True),
        (StreamBroken("cut"), False),
        (Stalled("silent"), False),
        (RateLimited("429"), False),
        (BadRequest("400"), False),
        (AuthFailed("401"), False),
    ],
    ids=lambda value: getattr(value, "type", str(value)),
)
def test_what_counts_is_about_the_server_and_not_about_the_request(
    error: ProviderError, counted: bool
) -> None:
    assert counts(error) is counted


def test_open_it_lets_nobody_pass_until_it_has_cooled_down_and_then_one() -> None:
    case = Case()
    case.fail(DOWN)
    case.now += 0.99
    assert not case.breaker.admits_probe()
    case.now += 0.02
    assert case.breaker.admits_probe()
    case.breaker.probing = True
    assert not case.breaker.admits_probe()


def test_a_probe_that_fails_makes_the_next_one_wait_longer_up_to_a_limit() -> None:
    case = Case()
    case.fail(DOWN)
    waits = []
    for _ in range(12):
        waits.append(case.breaker.ready_at - case.now)
        case.now = case.breaker.ready_at
        case.probe(GONE)
    assert waits == sorted(waits)
    assert waits[:3] == [1.0, 1.5, 2.25]
    assert waits[-1] == LONGEST_COOLDOWN
    assert [type(event) for event in case.events] == [BreakerOpened]


def test_in_an_outage_of_twenty_seconds_only_a_handful_of_probes_is_sent() -> None:
    case = Case()
    case.fail(DOWN)
    end, probes = case.now + 20, 0
    while case.breaker.ready_at < end:
        case.now = case.breaker.ready_at
        case.probe(GONE)
        probes += 1
    assert probes <= 6
    assert case.breaker.ready_at - end <= LONGEST_COOLDOWN


def test_a_probe_that_succeeds_closes_it_with_a_clean_record() -> None:
    case = Case()
    case.fail(DOWN)
    case.now += 5
    case.probe(None)
    assert case.breaker.closed
    assert case.events[1:] == [BreakerClosed("x/m", 5.0)]
    case.fail(DOWN - 1, first=100)
    assert case.breaker.closed
    case.fail(1, first=200)
    assert case.breaker.ready_at - case.now == 1.0


def test_answers_to_requests_that_were_sent_before_it_opened_change_nothing() -> None:
    case = Case()
    case.fail(DOWN)
    ready = case.breaker.ready_at
    case.succeed(5)
    case.fail(5, first=100)
    assert not case.breaker.closed
    assert case.breaker.ready_at == ready
    assert len(case.events) == 1


def test_a_server_that_says_when_it_is_back_is_left_alone_until_then() -> None:
    case = Case()
    later = RateLimited("come back in an hour", retry_after=3600)
    for row in range(DOWN):
        assert case.breaker.closed
        case.breaker.failed(f"r{row}", later, probe=False, away=3600.0)
    assert case.breaker.ready_at == case.now + 3600
    case.now = case.breaker.ready_at
    case.probe(GONE)
    assert case.breaker.ready_at - case.now == 1.5


def test_what_this_machine_lacks_is_no_outage_of_the_server() -> None:
    assert not counts(OutOfConnections("no port left"))


def test_what_another_process_finds_holds_here_and_is_told_by_nobody_again() -> None:
    case = Case()
    case.breaker.told_out("HTTP 503", 4.0)
    case.breaker.told_out("another reason", 60.0)
    assert not case.breaker.closed
    assert not case.breaker.admits_probe()
    case.now += 4.0
    assert case.breaker.admits_probe()
    case.breaker.told_back()
    case.breaker.told_back()
    assert case.breaker.closed
    assert case.events == []


def test_a_probe_that_is_answered_after_all_tells_the_end_of_what_another_found() -> None:
    case = Case()
    case.breaker.told_out("HTTP 503", 4.0)
    case.now += 5.0
    case.probe(None)
    assert case.events == [BreakerClosed("x/m", 5.0)]
