"""The table of rows that are done: it answers as a dict does, in a few bytes a row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.sinks.done import DoneTable, TableFull

KEYS = st.one_of(st.integers(0, 40), st.integers(-(2**42), 2**42 - 1))
PUTS = st.lists(
    st.lists(st.tuples(KEYS, st.integers(0, 7), st.booleans()), max_size=60), max_size=8
)


@settings(max_examples=80, deadline=None)
@given(PUTS, KEYS, st.booleans())
def test_it_answers_as_a_dict_does(
    blocks: list[list[tuple[int, int, bool]]], other: int, numbered: bool
) -> None:
    # Hashes are told apart by their upper 43 bits alone.
    ours = DoneTable(sum(map(len, blocks)), numbered=numbered)
    model = dict[int, tuple[int, int]]()
    marked: set[int] = set()
    number = 0
    for puts in blocks:
        keys, numbers = [low << 21 for low, _, _ in puts], range(number, number + len(puts))
        there = []
        for which, (key, (_, code, _)) in enumerate(zip(keys, puts, strict=True)):
            if key in model:
                there.append(which)
            model[key] = code, number + which
        assert ours.put_all(keys, [code for _, code, _ in puts], numbers) == there
        number += len(puts)
        marked.difference_update(keys)
        wanted = [key for key, (_, _, mark) in zip(keys, puts, strict=True) if mark]
        for key in wanted[::2]:
            ours.mark(ours.find(key))
        assert ours.mark_all(wanted) == [ours.find(key) for key in wanted]
        marked.update(wanted)
        assert ours.marked == len(marked)
    assert len(ours) == len(model)
    for key, (code, number) in model.items():
        slot = ours.find(key)
        assert ours.code(slot) == code
        assert ours.is_marked(slot) == (key in marked)
        assert not numbered or ours.number(slot) == number
    stranger = other << 21
    assert (ours.find(stranger) < 0) == (stranger not in model)
    assert ours.mark_all([stranger]) == [ours.find(stranger)]


def test_what_is_full_says_so() -> None:
    table = DoneTable(100)
    table.put_all(range(1 << 40, 100 + (1 << 40)), [0] * 100, range(100))
    with pytest.raises(TableFull):
        table.put_all(range(1 << 41, 100 + (1 << 41)), [0] * 100, range(100))
    assert table.find(1 << 42) < 0
