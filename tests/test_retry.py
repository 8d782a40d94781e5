"""What follows a failed attempt."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs import errors
from llmbatch.jobs.errors import (
    AuthFailed,
    BadRequest,
    MalformedResponse,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TransientError,
)
from llmbatch.jobs.retry import Decision, GiveUp, Retry, RetryPolicy, Stop, decide

POLICY = RetryPolicy()


def every(kind: type[ProviderError]) -> list[type[ProviderError]]:
    found = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, kind)]
    assert found
    return found


def waits(error: ProviderError, attempt: int = 1, policy: RetryPolicy = POLICY) -> list[float]:
    """The wait after the luckiest and the unluckiest draw."""
    found = []
    for drawn in (0.0, math.nextafter(1, 0)):
        decision = decide(error, attempt, policy, lambda drawn=drawn: drawn)  # type: ignore[misc]  # mypy can't infer a lambda with a default
        assert isinstance(decision, Retry)
        found.append(decision.wait)
    return found


def reason(decision: Decision) -> str:
    assert isinstance(decision, GiveUp | Stop)
    return decision.reason


@pytest.mark.parametrize("kind", every(TransientError))
def test_what_may_pass_is_tried_again(kind: type[ProviderError]) -> None:
    assert isinstance(decide(kind("no luck"), 1, POLICY, lambda: 0.5), Retry)


@pytest.mark.parametrize("kind", every(errors.PermanentError))
def test_what_will_fail_again_is_given_up_at_once(kind: type[ProviderError]) -> None:
    assert isinstance(decide(kind("no"), 1, POLICY, lambda: 0.5), GiveUp)


@pytest.mark.parametrize("kind", every(errors.FatalError))
def test_what_every_row_would_meet_stops_the_route_and_says_why(kind: type[ProviderError]) -> None:
    assert decide(kind("the key is refused"), 1, POLICY, lambda: 0.5) == Stop("the key is refused")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
@pytest.mark.parametrize("kind", [BadRequest, MalformedResponse, AuthFailed])
def test_these_statuses_are_never_tried_again(kind: type[ProviderError], status: int) -> None:
    error = kind("no", http_status=status)
    if isinstance(error, TransientError):
        error.should_retry, error.retry_after = True, 1.0
    assert not isinstance(decide(error, 1, POLICY, lambda: 0.5), Retry)


def test_quota_used_up_stops_and_a_rate_limit_does_not() -> None:
    assert isinstance(decide(QuotaExhausted("no", http_status=429), 1, POLICY, lambda: 0), Stop)
    assert isinstance(decide(RateLimited("slow", http_status=429), 1, POLICY, lambda: 0), Retry)


def test_attempts_end_with_their_count() -> None:
    error = Overloaded("busy", http_status=503)
    assert isinstance(decide(error, 5, POLICY, lambda: 0.5), Retry)
    assert reason(decide(error, 6, POLICY, lambda: 0.5)) == "given up after 6 attempts"
    none = RetryPolicy(retries=0)
    assert reason(decide(error, 1, none, lambda: 0.5)) == "given up after 1 attempt"


def test_the_wait_doubles_up_to_the_cap_and_is_drawn_from_all_of_it() -> None:
    ceilings = []
    for attempt in range(1, 11):
        low, high = waits(Overloaded("busy"), attempt, RetryPolicy(retries=99))
        assert low == 0
        ceilings.append(high)
    assert ceilings == pytest.approx([0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60])


def test_the_server_is_obeyed_and_rows_do_not_come_back_together() -> None:
    assert waits(RateLimited("slow", retry_after=20), attempt=4) == pytest.approx([20, 22.5])
    assert waits(RateLimited("slow", retry_after=0.001)) == pytest.approx([0.001, 0.501], abs=1e-3)
    assert waits(RateLimited("slow", retry_after=0)) == pytest.approx([0, 0.5])


def test_a_wait_beyond_max_wait_is_a_failure_that_names_both_and_the_flag() -> None:
    said = reason(decide(RateLimited("slow", retry_after=3600), 1, POLICY, lambda: 0.5))
    assert said == "the server asks to wait 3600 s, more than --max-wait 120 allows"
    assert waits(RateLimited("slow", retry_after=120)) == [120, 120]
    said = reason(decide(RateLimited("slow", retry_after=math.inf), 1, POLICY, lambda: 0.5))
    assert "inf" in said


def test_the_servers_word_on_trying_again_counts() -> None:
    refuse, allow = (Overloaded("busy", http_status=500, should_retry=w) for w in (False, True))
    assert isinstance(decide(refuse, 1, POLICY, lambda: 0.5), GiveUp)
    assert isinstance(decide(allow, 1, POLICY, lambda: 0.5), Retry)
    assert isinstance(decide(allow, 6, POLICY, lambda: 0.5), GiveUp)


POLICIES = st.builds(
    RetryPolicy,
    retries=st.integers(0, 2000),
    max_wait=st.floats(0.001, 1e6),
    base=st.floats(0, 1e3),
    cap=st.floats(0, 1e4),
)
ERRORS = st.builds(
    lambda kind, status, after, again: (
        kind("x", http_status=status, retry_after=after, should_retry=again)
        if issubclass(kind, TransientError)
        else kind("x", http_status=status)
    ),
    st.sampled_from(every(ProviderError)),
    st.none() | st.integers(100, 599),
    st.none() | st.floats(),
    st.none() | st.booleans(),
)


@settings(max_examples=500, deadline=None)
@given(ERRORS, st.integers(1, 2000), POLICIES, st.floats(0, 1, exclude_max=True))
def test_every_error_has_an_answer_and_every_wait_is_within_bounds(
    error: ProviderError, attempt: int, policy: RetryPolicy, drawn: float
) -> None:
    decision = decide(error, attempt, policy, lambda: drawn)
    assert isinstance(decision, Retry | GiveUp | Stop)
    assert isinstance(decision, Stop) == isinstance(error, errors.FatalError)
    if isinstance(decision, Retry):
        assert isinstance(error, TransientError)
        assert attempt <= policy.retries
        assert 0 <= decision.wait <= policy.max_wait
        asked = error.retry_after
        if asked is not None and asked > 0:
            assert decision.wait >= asked
        else:
            assert decision.wait <= policy.cap


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 1999), POLICIES, st.floats(0, 1, exclude_max=True))
def test_later_waits_are_never_shorter_for_the_same_draw(
    attempt: int, policy: RetryPolicy, drawn: float
) -> None:
    found = [decide(Overloaded("busy"), n, policy, lambda: drawn) for n in (attempt, attempt + 1)]
    if isinstance(found[0], Retry) and isinstance(found[1], Retry):
        assert found[0].wait <= found[1].wait
