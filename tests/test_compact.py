"""The compact map behaves as a dict of 64-bit numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.compact import CompactMap, CompactSet, OffsetTable

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


@settings(max_examples=60, deadline=None)
@given(st.lists(KEYS, max_size=400))
def test_the_set_tells_new_from_known(keys: list[int]) -> None:
    ours, model = CompactSet(), set[int]()
    for key in keys:
        assert ours.add(key) == (key not in model)
        model.add(key)
        assert len(ours) == len(model)


def test_the_set_keeps_every_number_while_it_grows() -> None:
    ours = CompactSet()
    assert all(ours.add(n * 64) for n in range(20_000))
    assert not any(ours.add(n * 64) for n in range(20_000))
    assert len(ours) == 20_000
    assert int(repr(ours).split()[2]) <= 22 * 20_000
    with pytest.raises(OverflowError):
        ours.add(TOP + 1)


KEY = st.integers(0, TOP)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(KEY, st.integers(0, 2**40 - 2)), max_size=300), st.booleans())
def test_offsets_are_found_by_their_hash(entries: list[tuple[int, int]], known: bool) -> None:
    ours, model = OffsetTable(len(entries) if known else None), dict[int, int]()
    for key, offset in entries:
        ours.put(key, offset)
        model[key] = offset
    alike: dict[int, list[int]] = {}
    for key, offset in model.items():
        alike.setdefault(key & 0xFFFFFF, []).append(offset)
    for key in model:
        assert ours.find(key) in alike[key & 0xFFFFFF]
        assert len(alike[key & 0xFFFFFF]) > 1 or ours.find(key) == model[key]


def test_offsets_cost_16_bytes_where_their_number_is_known_and_grow_where_not() -> None:
    for expected, most in ((100_000, 16), (None, 24), (100, 24)):
        ours = OffsetTable(expected)
        keys = [hash(f"row {n}") & TOP for n in range(100_000)]
        for n, key in enumerate(keys):
            ours.put(key, n * 300)
        assert ours.size <= most * 100_000
        assert sum(ours.find(key) != n * 300 for n, key in enumerate(keys)) < 10
        assert ours.find(hash("another") & TOP) is None


def test_one_thing_that_is_put_again_and_again_takes_one_slot() -> None:
    ours = OffsetTable(10)
    for offset in range(100_000):
        ours.put(77 << 24 | 1, offset)
    assert ours.find(77 << 24 | 1) == 99_999
    assert ours.size == 8192
    ours.put(1, 2**41)
    assert ours.find(1) is None
