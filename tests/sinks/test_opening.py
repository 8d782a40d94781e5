from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sampleresults import rejected, request, sample

from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.records import encode, encode_batch
from llmbatch.jobs.sinks.file import FileSink
from llmbatch.jobs.sinks.opening import open_output
from llmbatch.jobs.sinks.ordered import OrderedSink
from llmbatch.jobs.sinks.stream import StreamSink

ONE, TWO = encode(sample("q1")), encode(sample("q2"))


async def opened(path: Path, **flags: Any) -> FileSink:
    """The sink, closed again; what it knows is still there."""
    sink = open_output(str(path), **flags)
    assert isinstance(sink, FileSink)
    await sink.aclose()
    return sink


async def test_rows_that_are_done_are_known(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    statuses = ("ok", "truncated", "refused", "filtered", "invalid", "partial", "error")
    path.write_bytes(b"".join(encode(sample(status, status)) for status in statuses))
    sink = await opened(path)
    assert [await sink.expect(request(status)) for status in statuses] == [
        *("ok", "truncated", "refused", "filtered", "invalid"),
        *(None, None),
    ]
    assert await sink.expect(request("ok", "another")) is None
    assert await sink.expect(request("new")) is None
    assert await sink.expect(rejected("ok")) is None
    assert len(sink.index) == 5
    assert sink.skipped == dict.fromkeys(("ok", "truncated", "refused", "filtered", "invalid"), 1)


@pytest.mark.parametrize("cut", [1, 2, 10, len(TWO) - 2])
async def test_a_torn_last_line_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(ONE + TWO[:cut])
    inode = path.stat().st_ino
    sink = await opened(path)
    assert path.read_bytes() == ONE
    assert path.stat().st_ino != inode
    assert sink.index.done("q1", "f1")
    assert not sink.index.done("q2", "f1")


@pytest.mark.parametrize("cut", [1, 3, 9, len(ONE) - 2])
async def test_a_torn_only_line_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(ONE[:cut])
    await opened(path)
    assert path.read_bytes() == b""


async def test_zeros_that_a_power_failure_left_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(ONE + bytes(4096))
    await opened(path)
    assert path.read_bytes() == ONE


async def test_a_last_line_that_only_lacks_its_line_feed_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(ONE + TWO[:-1])
    sink = await opened(path)
    assert sink.index.done("q2", "f1")
    assert path.read_bytes() == ONE + TWO


async def test_unreadable_lines_are_kept_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    lines = [ONE, b"what is this?\n", b"\n", b"\xff\0\n", TWO, b"a note without an end"]
    path.write_bytes(b"".join(lines))
    sink = await opened(path)
    assert sink.index.unreadable == 3
    assert sink.index.first_unreadable == 2
    assert len(sink.index) == 2
    assert path.read_bytes() == b"".join(lines) + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b'{"prompt": "hello"}\n',
        b'{"id":"q1","prompt":"hello"}\n{"id":"q2","prompt":"bye"}',
        b'{"id":"q1","prompt":"hello"}',
        b"hello",
        b"a,b\n1,2\n",
    ],
)
async def test_a_file_that_is_no_results_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(data)
    with pytest.raises(SinkError, match=r"prompts\.jsonl: exists, but no line of it is a result"):
        open_output(str(path))
    assert path.read_bytes() == data
    await opened(path, fresh=True, force=True)
    assert path.read_bytes() == b""


async def test_fresh_refuses_to_overwrite_without_force(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(ONE)
    with pytest.raises(ConfigError, match=r"--fresh would overwrite .* add --force"):
        open_output(str(path), fresh=True)
    assert path.read_bytes() == ONE
    sink = await opened(path, fresh=True, force=True)
    assert path.read_bytes() == b""
    assert len(sink.index) == 0


async def test_fresh_takes_a_new_or_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await opened(path, fresh=True)
    await opened(path, fresh=True)
    assert path.read_bytes() == b""


async def test_force_alone_resumes(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(ONE)
    assert (await opened(path, force=True)).index.done("q1", "f1")


async def test_a_batch_file_is_resumed_too(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode_batch(sample("q1")) + encode_batch(sample("q2", "error")))
    sink = await opened(path, line_format="openai-batch")
    assert await sink.expect(request("q1")) == "ok"
    assert await sink.expect(request("q2")) is None


async def test_two_formats_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(ONE)
    with pytest.raises(ConfigError, match="--format jsonl, and this run writes openai-batch"):
        open_output(str(path), line_format="openai-batch")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"the folder .*/missing does not exist: create it"):
        open_output(str(tmp_path / "missing" / "out.jsonl"))


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"is a folder: name a file in it, such as .*results"):
        open_output(str(tmp_path))
    with pytest.raises(SinkError, match=r"new/: names a folder: name a file in it"):
        open_output(f"{tmp_path}/new/")
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="a part of the path is a file"):
        open_output(str(tmp_path / "file" / "out.jsonl"))


def test_a_read_only_file_system_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(SinkError, match="the file system is read-only"):
        open_output(str(tmp_path / "out.jsonl"))


async def test_a_device_is_written_to_without_a_lock() -> None:
    first = open_output("/dev/null")
    second = open_output("/dev/null", order="input")
    assert isinstance(first, StreamSink)
    assert isinstance(second, OrderedSink)
    await first.write(sample())
    await first.aclose()
    await second.aclose()


async def test_a_full_device_is_said() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    sink = open_output("/dev/full")
    with pytest.raises(SinkError, match="/dev/full: the disk is full"):
        await sink.write(sample())
    await sink.aclose()


def test_the_room_can_be_imported_where_there_is_no_flock() -> None:
    code = (
        "import asyncio, sys; sys.platform = 'win32'; sys.modules['fcntl'] = None; "
        "import llmbatch.jobs.sinks.opening"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
