"""What bounded a run: one test for each verdict, and for what comes before what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.bound import Bound, Evidence, bound

FIXED: dict[str, Any] = {
    "wall": 100.0, "cpu": 10.0, "asked": 1000, "in_flight": 15.6, "source": 0.0, "limited": 0.0,
    "paused": 0.0, "outage": 0.0, "auto": False, "width": 16, "highest": 16, "ceiling": 16,
}  # fmt: skip
AUTO: dict[str, Any] = {**FIXED, "auto": True, "width": 38, "highest": 64, "ceiling": 256}


def verdict(run: dict[str, Any], **changed: Any) -> Bound:
    return bound(Evidence(**{**run, **changed}))


def test_a_fixed_concurrency_that_was_in_use_is_the_limit() -> None:
    assert verdict(FIXED) == Bound(
        "limit", "16 requests were in flight on average, and --concurrency is 16"
    )


def test_a_fixed_concurrency_that_was_not_used_up_was_not_the_limit() -> None:
    assert verdict(FIXED, in_flight=2.0) == Bound(
        "provider", "2 requests were in flight on average, with room for 16"
    )


def test_auto_that_stays_below_its_ceiling_was_bound_by_the_provider() -> None:
    assert verdict(AUTO) == Bound(
        "provider", "more than 38 requests in flight did not make it faster"
    )


@pytest.mark.parametrize("width", [256, 240])
def test_auto_at_its_ceiling_was_bound_by_that(width: int) -> None:
    assert verdict(AUTO, asked=5000, width=width, highest=256) == Bound(
        "limit", "all that --max-concurrency 256 allows were in flight"
    )


@pytest.mark.parametrize("run", [FIXED, AUTO])
def test_a_rate_limit_that_held_rows_most_of_the_time_is_the_limit(run: dict[str, Any]) -> None:
    found = verdict(run, limited=93.0)
    assert found == Bound("limit", "93% of the time rows waited for the rate limit")
    found = verdict(run, limited=93.0, paused=50.0)
    assert found.by == "limit"
    assert "pauses that the server asked for" in found.why


def test_a_source_without_rows_is_the_source() -> None:
    assert verdict(AUTO, source=60.0) == Bound(
        "source", "60% of the time there was room for a row and none was ready"
    )


def test_no_route_answering_is_the_provider() -> None:
    assert verdict(AUTO, outage=60.0) == Bound("provider", "no route answered 60% of the time")


def test_of_several_reasons_for_room_the_longest_counts() -> None:
    assert verdict(FIXED, source=30.0, limited=40.0).by == "limit"
    assert verdict(FIXED, source=40.0, limited=30.0).by == "source"
    assert verdict(FIXED, source=20.0, limited=20.0).why.startswith("16 requests were in flight")


def test_a_process_that_used_its_core_up_is_the_client_whatever_else() -> None:
    found = verdict(FIXED, cpu=85.0, source=90.0)
    assert found == Bound("client", "this process used 85% of a processor core")
    assert verdict(FIXED, cpu=84.0).by == "limit"
    assert verdict(FIXED, cpu=None).by == "limit"


def test_a_run_of_a_moment_says_nothing() -> None:
    assert verdict(FIXED, wall=1.9, cpu=1.9) == Bound(None, "less than 2 s are too short to say")
    assert verdict(FIXED, wall=0.0).by is None
    assert verdict(FIXED, asked=0, source=99.0, cpu=99.0) == Bound(None, "nothing was sent")


def test_few_rows_say_nothing_of_the_concurrency_but_of_what_made_them_wait() -> None:
    assert verdict(FIXED, asked=31) == Bound(None, "31 rows are too few to say")
    assert verdict(FIXED, asked=32).by == "limit"
    assert verdict(AUTO, asked=255).by is None
    assert verdict(AUTO, asked=256).by == "provider"
    assert verdict(FIXED, asked=5, limited=99.0).by == "limit"
    assert verdict(FIXED, asked=5, source=99.0).by == "source"


TIME = st.floats(0, 1000)


@given(st.booleans(), TIME, TIME, TIME, TIME, TIME, st.integers(0, 5000), st.integers(1, 300))
def test_whatever_happened_there_is_a_reason(
    auto: bool, wall: float, cpu: float, source: float, limited: float, outage: float, asked: int,
    width: int,
) -> None:  # fmt: skip
    found = verdict(
        AUTO if auto else FIXED, wall=wall, cpu=cpu, source=source, limited=limited, outage=outage,
        asked=asked, width=width, highest=width,
    )  # fmt: skip
    assert found.why
