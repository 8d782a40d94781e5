"""The sliding minute behaves as a list of all its entries would, never more generous."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.limits.ledger import GRAIN, Ledger

STEPS = st.lists(
    st.tuples(
        st.floats(0, 100),  # seconds later
        st.integers(0, 1000),  # tokens asked
        st.integers(0, 1000),  # what the oldest known turns out to be
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_it_never_lets_in_what_a_list_of_the_last_minute_would_not(
    steps: list[tuple[float, int, int]],
) -> None:
    ledger, now = Ledger(1000), 0.0
    entries: list[list[float]] = []
    for later, amount, real in steps:
        now += later
        wait = ledger.wait(amount, now)
        total = sum(tokens for time, tokens, _ in entries if now - time <= 61)
        generous = sum(tokens for time, tokens, _ in entries if now - time <= 61 + 2 * GRAIN)
        if not wait:
            assert total + amount <= 1000
            entries.append([now, amount, ledger.book(amount, now)])
        else:
            assert generous + amount > 1000
            assert 0 < wait <= 61 + 2 * GRAIN
            assert ledger.wait(amount, now + wait + 1e-6) == 0
            now += wait + 1e-6
        for entry in entries[-3:-2]:
            ledger.correct(int(entry[2]), real - int(entry[1]))
            entry[1] = real


def test_a_correction_of_what_is_long_past_changes_nothing() -> None:
    ledger = Ledger(100)
    key = ledger.book(100, 0.0)
    assert ledger.wait(100, 90.0) == 0
    ledger.correct(key, -50)
    assert ledger.total == 0
