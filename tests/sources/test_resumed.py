"""Of rows that are done only their number comes out of a source; all others come as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.events import RowsSkipped
from llmbatch.jobs.model import Row, Status
from llmbatch.jobs.sources.files import FileSource
from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.resumed import MOST_PASSED, TOGETHER, Resumed
from llmbatch.jobs.sources.rows import RowDefaults, RowParser

Write = Callable[..., str]
PARSER = RowParser(RowDefaults(model="m"))


class Output:
    """Knows which ids it has, and in which order it was told of rows."""

    def __init__(self, done: Collection[str]) -> None:
        self.done = set(done)
        self.told: list[str] = []

    def take_all(self, rows: Sequence[tuple[str, str]]) -> list[Status | None]:
        self.told += [row_id for row_id, _ in rows]
        return ["ok" if row_id in self.done else None for row_id, _ in rows]


class Read:
    """What came out of a source."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.skipped: Counter[Status] = Counter()


async def read(output: Output, limit: int | None = None, scanned: int | None = None) -> Read:
    clock, found = SystemClock(), Read()
    files = FileSource(expand(["in.jsonl"]), PARSER, clock, limit, scanned)
    async for item in Resumed(files, PARSER, output, clock).requests():
        if isinstance(item, RowsSkipped):
            found.skipped.update(item.statuses)
            assert item.seconds >= 0
        else:
            output.told.append(item.id)  # as the engine tells it
            found.rows.append(item)
    return found


def numbered(write: Write, count: int) -> list[str]:
    write("in.jsonl", *({"id": f"r{n}", "prompt": f"say {n}"} for n in range(count)))
    return [f"r{n}" for n in range(count)]


@pytest.mark.parametrize("every", [1, 2, 3, 100, 10_000])
async def test_each_row_is_given_or_counted(write: Write, every: int) -> None:
    names = numbered(write, 1000)
    output = Output(names) if every == 1 else Output(set(names) - set(names[::every]))
    found = await read(output)
    given = [row.id for row in found.rows]
    assert found.skipped["ok"] + len(given) == len(names)
    assert given == [name for name in names if name in set(given)], "in their order"
    assert set(names) - set(given) <= output.done
    assert [row.line for row in found.rows] == [names.index(name) + 1 for name in given]


async def test_the_output_hears_of_each_row_in_the_order_of_the_input(write: Write) -> None:
    names = numbered(write, 600)
    Path("cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    part = {"type": "image_url", "image_url": {"url": "cat.png"}}
    image = {"messages": [{"role": "user", "content": [part]}]}
    lines = [{"id": name, "prompt": "p"} for name in names]
    for place in (0, 200, 201, 599):
        lines[place] = {"id": names[place], **image}
    write("in.jsonl", *lines)
    output = Output(set(names[:500]) - set(names[::7]))
    found = await read(output)
    assert list(dict.fromkeys(output.told)) == names
    assert {names[0], names[200], names[201], names[599]} <= {row.id for row in found.rows}


async def test_rows_that_can_t_be_sent_are_done_as_well(write: Write) -> None:
    write("in.jsonl", '{"id": "a"}', "oops", '{"id": "b", "prompt": "p"}')
    found = await read(Output(["a", "2"]))
    assert [row.id for row in found.rows] == ["b"]
    assert found.skipped == {"ok": 2}


async def test_new_rows_are_hardly_looked_at_twice(write: Write) -> None:
    names = numbered(write, 100 * TOGETHER)
    output = Output([])
    assert [row.id for row in (await read(output)).rows] == names
    assert len(output.told) - len(names) <= 8 * TOGETHER


async def test_done_rows_behind_many_new_ones_are_counted_again(write: Write) -> None:
    names = numbered(write, 400 * TOGETHER)
    found = await read(Output(names[100 * TOGETHER :]))
    assert len(found.rows) <= (100 + 1 + MOST_PASSED) * TOGETHER
    assert found.skipped["ok"] + len(found.rows) == len(names)


async def test_a_limit_is_one_of_rows_done_or_not(write: Write) -> None:
    names = numbered(write, 300)
    found = await read(Output(names[:150]), limit=200)
    assert found.skipped == {"ok": 150}
    assert [row.id for row in found.rows] == names[150:200]


async def test_a_file_that_has_become_shorter_is_an_error(write: Write) -> None:
    output = Output(numbered(write, 300))
    with pytest.raises(SourceError, match="there were 400 rows, and then 300"):
        await read(output, scanned=400)


async def test_a_file_without_a_row_is_an_error(write: Write) -> None:
    write("in.jsonl")
    with pytest.raises(SourceError, match="no row"):
        await read(Output([]))


def test_it_says_what_it_reads() -> None:
    source = FileSource((), PARSER, SystemClock())
    assert repr(Resumed(source, PARSER, Output([]), SystemClock())) == (
        "Resumed(FileSource([], limit=None))"
    )
