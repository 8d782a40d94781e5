from __future__ import annotations

import asyncio
import json
import os

from hypothesis import given, settings
from hypothesis import strategies as st
from sampleresults import request, sample

from llmbatch.jobs.records import encode
from llmbatch.jobs.sinks.ordered import OrderedSink
from llmbatch.jobs.sinks.stream import StreamSink


class Pipe:
    """An ordered sink and what has come out of it."""

    def __init__(self, room: int) -> None:
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.sink = OrderedSink(StreamSink(writer, "pipe", encode, owned=True), room)
        self.seen: list[str] = []

    def ids(self) -> list[str]:
        try:
            data = os.read(self.reader, 1 << 20)
        except BlockingIOError:
            data = b""
        self.seen += [json.loads(line)["id"] for line in data.splitlines()]
        return self.seen

    async def close(self) -> list[str]:
        await self.sink.aclose()
        ids = self.ids()
        os.close(self.reader)
        return ids


async def test_results_are_written_as_soon_as_it_is_their_turn() -> None:
    pipe = Pipe(10)
    for row_id in "abc":
        await pipe.sink.expect(request(row_id))
    await pipe.sink.write(sample("b"))
    assert pipe.ids() == []
    await pipe.sink.write(sample("a"))
    assert pipe.ids() == ["a", "b"]
    await pipe.sink.write(sample("c"))
    assert await pipe.close() == ["a", "b", "c"]


async def test_reading_waits_while_the_buffer_is_full_and_the_first_row_frees_it() -> None:
    pipe = Pipe(2)
    await pipe.sink.expect(request("a"))
    await pipe.sink.expect(request("b"))
    third = asyncio.ensure_future(pipe.sink.expect(request("c")))
    await pipe.sink.write(sample("b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not third.done()
    await pipe.sink.write(sample("a"))
    assert await third is None
    await pipe.sink.write(sample("c"))
    assert await pipe.close() == ["a", "b", "c"]


async def test_what_is_finished_is_written_when_the_job_stops_early() -> None:
    pipe = Pipe(10)
    for row_id in "abcd":
        await pipe.sink.expect(request(row_id))
    await pipe.sink.write(sample("d"))
    await pipe.sink.write(sample("b"))
    assert await pipe.close() == ["b", "d"]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.lists(st.integers(0, 5), max_size=30))
def test_any_order_of_ends_comes_out_in_the_order_of_reading(
    room: int, concurrency: int, ends: list[int]
) -> None:
    """An engine in small: rows are read while there is a slot, and end in any order."""

    async def job() -> list[str]:
        pipe = Pipe(room)
        names = [f"q{i}" for i in range(len(ends))]
        flying: list[str] = []
        reading: asyncio.Future[object] | None = None
        rest = list(names)
        for end in ends:
            while rest and len(flying) < concurrency:
                reading = reading or asyncio.ensure_future(pipe.sink.expect(request(rest[0])))
                await asyncio.wait([reading], timeout=0)
                if not reading.done():
                    assert flying  # never waits while nothing could free it
                    break
                reading = None
                flying.append(rest.pop(0))
            await pipe.sink.write(sample(flying.pop(end % len(flying))))
            for _ in range(3):
                await asyncio.sleep(0)
        return await pipe.close()

    assert asyncio.run(job()) == [f"q{i}" for i in range(len(ends))]
