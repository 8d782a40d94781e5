"""Rows that are read before all others, and the others: together every row once."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.sinks.tidy import InputOrder
from llmbatch.jobs.sources import lines
from llmbatch.jobs.sources.files import FileSource, Which
from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser
from virtualtime import VirtualClock


def source(paths: Sequence[Path], total: int, places: Sequence[int], which: Which) -> FileSource:
    parser = RowParser(RowDefaults(model="m"), several=len(paths) > 1)
    inputs = expand([str(path) for path in paths])
    return FileSource(inputs, parser, VirtualClock(), None, total, places, which)


def read(found: FileSource) -> list[str]:
    async def ids() -> list[str]:
        return [row.id async for row in found.requests()]

    return asyncio.run(ids())


def write(folder: Path, *sizes: int) -> list[Path]:
    """Files of so many rows with blank lines between, the last one packed."""
    paths = []
    for number, size in enumerate(sizes):
        text = "".join(f'\n{{"id": "{number}-{row}", "prompt": "x"}}\n' for row in range(size))
        path = folder / f"{number}.jsonl"
        if number == len(sizes) - 1:
            path = folder / f"{number}.jsonl.gz"
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
        paths.append(path)
    return paths


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(st.data())
def test_the_first_and_the_others_are_all_rows_in_their_order(
    tmp_path: Path, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 15), min_size=1, max_size=3))
    paths = write(tmp_path, *sizes)
    names = [f"{number}-{row}" for number, size in enumerate(sizes) for row in range(size)]
    total = len(names)
    places = sorted(data.draw(st.sets(st.integers(0, total - 1), min_size=1, max_size=total)))
    block = data.draw(st.sampled_from([16, 64, 1 << 18]))
    with patch.object(
        lines.LineReader.__init__, "__kwdefaults__", {"block": block, "longest": 1 << 30}
    ):
        assert read(source(paths, total, places, "alone")) == [names[place] for place in places]
        if len(places) < total:
            others = [name for place, name in enumerate(names) if place not in places]
            assert read(source(paths, total, places, "others")) == others


@pytest.mark.parametrize("which", ["alone", "others"])
def test_a_file_that_has_become_shorter_is_an_error(tmp_path: Path, which: Which) -> None:
    paths = write(tmp_path, 5, 5)
    with pytest.raises(SourceError, match="there were 20 rows, and then 10"):
        read(source(paths, 20, [0, 15], which))


@pytest.mark.parametrize(("which", "count"), [("alone", 2), ("others", 6)])
def test_rows_that_were_appended_are_left_for_the_next_run(
    tmp_path: Path, which: Which, count: int
) -> None:
    paths = write(tmp_path, 5, 5)
    assert len(read(source(paths, 8, [0, 6], which))) == count


@given(st.integers(1, 40), st.data())
def test_a_file_is_in_the_inputs_order_whatever_was_read_first(
    total: int, data: st.DataObject
) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, total - 1))))
    order = InputOrder(places)
    told = [*places, *(place for place in range(total) if place not in places)]
    for place in told:
        order.expect(f"r{place}")
    ended = data.draw(st.permutations(told))
    without = data.draw(st.sets(st.sampled_from(told)))  # rows that never ended
    for place in ended:
        if place not in without:
            order.place(f"r{place}", place)
    assert list(order) == [place for place in range(total) if place not in without]
