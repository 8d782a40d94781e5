from __future__ import annotations

import asyncio
import json
import os
import pty
import tty
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from sampleresults import request, sample

from llmbatch.jobs.errors import SinkError
from llmbatch.jobs.records import encode, encode_batch
from llmbatch.jobs.sinks.opening import open_output
from llmbatch.jobs.sinks.stream import StreamSink

LONG = "x" * 100_000


async def read_all(fd: int) -> bytes:
    """What comes through a pipe until its other end is closed, read in a thread."""

    def read() -> bytes:
        with os.fdopen(fd, "rb") as file:
            return file.read()

    return await asyncio.to_thread(read)


async def test_lines_go_through_a_pipe_as_they_are() -> None:
    reader, writer = os.pipe()
    sink = StreamSink(writer, "standard output", encode, owned=True)
    assert await sink.expect(request("q1")) is None
    await sink.write(sample("q1", output="\x9b é"))
    assert os.read(reader, 1 << 16) == encode(sample("q1", output="\x9b é"))
    await sink.finish()
    await sink.aclose()
    await sink.aclose()
    assert await read_all(reader) == b""


async def test_a_reader_that_waits_does_not_hold_the_event_loop_and_lines_stay_whole() -> None:
    reader, writer = os.pipe()
    sink = StreamSink(writer, "standard output", encode, owned=True)
    writes = [asyncio.ensure_future(sink.write(sample(f"q{i}", output=LONG))) for i in range(5)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert not any(write.done() for write in writes)
    reading = asyncio.ensure_future(read_all(reader))
    await asyncio.gather(*writes)
    await sink.aclose()
    assert await reading == b"".join(encode(sample(f"q{i}", output=LONG)) for i in range(5))


async def test_a_write_that_is_cancelled_half_way_leaves_no_torn_line() -> None:
    reader, writer = os.pipe()
    sink = StreamSink(writer, "standard output", encode, owned=True)
    first = asyncio.ensure_future(sink.write(sample("q1", output=LONG)))
    second = asyncio.ensure_future(sink.write(sample("q2")))
    for _ in range(10):
        await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    reading = asyncio.ensure_future(read_all(reader))
    await sink.write(sample("q3"))
    await sink.aclose()
    lines = (await reading).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["q1", "q2", "q3"]


async def test_a_descriptor_that_another_program_made_non_blocking_works_too() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sink = StreamSink(writer, "standard output", encode, owned=True)
    reading = asyncio.ensure_future(read_all(reader))
    await sink.write(sample("q1", output=LONG))
    await sink.aclose()
    assert await reading == encode(sample("q1", output=LONG))


async def test_the_descriptor_stays_blocking_for_those_who_share_it() -> None:
    reader, writer = os.pipe()
    sink = StreamSink(writer, "standard output", encode)
    await sink.write(sample("q1"))
    await sink.aclose()
    assert os.get_blocking(writer)
    os.close(writer)
    os.close(reader)


async def test_a_closed_reader_is_an_error_that_says_so() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = StreamSink(writer, "standard output", encode, owned=True)
    with pytest.raises(SinkError, match="standard output was closed by its reader"):
        await sink.write(sample("q1"))
    with pytest.raises(SinkError, match="standard output was closed by its reader"):
        await sink.write(sample("q2"))
    await sink.aclose()


async def test_a_reader_that_goes_away_in_the_middle_of_a_line_ends_the_waiting() -> None:
    reader, writer = os.pipe()
    sink = StreamSink(writer, "standard output", encode, owned=True)
    write = asyncio.ensure_future(sink.write(sample("q1", output=LONG)))
    for _ in range(10):
        await asyncio.sleep(0)
    os.close(reader)
    with pytest.raises(SinkError, match="closed by its reader"):
        await write
    await sink.aclose()


async def test_a_terminal_gets_no_raw_control_characters() -> None:
    primary, terminal = pty.openpty()
    tty.setraw(terminal)
    nasty = sample("q1", output="\x1b[31m \x9b31m \x7f \u202e", metadata={"\x85": 1})
    sink = StreamSink(terminal, "standard output", encode)
    await sink.write(nasty)
    await sink.aclose()
    shown = os.read(primary, 1 << 16)
    os.close(terminal)
    os.close(primary)
    assert json.loads(shown) == json.loads(encode(nasty))
    text = shown.decode().removesuffix("\n")
    assert text.isprintable()


def test_dash_is_standard_output(tmp_path: Path, spawn: Callable[[str, str], Popen[str]]) -> None:
    child = spawn(
        """
async def main():
    sink = open_output(output, line_format="openai-batch")
    await sink.write(sample("q1"))
    await sink.finish()
    await sink.aclose()
asyncio.run(main())
""",
        "-",
    )
    out, err = child.communicate()
    assert (child.returncode, err) == (0, "")
    assert out.encode() == encode_batch(sample("q1"))


async def test_a_named_pipe_is_a_stream(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    sink = open_output(str(pipe))
    assert isinstance(sink, StreamSink)
    await sink.write(sample("q1"))
    assert os.read(reader, 1 << 16) == encode(sample("q1"))
    await sink.aclose()
    os.close(reader)
