"""What a job was like since its start, in a bounded number of points."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.histogram import Histogram
from llmbatch.jobs.watching.timeline import LATELY, MOST, Point, Timeline


def point(second: int, cost: float | None = None) -> Point:
    return Point(second + 0.5, 3, 10 * second, second, 100 * second, cost)


def filled(seconds: int) -> Timeline:
    timeline = Timeline()
    for second in range(seconds):
        timeline.add(point(second))
    return timeline


@given(st.integers(min_value=1, max_value=20_000))
def test_there_are_never_more_than_300_and_they_are_evenly_spaced(seconds: int) -> None:
    timeline = filled(seconds)
    times = [each.at_s for each in timeline.points]
    assert len(times) <= MOST
    assert times[0] == 0.5
    assert {b - a for a, b in pairwise(times)} <= {timeline.every}
    assert seconds - 0.5 - times[-1] < timeline.every
    if seconds >= MOST:
        assert len(times) >= MOST // 2, "half of them are kept"


def test_the_last_point_is_now() -> None:
    timeline = filled(5)
    now = point(7)
    assert timeline.with_now(now)[-1] == now
    assert len(timeline.points) == 5


def test_rates_are_those_of_the_last_ten_seconds() -> None:
    timeline = Timeline()
    for second in range(100):
        timeline.add(Point(second, 0, 0 if second < 95 else 100, 0, 0, None))
    rates = timeline.rates(Point(100, 0, 100, 0, 0, 0.01))
    assert LATELY <= rates.seconds <= LATELY + 1
    assert rates.rows_per_s == round(100 / rates.seconds, 2)
    assert rates.usd_per_h == round(0.01 / rates.seconds * 3600, 9)


def test_where_nothing_has_happened_there_is_no_rate() -> None:
    rates = Timeline().rates(Point(0, 0, 0, 0, 0, None))
    assert (rates.rows_per_s, rates.usd_per_h, rates.seconds) == (0, None, 0)


@given(st.lists(st.floats(min_value=1e-7, max_value=1e5), max_size=200))
def test_bars_hold_every_value_once(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    bars = histogram.bars(40)
    assert len(bars) <= 40
    assert sum(count for _, _, count in bars) == len(values)
    for (_, end, _), (start, _, _) in pairwise(bars):
        assert end == start
    for value in values:
        assert not bars or bars[0][0] * 0.97 <= max(value, 1e-6) <= bars[-1][1] * 1.03


def test_rows_of_earlier_runs_are_no_pace_of_this_one() -> None:
    timeline = Timeline()
    timeline.add(Point(0, 0, 0, 0, 0, None))
    timeline.add(Point(1, 0, 1_000, 0, 0, None), 1_000)
    assert timeline.rates(Point(2, 0, 1_004, 0, 0, None), 1_000).rows_per_s == 2
