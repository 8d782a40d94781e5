"""The last minute by the second: never less than what a list of all times would say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.limits.recent import KEPT, Recent

GAPS = st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 7.0, 65.0]), max_size=200)


@settings(max_examples=150, deadline=None)
@given(gaps=GAPS, later=st.floats(0, 70))
def test_the_last_minute_is_counted_whole(gaps: list[float], later: float) -> None:
    recent, now, times = Recent(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        assert recent.note(now) == len(times) + 1
        times.append(now)
    for number, at in enumerate(times, start=1):
        if now - at < KEPT - 63:
            seen = times[:number]
            exact = sum(at - time <= 61 for time in seen)
            assert exact <= recent.before(number, at) <= sum(at - time <= 63 for time in seen)
    now += later
    exact = sum(now - time <= 61 for time in times)
    assert exact <= recent.within(now) <= sum(now - time <= 63 for time in times)


@settings(max_examples=150, deadline=None)
@given(gaps=GAPS, rate=st.floats(0.05, 20), later=st.floats(0, 70))
def test_a_bucket_that_is_made_later_is_as_full_as_if_it_had_been_there(
    gaps: list[float], rate: float, later: float
) -> None:
    recent, now, level, last = Recent(), 0.0, 0.0, 0.0
    for gap in gaps:
        now += gap
        recent.note(now)
        level, last = max(0.0, level - rate * (now - last)) + 1, now
    now += later
    exact = min(max(0.0, level - rate * (now - last)), rate * 61)
    forgotten = any(gap > 60 for gap in gaps) or sum(gaps) + later > 60
    found = recent.level(rate, now)
    assert found <= rate * 61 + 1e-9
    if not forgotten:  # what is older than a minute is forgiven
        assert exact - 1e-6 <= found <= exact + rate * 1.0 + 1e-6


def test_what_a_minute_of_silence_forgives() -> None:
    recent = Recent()
    recent.note(0.0, 1000)
    assert recent.level(5.0, 10.0) == 5.0 * 61
    assert recent.level(5.0, 70.0) == 0
    assert recent.within(70.0) == 0
