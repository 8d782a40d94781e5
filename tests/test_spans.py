"""Where in a file something stands: found again, whatever else there is, in a few bytes."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.spans import ALIKE, GROUP, ROOM, SpanTable

TOP = 2**64 - 1
THINGS = st.lists(st.tuples(st.integers(0, TOP), st.integers(1, 3 * ROOM)), max_size=300)


def leads_to(table: SpanTable, key: int, offset: int) -> bool:
    return any(start <= offset and (end is None or offset < end) for start, end in table.find(key))


@settings(max_examples=60, deadline=None)
@given(THINGS, st.booleans())
def test_everything_is_found_by_its_hash(things: list[tuple[int, int]], known: bool) -> None:
    table, offset = SpanTable(len(things) if known else None), 0
    where: dict[int, int] = {}
    for key, length in things:
        table.put(key, offset)
        where[key] = offset
        offset += length
    assert all(leads_to(table, key, at) for key, at in where.items())


@settings(max_examples=60, deadline=None)
@given(st.lists(THINGS, max_size=5), st.sampled_from([None, 0, 1500]))
def test_many_are_put_as_one_by_one(blocks: list[list[tuple[int, int]]], known: int | None) -> None:
    alone, together, offset = SpanTable(known), SpanTable(known), 0
    for block in blocks:
        keys = [key - 2**63 for key, _ in block]
        offsets = list(accumulate((length for _, length in block), initial=offset))
        offset = offsets.pop()
        together.put_all(keys, offsets)
        for key, at in zip(keys, offsets, strict=True):
            alone.put(key, at)
        for key in keys:
            assert [*together.find(key)] == [*alone.find(key)]
    assert together.size == alone.size


def test_many_find_room_in_further_tables() -> None:
    alone, together = SpanTable(100), SpanTable(100)
    keys, offsets = [hash(f"row {n}") for n in range(20_000)], range(0, 20_000 * 9_000, 9_000)
    together.put_all(keys, offsets)
    for key, at in zip(keys, offsets, strict=True):
        alone.put(key, at)
    assert together.size == alone.size
    assert all([*together.find(key)] == [*alone.find(key)] for key in keys)
    assert all(leads_to(together, key, at) for key, at in zip(keys, offsets, strict=True))


def test_a_thing_costs_six_bytes_where_their_number_is_known_and_grows_where_not() -> None:
    for expected, most in ((100_000, 6), (None, 16), (100, 16)):
        table = SpanTable(expected)
        keys = [hash(f"row {n}") for n in range(100_000)]
        for n, key in enumerate(keys):
            table.put(key, n * 300)
        assert table.size <= most * 100_000
        assert all(leads_to(table, key, n * 300) for n, key in enumerate(keys))
        strangers = sum(bool([*table.find(hash(f"another {n}"))]) for n in range(1000))
        assert strangers < 50, "each of them costs a look into the file"


def test_a_span_is_a_few_lines_or_a_few_pages() -> None:
    for length in (100, 5_000, 10 * ROOM):
        table = SpanTable(1000)
        for n in range(1000):
            table.put(n << 40, n * length)
        ends = [end - start for n in range(900) for start, end in table.find(n << 40) if end]
        assert max(ends) <= GROUP * length
        assert max(ends) < ROOM + 2 * length


def test_one_thing_that_is_put_again_and_again_takes_a_few_slots() -> None:
    table = SpanTable(10)
    for n in range(100_000):
        table.put(77 << 50, n * 100)
    assert len([*table.find(77 << 50)]) <= 8 * ALIKE
    assert leads_to(table, 77 << 50, 99_999 * 100)
    assert table.size < 100_000
