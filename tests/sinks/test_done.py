"""The table of rows that are done: it answers as a dict does, in a few bytes a row."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.sinks.done import DoneTable

KEYS = st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1))
PUTS = st.lists(st.tuples(KEYS, st.integers(0, 7), st.booleans()), max_size=300)


@settings(max_examples=80, deadline=None)
@given(PUTS, KEYS, st.booleans())
def test_it_answers_as_a_dict_does(
    puts: list[tuple[int, int, bool]], other: int, numbered: bool
) -> None:
    # Hashes are told apart by their upper 43 bits alone.
    ours, model = DoneTable(len(puts), numbered=numbered), dict[int, tuple[int, int]]()
    marked: set[int] = set()
    for number, (low, code, mark) in enumerate(puts):
        key = low << 21 & 2**64 - 1
        assert ours.put(key, code, number) == (key not in model)
        model[key] = code, number
        marked.discard(key)
        if mark:
            assert ours.mark(ours.find(key))
            assert not ours.mark(ours.find(key))
            marked.add(key)
    assert len(ours) == len(model)
    for key, (code, number) in model.items():
        slot = ours.find(key)
        assert ours.code(slot) == code
        assert ours.marked(slot) == (key in marked)
        assert not numbered or ours.number(slot) == number
    stranger = other << 21 & 2**64 - 1
    assert (ours.find(stranger) < 0) == (stranger not in model)
