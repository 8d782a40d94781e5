"""The compact map behaves as a dict of 64-bit numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.compact import CompactMap

TOP = 2**64 - 1
KEYS = st.one_of(st.integers(0, 40), st.integers(TOP - 3, TOP), st.integers(0, TOP))
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "setdefault"]), KEYS, st.integers(0, TOP)),
    max_size=400,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_it_answers_as_a_dict_does(steps: list[tuple[str, int, int]]) -> None:
    ours, model = CompactMap(), dict[int, int]()
    for step, key, value in steps:
        if step == "put":
            ours.put(key, value)
            model[key] = value
        elif step == "get":
            assert ours.get(key) == model.get(key)
            assert (key in ours) == (key in model)
        else:
            assert ours.setdefault(key, value) == model.setdefault(key, value)
        assert len(ours) == len(model)
    assert dict(ours.items()) == model
    assert sorted(key for key, _ in ours.items()) == sorted(model)


def test_it_keeps_every_entry_while_it_grows() -> None:
    ours = CompactMap()
    for n in range(20_000):
        ours.put(n * 64, n)
    assert len(ours) == 20_000
    assert all(ours.get(n * 64) == n for n in range(20_000))
    assert ours.get(65) is None


def test_it_costs_at_most_43_bytes_an_entry() -> None:
    ours = CompactMap()
    for n in range(50_000):
        ours.put(n, n)
    assert int(repr(ours).split()[2]) <= 43 * 50_000


@pytest.mark.parametrize("key", [0, 7])
def test_more_than_64_bits_are_refused_and_change_nothing(key: int) -> None:
    ours = CompactMap()
    for bad in (-1, TOP + 1):
        with pytest.raises(OverflowError):
            ours.put(key, bad)
        with pytest.raises(OverflowError):
            ours.setdefault(key, bad)
        with pytest.raises(OverflowError):
            ours.put(bad, 1)
    assert len(ours) == 0
    assert dict(ours.items()) == {}
