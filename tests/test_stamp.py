"""When a row was sent, as its line says it."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.jobs.progress import seconds, stamp

YEAR_2100 = 4_102_444_800.0


@given(st.floats(0.0, YEAR_2100))
@example(1_700_000_000.9999996)  # the microsecond is rounded up into the next second
@example(1_700_000_000.0009999)
def test_a_time_is_written_to_the_millisecond_in_utc(at: float) -> None:
    iso = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    assert stamp(at) == iso.removesuffix("+00:00") + "Z"


@given(st.floats(0.0, 1e6))
def test_seconds_have_six_places_at_most(value: float) -> None:
    assert abs(seconds(value) - value) <= 0.5001e-6
    assert seconds(value) == round(seconds(value), 6)
