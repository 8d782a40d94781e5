"""What many processes send together: the state alone, a minute and more of it, and its bytes."""

from __future__ import annotations

import math
from itertools import chain
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.limits.joint import SIZE, Bounds, Damaged, Joint

MINUTE = 60.0


def most(times: list[float], window: float = MINUTE) -> int:
    """The most that any closed sliding window holds."""
    left = found = 0
    for right, time in enumerate(times):
        while time - times[left] > window:
            left += 1
        found = max(found, right - left + 1)
    return found


def sent(bounds: list[Bounds], seconds: float, seed: int, tokens: int = 0) -> list[list[float]]:
    """When each of the clients sends that all have more to send than they may.

    Each comes back when it was told to, or up to 50 ms later; each time the state goes through its
    bytes.
    """
    random = Random(seed)
    due = [random.random() * 0.1 for _ in bounds]
    times: list[list[float]] = [[] for _ in bounds]
    data = b""
    while min(due) < seconds:
        client = due.index(min(due))
        now = due[client]
        joint = Joint.unpack(data)
        wait = joint.wait(tokens, bounds[client], now)
        if not wait:
            joint.book(tokens, now)
            times[client].append(now)
        data = joint.pack()
        due[client] = now + wait + random.random() * 0.05 + 1e-6
    return times


@settings(max_examples=30, deadline=None)
@given(
    rpm=st.integers(1, 400) | st.floats(1, 400), clients=st.integers(1, 4), seed=st.integers(0, 99)
)
def test_in_no_sliding_minute_do_all_clients_send_more_than_one_may(
    rpm: float, clients: int, seed: int
) -> None:
    times = sorted(chain.from_iterable(sent([Bounds.of(rpm, None)] * clients, 150, seed)))
    assert most(times) <= rpm


@pytest.mark.parametrize("clients", [1, 2, 3])
@pytest.mark.parametrize("rpm", [10, 60, 600])
def test_all_of_the_limit_is_used_and_roughly_in_equal_shares(clients: int, rpm: int) -> None:
    shares = sent([Bounds.of(rpm, None)] * clients, 300, 1)
    steady = [time for share in shares for time in share if time >= 60]
    assert 0.95 * rpm <= len(steady) / 4 <= rpm
    if rpm >= 60:
        assert max(map(len, shares)) <= 1.5 * min(map(len, shares))


def test_a_lower_limit_bounds_what_all_send_when_its_owner_sends() -> None:
    """The one with 600 leaves no room within 60 as long as it is busy; then the other goes on."""
    high, low = Bounds.of(600, None), Bounds.of(60, None)
    both = sent([high, low], 200, 3)
    assert len(both[0]) / 200 * 60 >= 0.9 * 600
    for at in both[1]:
        assert sum(at - MINUTE < time <= at for share in both for time in share) <= 60
    joint, now = Joint(), 0.0
    for _ in range(600):
        while wait := joint.wait(0, high, now):
            now += wait + 1e-6
        joint.book(0, now)
    waited = 0.0
    while wait := joint.wait(0, low, now):
        waited += wait
        now += wait + 1e-6
    assert 50 < waited < 62


def test_a_limit_that_becomes_known_finds_the_minute_before() -> None:
    joint, none = Joint(), Bounds.of(None, None)
    for _ in range(100):
        assert joint.wait(0, none, 1.0) == 0
        joint.book(0, 1.0)
    assert 18 < joint.wait(0, Bounds.of(300, None), 1.0) < 22
    assert 58 < joint.wait(0, Bounds.of(90, None), 1.0) < 63


@settings(max_examples=40, deadline=None)
@given(
    amounts=st.lists(st.integers(0, 1000), min_size=20, max_size=60),
    refunds=st.lists(st.integers(0, 1000), min_size=60, max_size=60),
    clients=st.integers(1, 3),
)
def test_no_sliding_minute_holds_more_tokens_than_the_limit(
    amounts: list[int], refunds: list[int], clients: int
) -> None:
    bounds = Bounds.of(None, 1000)
    joint, now, log = Joint(), 0.0, list[tuple[float, int]]()
    for number, amount in enumerate(amounts):
        while wait := joint.wait(amount, bounds, now):
            now += wait + 1e-6 + 0.001 * (number % clients)
        key = joint.book(amount, now)
        real = max(0, amount - refunds[number])
        joint.correct(key, real - amount, 1000)
        log.append((now, real))
    for start, _ in log:
        assert sum(real for time, real in log if start <= time <= start + 60) <= 1000


def test_tokens_that_were_reserved_too_much_are_used_by_the_next() -> None:
    bounds, joint, now, used = Bounds.of(None, 60_000), Joint(), 0.0, 0
    while now < 300:
        while wait := joint.wait(1000, bounds, now):
            now += wait + 1e-6
        joint.correct(joint.book(1000, now), 100 - 1000, 60_000)
        used += 100 if now >= 60 else 0
    assert 0.95 * 60_000 <= used / 4 <= 60_000


def test_a_request_above_the_whole_budget_goes_in_an_empty_minute() -> None:
    bounds, joint = Bounds.of(None, 1000), Joint()
    assert joint.wait(5000, bounds, 5.0) == 0
    joint.book(5000, 5.0)
    assert 59 < joint.wait(1, bounds, 6.0) < 63


def test_a_time_from_before_the_machine_was_started_is_not_believed() -> None:
    bounds, joint = Bounds.of(1, 100), Joint()
    joint.book(100, 1_000_000.0)
    assert Joint.unpack(joint.pack()).wait(100, bounds, 1_000_000.0) > 55
    assert Joint.unpack(joint.pack()).wait(100, bounds, 7.0) == 0


def test_a_clock_that_is_a_little_behind_takes_nothing_away() -> None:
    bounds, joint = Bounds.of(60, None), Joint()
    joint.wait(0, bounds, 100.0)
    joint.book(0, 100.0)
    assert joint.wait(0, bounds, 99.0) > 0.6
    assert joint.within()[0] == 1


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 10**9)), max_size=30))
@settings(max_examples=50, deadline=None)
def test_the_bytes_hold_everything(bookings: list[tuple[float, int]]) -> None:
    joint, now, bounds = Joint(), 0.0, Bounds.of(100, 10**9)
    for later, amount in bookings:
        now += later
        joint.wait(amount, bounds, now)
        joint.book(amount, now)
    data = joint.pack()
    assert len(data) == SIZE <= 4096  # one page: it is written whole or not at all
    again = Joint.unpack(data)
    assert again.pack() == data
    assert again.wait(5, bounds, now) == joint.wait(5, bounds, now)
    assert math.isfinite(joint.wait(5, bounds, now))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: b"#!/bin/sh\necho hello\n", "not a file of llmbatch's limits"),
        (lambda data: data[:5], "not a file of llmbatch's limits"),
        (lambda data: data[:-1], "damaged"),
        (lambda data: data + b"\0", "damaged"),
        (lambda data: data[:200] + b"\xff" + data[201:], "damaged"),
        (lambda data: data[:8] + b"\x09\0\0\0" + data[12:], "another version"),
    ],
)
def test_other_bytes_are_refused_with_what_is_wrong(spoil: object, says: str) -> None:
    assert callable(spoil)
    joint = Joint()
    joint.book(7, 100.0)
    with pytest.raises(Damaged, match=says):
        Joint.unpack(spoil(joint.pack()))
