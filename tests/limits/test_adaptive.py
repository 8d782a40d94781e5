"""The controller finds how many requests a server bears, and follows when that changes."""

from __future__ import annotations

import pytest
from crowd import (
    Fixed,
    Lengths,
    Server,
    Slowdown,
    collapse,
    crowd,
    exponential,
    fixed,
    heavy,
    moving,
    no_knee,
    plateau,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import (
    BadRequest,
    ConnectionFailed,
    ErrorInStream,
    Overloaded,
    ProviderError,
    RateLimited,
    StreamBroken,
)
from llmbatch.jobs.limits.adaptive import CALM, Adaptive

SEEDS = range(4)


def best(server: Server) -> float:
    """The throughput of the best fixed concurrency, found by trying them."""
    seconds = 45 * server.latency
    grid = (1, 2, 4, 8, 16, 24, 32, 36, 38, 40, 42, 44, 48, 56, 80, 128, 160, 200, 256)
    runs = (crowd(Fixed(limit), server, seconds=seconds) for limit in grid)
    return max(run.rate(seconds / 3, seconds) for run in runs)


def shares(server: Server, begin: float, end: float, against: float) -> list[float]:
    """What part of ``against`` is reached between the two times, seed by seed."""
    seeds = SEEDS if server.lengths is not fixed else range(1)
    runs = (crowd(Adaptive(ceiling=256), server, seconds=end, seed=seed) for seed in seeds)
    return [run.rate(begin, end) / against for run in runs]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("latency", [0.05, 0.5])
@pytest.mark.parametrize("knee", [collapse(40), plateau(40)])
def test_within_thirty_seconds_it_is_near_the_best_fixed_concurrency(
    knee: Slowdown, latency: float, shared: bool
) -> None:
    server = Server(knee, latency, fixed, shared)
    (share,) = shares(server, 30, 60, best(server))
    assert share >= 0.9


@pytest.mark.parametrize("lengths", [exponential, heavy])
@pytest.mark.parametrize(("latency", "seconds"), [(0.2, 50), (0.5, 90)])
@pytest.mark.parametrize("knee", [collapse(40), plateau(40)])
def test_answers_of_different_lengths_are_no_hindrance(
    knee: Slowdown, latency: float, seconds: float, lengths: Lengths
) -> None:
    found = shares(Server(knee, latency, lengths), 30, seconds, 40 / latency)
    assert min(found) >= (0.75 if lengths is exponential else 0.7)
    assert sum(found) / len(found) >= 0.85


@pytest.mark.parametrize("lengths", [fixed, exponential, heavy])
def test_without_a_knee_it_doubles_up_to_the_ceiling(lengths: Lengths) -> None:
    for seed in SEEDS:
        run = crowd(Adaptive(ceiling=256), Server(no_knee, 10.0, lengths), seconds=900, seed=seed)
        if lengths is fixed:
            assert run.reached(256) <= 10 * 10.0
        assert run.reached(256) <= 20 * 10.0
        assert max(limit for _, limit, _ in run.limits) == 256
        assert run.limit(300, 900) >= 240, "and it stays there"


@pytest.mark.parametrize(
    ("server", "rate", "share"),
    [
        (Server(collapse(4), 0.1), 40, 0.8),
        (Server(collapse(200), 0.5), 400, 0.9),
        (Server(collapse(200), 0.5, exponential), 400, 0.85),
        (Server(plateau(1), 0.1, exponential), 10, 0.85),
        (Server(no_knee, 0.2, exponential, cpu=0.005), 200, 0.95),
    ],
    ids=["4", "200", "200 exponential", "1", "client"],
)
def test_knees_low_and_high_are_found(server: Server, rate: float, share: float) -> None:
    assert min(shares(server, 30, 60, rate)) >= share


def test_a_plateau_is_not_climbed_to_the_ceiling() -> None:
    for seed in SEEDS:
        server = Server(plateau(40), 0.2, exponential)
        run = crowd(Adaptive(ceiling=1000), server, seconds=60, seed=seed)
        assert run.limit(30, 60) <= 160


@pytest.mark.parametrize("lengths", [fixed, exponential])
def test_a_server_that_refuses_above_a_number_is_kept_just_below_it(lengths: Lengths) -> None:
    server = Server(no_knee, 0.2, lengths, most=50)
    for seed in SEEDS:
        run = crowd(Adaptive(ceiling=256), server, seconds=90, seed=seed)
        assert run.rate(30, 90) >= 0.8 * 50 / 0.2
        assert len([at for at in run.refused if at > 30]) <= 0.02 * run.rate(30, 90) * 60


@pytest.mark.parametrize(
    ("before", "after", "rate"),
    [
        (collapse(40), collapse(80), 400),
        (collapse(80), collapse(20), 100),
        (collapse(4), collapse(100), 500),
        (plateau(80), plateau(20), 100),
    ],
)
@pytest.mark.parametrize("lengths", [fixed, exponential])
def test_a_knee_that_moves_is_followed(
    before: Slowdown, after: Slowdown, rate: float, lengths: Lengths
) -> None:
    server = Server(moving(before, after, 20), 0.4, lengths)
    assert min(shares(server, 180, 220, rate / 2)) >= 0.7


@pytest.mark.parametrize("lengths", [fixed, exponential])
@pytest.mark.parametrize(("before", "after"), [(0.1, 1.0), (1.0, 0.1)])
def test_rows_that_become_longer_or_shorter_do_not_push_it_away(
    before: float, after: float, lengths: Lengths
) -> None:
    server = Server(collapse(40), 1.0, lengths, length=lambda now: before if now < 20 else after)
    begin = 20 + 120 * after
    assert min(shares(server, begin, begin + 100 * after, 40 / after)) >= 0.7


def test_rows_that_come_in_waves_do_not_ratchet_it_down() -> None:
    server = Server(no_knee, 0.2, exponential, length=lambda now: 1.0 if now % 20 < 10 else 5.0)
    for seed in SEEDS:
        run = crowd(Adaptive(ceiling=64), server, seconds=200, seed=seed)
        assert run.limit(100, 200) >= 0.7 * 64


def feed(
    controller: Adaptive,
    rounds: int,
    *,
    began: float = 0.0,
    saturated: bool = True,
    paced: bool = False,
) -> float:
    """So many rounds at a server without a knee that takes a second; the time after them."""
    now = began
    for _ in range(rounds):
        now += 1.0
        for _ in range(controller.limit):
            controller.ended(now - 1.0, now, saturated=saturated, paced=paced, error=None)
    return now


def test_it_starts_with_eight_or_the_ceiling() -> None:
    assert Adaptive(ceiling=256).limit == 8
    assert Adaptive(ceiling=3).limit == 3
    assert Adaptive(ceiling=256, start=1).limit == 1


@pytest.mark.parametrize(("saturated", "paced"), [(False, False), (True, True), (False, True)])
def test_nothing_changes_while_something_else_bounds_the_run(saturated: bool, paced: bool) -> None:
    controller = Adaptive(ceiling=256)
    now = feed(controller, 4)
    limit = controller.limit
    assert limit > 8
    now = feed(controller, 100, began=now, saturated=saturated, paced=paced)
    assert controller.limit == limit
    feed(controller, 6, began=now)
    assert controller.limit > limit, "and it goes on afterwards"


def test_what_was_measured_before_a_pause_is_not_compared_with_what_came_after() -> None:
    controller = Adaptive(ceiling=256)
    now = feed(controller, 3)
    trial = controller.limit
    assert trial == 16
    controller.ended(now, now + 1, saturated=True, paced=True, error=None)
    # Answers take ten times as long now: against the old throughput 16 would look bad.
    for _ in range(4):
        now += 10.0
        for _ in range(controller.limit):
            controller.ended(now - 10.0, now, saturated=True, paced=False, error=None)
    assert controller.limit >= trial


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RateLimited("slow down"), "rate limited"),
        (Overloaded("busy"), "overloaded"),
        (ErrorInStream("overloaded"), "overloaded"),
    ],
)
def test_a_refusal_takes_a_part_away_once_for_all_that_was_sent_before(
    error: ProviderError, reason: str
) -> None:
    controller = Adaptive(ceiling=256, start=100)
    assert controller.ended(0.0, 1.0, saturated=True, paced=False, error=error)
    assert (controller.limit, controller.reason) == (70, reason)
    for _ in range(99):
        assert not controller.ended(0.5, 1.5, saturated=True, paced=False, error=error)
    assert controller.ended(1.2, 2.0, saturated=True, paced=False, error=error)
    assert controller.limit == 49


@pytest.mark.parametrize("error", [RateLimited("slow down"), Overloaded("busy")])
def test_a_refusal_while_slots_are_free_says_nothing_of_their_number(error: ProviderError) -> None:
    """As of the lone row that probes a route which is out, or paused."""
    controller = Adaptive(ceiling=256, start=100)
    for at in range(0, 100, 10):
        assert not controller.ended(at, at + 1.0, saturated=False, paced=False, error=error)
    assert controller.limit == 100


def test_a_refusal_in_a_trial_takes_the_trial_back() -> None:
    controller = Adaptive(ceiling=256)
    now = feed(controller, 3)
    assert controller.limit == 16
    error = RateLimited("slow down")
    assert controller.ended(now, now + 0.1, saturated=True, paced=False, error=error)
    assert controller.limit == 8


def test_a_single_overload_among_many_answers_is_an_accident() -> None:
    controller = Adaptive(ceiling=8)
    for _ in range(CALM):
        controller.ended(0.0, 1.0, saturated=True, paced=False, error=None)
    error = Overloaded("internal error", http_status=500)
    assert not controller.ended(0.0, 1.0, saturated=True, paced=False, error=error)
    assert controller.ended(0.0, 1.0, saturated=True, paced=False, error=error)


@pytest.mark.parametrize(
    "error", [ConnectionFailed("reset"), StreamBroken("cut"), BadRequest("no")]
)
def test_other_failures_are_no_reason_for_less(error: ProviderError) -> None:
    controller = Adaptive(ceiling=8)
    for _ in range(100):
        assert not controller.ended(0.0, 1.0, saturated=True, paced=False, error=error)
    assert controller.limit == 8


def test_every_change_has_its_reason() -> None:
    run = crowd(Adaptive(ceiling=256), Server(collapse(40), 0.1, exponential), seconds=60)
    reasons = {reason for _, _, reason in run.limits}
    assert {"probing", "throughput grows", "latency grows, throughput does not"} <= reasons


ERRORS = (None, None, None, None, RateLimited("x"), Overloaded("x"), StreamBroken("x"))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 64),
    st.lists(
        st.tuples(
            st.floats(0, 5), st.floats(0, 5), st.booleans(), st.booleans(), st.sampled_from(ERRORS)
        ),
        max_size=300,
    ),
)
def test_whatever_comes_it_stays_between_one_and_the_ceiling(
    ceiling: int, calls: list[tuple[float, float, bool, bool, ProviderError | None]]
) -> None:
    controller, now = Adaptive(ceiling=ceiling), 0.0
    for passed, took, saturated, paced, error in calls:
        before, now = controller.limit, now + passed
        changed = controller.ended(now - took, now, saturated=saturated, paced=paced, error=error)
        assert 1 <= controller.limit <= ceiling
        assert changed == (controller.limit != before)
        assert not (paced and controller.limit > before)


def test_refusals_that_come_quickly_take_off_one_step_in_the_time_of_an_answer() -> None:
    adaptive = Adaptive(ceiling=256, start=64)
    for n in range(64):
        adaptive.ended(n / 64, 1 + n / 64, saturated=True, paced=False, error=None)
    busy = Overloaded("HTTP 503", http_status=503)
    limits = set()
    for n in range(300):
        at = 2.0 + n / 1000
        adaptive.ended(at, at + 0.001, saturated=True, paced=False, error=busy)
        limits.add(adaptive.limit)
    assert limits == {64, 44}


def test_after_an_outage_it_starts_anew() -> None:
    adaptive = Adaptive(ceiling=256)
    for n in range(20):
        late = 10.0 * n
        adaptive.ended(late, late + 1, saturated=True, paced=False, error=RateLimited("429"))
    assert adaptive.limit == 1
    assert adaptive.restart(300.0)
    assert (adaptive.limit, adaptive.reason) == (8, "back after an outage")
    assert not adaptive.restart(301.0)
