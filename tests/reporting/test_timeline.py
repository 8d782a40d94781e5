"""What happened when, in bins that get wider and an axis from which pauses are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.reporting.axis import POINTS, Axis, axis, iso
from llmbatch.jobs.reporting.timeline import BINS, Timeline

NOON = 1_763_812_800.0
HOUR, DAY = 3600.0, 86400.0

Rows = list[tuple[float, float]]
rows = st.lists(
    st.tuples(st.floats(0, 30 * DAY, width=32), st.floats(0, 2 * HOUR, width=32)), max_size=60
)


def drawn(requests: Rows) -> Axis:
    timeline = Timeline()
    for start, length in requests:
        timeline.request(NOON + start, NOON + start + length)
        timeline.row(NOON + start + length, 10, 0.5, failed=False)
    return axis(timeline)


def in_flight_seconds(found: Axis) -> float:
    return sum(point[1] for point in found.points[1:]) * found.every_s


def test_an_axis_of_nothing_has_no_points() -> None:
    assert axis(Timeline()).points == ()


@given(rows)
def test_no_row_and_no_token_is_lost_however_long_it_takes(requests: Rows) -> None:
    found = drawn(requests)
    if requests:
        *_, done, failed, tokens, cost = found.points[-1]
        assert (done, failed, tokens) == (len(requests), 0, 10 * len(requests))
        assert cost == pytest.approx(0.5 * len(requests))
        assert len(found.points) <= POINTS + 20 + 1


@given(rows)
def test_what_is_in_flight_adds_up_to_what_requests_took(requests: Rows) -> None:
    timeline = Timeline()
    for start, length in requests:
        timeline.request(NOON + start, NOON + start + length)
    seconds = sum(span.in_flight_s for span in timeline.spans())
    assert seconds == pytest.approx(sum(length for _, length in requests), abs=0.01, rel=1e-6)


def test_many_bins_become_half_as_many_wider_ones_and_keep_what_they_counted() -> None:
    timeline = Timeline()
    for second in range(4 * BINS):
        timeline.request(NOON + second, NOON + second + 3)
        timeline.row(NOON + second + 3, 1, None, failed=second % 2 == 0)
    assert timeline.width > 1
    assert sum(span.counts is not None for span in timeline.spans()) <= BINS
    found = axis(timeline)
    assert found.points[-1][2:] == (4 * BINS, 2 * BINS, 4 * BINS, None)
    assert found.points[100][1] == pytest.approx(3, abs=0.1)


def test_a_pause_of_days_between_two_runs_is_cut_out() -> None:
    run = [(second / 10, 2.0) for second in range(600)]
    found = drawn(run + [(3 * DAY + start, length) for start, length in run])
    assert [piece.at for piece in found.pieces] == [iso(NOON), iso(NOON + 3 * DAY)]
    assert found.pieces[1].pause_s == pytest.approx(3 * DAY, rel=0.01)
    assert found.points[-1][0] < 150


def test_a_request_that_takes_a_day_is_no_pause() -> None:
    found = drawn([(0, DAY), (10, 1), (20, 1)])
    assert len(found.pieces) == 1
    assert in_flight_seconds(found) == pytest.approx(DAY, rel=0.05)


def test_a_clock_that_was_set_back_by_years_leaves_the_rest_to_be_seen() -> None:
    found = drawn([(0, 1), (1, 1), (-50 * 365 * DAY, 1), (2, 1)])
    assert len(found.pieces) == 2
    assert found.points[-1][0] < 10
    assert found.points[-1][2] == 4


def test_pauses_of_a_slow_limit_stay_where_they_are() -> None:
    assert len(drawn([(120.0 * minute, 1.0) for minute in range(50)]).pieces) == 1
