"""The source hands out every row once, lazily, and never stops the loop."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.model import Rejected, Request, Row
from llmbatch.jobs.sources.files import FileSource
from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser

Write = Callable[..., str]


class Ticks(SystemClock):
    """A clock that goes on by one each time it is asked."""

    time = 0.0

    def now(self) -> float:  # type: ignore[override]  # the real one is a static method
        self.time += 1
        return self.time


def source(*patterns: str, limit: int | None = None, scanned: int | None = None) -> FileSource:
    inputs = expand(patterns)
    parser = RowParser(RowDefaults(model="m"), several=len(inputs) > 1)
    return FileSource(inputs, parser, Ticks(), limit, scanned)


async def rows_of(*patterns: str, limit: int | None = None) -> list[Row]:
    async with aclosing(source(*patterns, limit=limit).requests()) as rows:
        return [row async for row in rows]


def ids(rows: Sequence[Row]) -> list[str]:
    return [row.id for row in rows]


async def test_every_row_of_every_input_in_order(write: Write) -> None:
    write("a.jsonl", {"id": "x", "prompt": "1"}, "", '"2"', "oops")
    Path("b.txt.gz").write_bytes(gzip.compress(b"3\r\n\r\n4"))
    rows = await rows_of("a.jsonl", "b.txt.gz")
    assert ids(rows) == ["x", "a.jsonl:3", "a.jsonl:4", "b.txt.gz:1", "b.txt.gz:3"]
    assert [row.line for row in rows] == [1, 3, 4, 1, 3]
    assert [type(row) for row in rows] == [Request, Request, Rejected, Request, Request]
    assert [row.messages[0]["content"] for row in rows if isinstance(row, Request)] == list("1234")


async def test_each_row_carries_the_time_at_which_it_was_taken(write: Write) -> None:
    write("a.jsonl", '"1"', "oops", '"3"')
    assert [row.read_at for row in await rows_of("a.jsonl")] == [1.0, 2.0, 3.0]


async def test_the_limit_counts_rows_of_all_inputs(write: Write) -> None:
    write("a.txt", "1", "2")
    write("b.txt", "3", "4")
    for limit, count in ((1, 1), (2, 2), (3, 3), (9, 4)):
        assert len(await rows_of("a.txt", "b.txt", limit=limit)) == count


async def test_thousands_of_rows_over_many_blocks(write: Write) -> None:
    write("a.jsonl", *(f'{{"id": "r{n}", "prompt": "{"x" * 200}"}}' for n in range(8_000)))
    assert ids(await rows_of("a.jsonl")) == [f"r{n}" for n in range(8_000)]


async def test_a_row_of_50_megabytes_is_a_row(write: Write) -> None:
    write("a.jsonl", '"before"', {"prompt": "x" * 50_000_000}, '"after"')
    rows = await rows_of("a.jsonl")
    assert ids(rows) == ["1", "2", "3"]
    assert isinstance(rows[1], Request)
    assert len(rows[1].messages[0]["content"]) == 50_000_000


async def test_data_that_ends_too_early_gives_its_rows_and_then_the_error(write: Write) -> None:
    packed = gzip.compress(b'"1"\n"2"\n') + gzip.compress(os.urandom(9_000).hex().encode())
    Path("a.jsonl.gz").write_bytes(packed[:-3_000])
    rows: list[Row] = []

    async def collect() -> None:
        async for row in source("a.jsonl.gz").requests():
            rows.append(row)

    with pytest.raises(SourceError) as caught:
        await collect()
    assert ids(rows) == ["1", "2"]
    assert (caught.value.path, caught.value.line) == ("a.jsonl.gz", 3)


async def test_a_pipe_without_a_row_is_an_error(write: Write) -> None:
    os.mkfifo("pipe")
    task = asyncio.ensure_future(rows_of("pipe"))
    await asyncio.to_thread(Path("pipe").write_bytes, b"\n \n")
    with pytest.raises(SourceError, match=r"^pipe: there is no row in it"):
        await task


async def first_rows(rows: AsyncGenerator[Row, None], count: int) -> list[Row]:
    return [await anext(rows) for _ in range(count)]


async def test_a_slow_pipe_gives_a_row_as_soon_as_it_is_written(write: Write) -> None:
    os.mkfifo("pipe")
    async with aclosing(source("pipe").requests()) as rows:
        waiting = asyncio.ensure_future(anext(rows))
        writer = await asyncio.to_thread(open, "pipe", "wb", 0)
        with writer:
            writer.write(b'"1"\n')
            assert (await waiting).id == "1"
            turns = 0
            waiting = asyncio.ensure_future(anext(rows))
            while turns < 100:  # nothing to read, and the loop goes on
                await asyncio.sleep(0)
                turns += 1
            assert not waiting.done()
            writer.write(b'"2"\n"3')
            assert (await waiting).id == "2"


async def test_closing_while_the_pipe_is_open_returns_at_once(write: Write) -> None:
    os.mkfifo("pipe")
    rows = source("pipe").requests()
    waiting = asyncio.ensure_future(anext(rows))
    writer = await asyncio.to_thread(open, "pipe", "wb", 0)
    with writer:
        writer.write(b'"1"\n')
        await waiting
        await rows.aclose()


async def test_on_a_pipe_a_second_id_becomes_an_invalid_row(write: Write) -> None:
    os.mkfifo("pipe")
    task = asyncio.ensure_future(rows_of("pipe"))
    lines = (
        b'{"id": "a", "prompt": "1"}',
        b'{"id": "a", "prompt": "2", "topic": "t"}',
        b'{"id": "a", "prompt": ""}',
        b'{"id": "a#2", "prompt": "4"}',
        b'{"id": "5", "prompt": "5"}',
        b'"six"',
        b'{"id": 6, "prompt": "7"}',
    )
    await asyncio.to_thread(Path("pipe").write_bytes, b"\n".join(lines))
    rows = await task
    assert ids(rows) == ["a", "a#2", "a#3", "a#2#4", "5", "6", "6#7"]
    second = rows[1]
    assert isinstance(second, Rejected)
    assert second.reason == 'the id "a" is already used at pipe:1'
    assert (second.error_type, second.line, second.metadata) == ("duplicate_id", 2, {"topic": "t"})
    assert [getattr(row, "error_type", None) for row in rows] == [
        None,
        "duplicate_id",
        "duplicate_id",
        "duplicate_id",
        None,
        None,
        "duplicate_id",
    ]


async def test_a_file_beside_a_pipe_is_watched_too(write: Write) -> None:
    os.mkfifo("pipe")
    write("a.jsonl", {"id": "x", "prompt": "2"})
    task = asyncio.ensure_future(rows_of("pipe", "a.jsonl"))
    await asyncio.to_thread(Path("pipe").write_bytes, b'{"id": "x", "prompt": "1"}\n')
    rows = await task
    assert ids(rows) == ["x", "x#1"]
    assert isinstance(rows[1], Rejected)
    assert rows[1].reason == 'the id "x" is already used at pipe:1'


SCRIPT = """
import asyncio, sys
from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.sources.files import FileSource
from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser

async def main():
    source = FileSource(expand(["-"]), RowParser(RowDefaults(model="m")), SystemClock())
    rows = source.requests()
    async for row in rows:
        print(row.id, row.path, flush=True)
        if row.id == "stop":
            break
    await rows.aclose()

asyncio.run(main())
"""


def test_standard_input_is_read_to_its_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=b'"a"\n{"id": "b", "prompt": "x"}',
        capture_output=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"1 -\nb -\n", b"", 0)


def test_a_process_ends_although_its_standard_input_stays_open() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdin, process.stdout, process.stderr:
        process.stdin.write(b'{"id": "stop", "prompt": "x"}\n')
        process.stdin.flush()
        assert process.wait(60) == 0
        assert process.stdout.read() == b"stop -\n"
        assert process.stderr.read() == b""


def test_it_says_what_it_is(write: Write) -> None:
    write("a.txt", "x")
    assert repr(source("a.txt", "-", limit=4)) == "FileSource(['a.txt', '-'], limit=4)"


async def test_rows_that_came_after_the_scan_are_left_for_the_next_run(write: Write) -> None:
    write("a.jsonl", '"1"', '"2"', '"3"')
    async with aclosing(source("a.jsonl", scanned=2).requests()) as rows:
        assert ids([row async for row in rows]) == ["1", "2"]


async def test_a_file_that_is_shorter_than_it_was_is_an_error_after_its_rows(write: Write) -> None:
    write("a.jsonl", '"1"', '"2"')
    async with aclosing(source("a.jsonl", scanned=3).requests()) as rows:
        assert ids([await anext(rows), await anext(rows)]) == ["1", "2"]
        with pytest.raises(SourceError, match=r"a\.jsonl: it changed .* 3 rows, and then 2"):
            await anext(rows)
