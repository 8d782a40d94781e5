from __future__ import annotations

import asyncio
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from sampleresults import request, sample

from llmbatch.jobs.errors import SinkError
from llmbatch.jobs.records import encode
from llmbatch.jobs.sinks import held
from llmbatch.jobs.sinks.file import FileSink
from llmbatch.jobs.sinks.opening import open_output
from llmbatch.jobs.spans import SpanTable


def file_sink(path: Path, **flags: Any) -> FileSink:
    sink = open_output(str(path), **flags)
    assert isinstance(sink, FileSink)
    return sink


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files of this process can't grow beyond ``size`` bytes: a full disk, without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_result_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = file_sink(path)
    await sink.write(sample("q1"))
    assert path.read_bytes() == encode(sample("q1"))
    await sink.write(sample("q2"))
    assert path.read_bytes() == encode(sample("q1")) + encode(sample("q2"))
    await sink.aclose()
    await sink.aclose()


async def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    await file_sink(tmp_path / "out.jsonl").aclose()
    (tmp_path / "other").write_text("")
    assert (tmp_path / "out.jsonl").stat().st_mode == (tmp_path / "other").stat().st_mode


async def test_what_is_new_is_synced_soon_and_nothing_runs_while_nothing_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    synced: asyncio.Queue[int] = asyncio.Queue()
    real = held._sync_data

    def watched(fd: int) -> None:
        real(fd)
        loop.call_soon_threadsafe(synced.put_nowait, fd)

    monkeypatch.setattr(held, "_sync_data", watched)
    timers: list[float] = []
    monkeypatch.setattr(
        loop,
        "call_later",
        lambda delay, *rest, _real=loop.call_later: (timers.append(delay), _real(delay, *rest))[1],
    )
    sink = file_sink(tmp_path / "out.jsonl")
    assert timers == []
    await sink.write(sample("q1"))
    await sink.write(sample("q2"))
    assert len(timers) == 1
    assert timers[0] < 1
    await synced.get()
    await sink.write(sample("q3"))
    await synced.get()
    assert len(timers) == 2
    await sink.aclose()
    assert synced.empty()
    assert len(timers) == 2


async def test_the_end_syncs_what_is_new_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(held, "_sync_data", synced.append)
    sink = file_sink(tmp_path / "out.jsonl")
    await sink.aclose()
    assert synced == []
    sink = file_sink(tmp_path / "out.jsonl")
    await sink.write(sample("q1"))
    await sink.aclose()
    assert len(synced) == 1


async def test_a_sync_that_fails_stops_the_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(held, "_sync_data", fail)
    sink = file_sink(tmp_path / "out.jsonl")
    await sink.write(sample("q1"))
    with pytest.raises(SinkError, match="Input/output error"):
        await sink.aclose()
    with pytest.raises(SinkError):
        await sink.write(sample("q2"))


async def test_a_sync_that_failed_in_between_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    failed = asyncio.Event()

    def fail_once(_: int) -> None:
        monkeypatch.undo()
        loop.call_soon_threadsafe(failed.set)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(held, "_sync_data", fail_once)
    sink = file_sink(tmp_path / "out.jsonl")
    await sink.write(sample("q1"))
    await failed.wait()
    with pytest.raises(SinkError, match="Input/output error"):
        await sink.aclose()


async def test_a_line_that_does_not_fit_leaves_no_torn_line_and_ends_the_writing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out.jsonl"
    line = encode(sample("q1"))
    sink = file_sink(path)
    await sink.write(sample("q1"))
    with largest_file(len(line) + 50):
        with pytest.raises(SinkError, match=r"largest size allowed.*same command goes on"):
            await sink.write(sample("q2"))
        assert path.read_bytes() == line
    with pytest.raises(SinkError, match="largest size allowed"):
        await sink.write(sample("q3"))
    await sink.aclose()
    assert path.read_bytes() == line


async def test_a_full_disk_leaves_whole_lines_only(small_disk: Path) -> None:
    path = small_disk / "out.jsonl"
    sink = file_sink(path)
    written = 0
    with pytest.raises(SinkError, match=r"out\.jsonl: the disk is full: free some space"):  # noqa: PT012 - which write it is depends on the disk
        while True:
            await sink.write(sample(f"q{written}", output="x" * 5000))
            written += 1
    await sink.aclose()
    assert 5 < written < 20
    data = path.read_bytes()
    assert data.endswith(b"\n")
    assert data.count(b"\n") == written
    path.write_bytes(data[: data.index(b"\n") + 1])
    again = file_sink(path)
    assert await again.expect(request("q0")) == "ok"
    await again.write(sample("q1"))
    await again.aclose()


async def test_a_full_disk_at_the_tidying_leaves_the_old_file_whole(small_disk: Path) -> None:
    path = small_disk / "out.jsonl"
    long = {"x": "x" * 5000}
    first = encode(sample("q0", "error", metadata=long))
    lines = [first, *(encode(sample(f"q{i}", metadata=long)) for i in range(1, 4))]
    path.write_bytes(b"".join(lines))
    sink = file_sink(path)
    for i in range(4):
        await sink.expect(request(f"q{i}"))
    await sink.write(sample("q0"))
    before = path.read_bytes()
    (small_disk / "ballast").write_bytes(b"x" * 32_000)
    with pytest.raises(SinkError, match=r"every result is safe.*disk is full; free some space"):
        await sink.finish()
    await sink.aclose()
    assert path.read_bytes() == before
    assert sorted(p.name for p in small_disk.iterdir()) == ["ballast", "out.jsonl"]
    (small_disk / "ballast").unlink()
    sink = file_sink(path)
    for i in range(4):
        assert await sink.expect(request(f"q{i}")) == "ok"
    await sink.finish()
    await sink.aclose()
    assert path.read_bytes() == b"".join(lines[1:]) + encode(sample("q0"))


async def test_writing_is_not_possible_after_the_end(tmp_path: Path) -> None:
    sink = file_sink(tmp_path / "out.jsonl")
    await sink.aclose()
    with pytest.raises(SinkError):
        await sink.write(sample())


async def test_the_finished_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "out.jsonl", tmp_path / "link.jsonl"
    real.write_bytes(encode(sample("q1", "error")))
    real.chmod(0o640)
    link.symlink_to(real)
    sink = file_sink(link)
    await sink.expect(request("q1"))
    await sink.write(sample("q1"))
    tidied = await sink.finish()
    await sink.aclose()
    assert (tidied.dropped, tidied.strangers, tidied.unreadable) == (1, 0, 0)
    assert link.is_symlink()
    assert real.read_bytes() == encode(sample("q1"))
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [p.name for p in real.parent.iterdir()] == ["out.jsonl"]


async def test_a_job_that_superseded_nothing_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("q1")))
    inode = path.stat().st_ino
    sink = file_sink(path)
    await sink.expect(request("q1"))
    await sink.expect(request("q2"))
    await sink.write(sample("q2"))
    await sink.finish()
    await sink.aclose()
    assert path.stat().st_ino == inode


class Slow:
    """A system call on a descriptor that takes until the ``with`` block has said ``go``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> None:
        self.began = asyncio.Event()
        self.go = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._real = getattr(place, name)
        monkeypatch.setattr(place, name, self)

    def __call__(self, fd: int) -> None:
        self._loop.call_soon_threadsafe(self.began.set)
        self.go.wait()
        self._real(fd)  # fails where the file was closed meanwhile

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()


async def test_results_go_on_while_a_sync_is_under_way_and_finish_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("q1", "error")))
    sink = file_sink(path)
    with Slow(monkeypatch, held, "_sync_data") as slow:
        await sink.write(sample("q1"))
        await slow.began.wait()
        await sink.write(sample("q2"))
        before = path.read_bytes()
        finishing = asyncio.ensure_future(sink.finish())
        for _ in range(20):
            assert await asyncio.to_thread(path.read_bytes) == before
    assert (await finishing).dropped == 1
    await sink.aclose()
    assert path.read_bytes() == encode(sample("q1")) + encode(sample("q2"))


async def test_an_end_that_is_interrupted_still_ends_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("q1", "error")))
    sink = file_sink(path)
    await sink.write(sample("q1"))
    with Slow(monkeypatch, os, "fsync") as slow:
        finishing = asyncio.ensure_future(sink.finish())
        await slow.began.wait()
        finishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await finishing
        closing = asyncio.ensure_future(sink.aclose())
        for _ in range(20):
            await asyncio.to_thread(path.read_bytes)
        assert not closing.done()
    await closing
    assert path.read_bytes() == encode(sample("q1"))


async def test_no_permission_is_said(open_folder: Path, as_nobody: Callable[[], Any]) -> None:
    path = open_folder / "out.jsonl"
    path.touch()
    path.chmod(0o444)
    with (
        as_nobody(),
        pytest.raises(SinkError, match=r"out\.jsonl: no permission to read"),
    ):
        open_output(str(path))


@pytest.mark.parametrize("order", ["finish", "input"])
async def test_many_rows_are_told_of_at_once_as_one_by_one(tmp_path: Path, order: str) -> None:
    path = tmp_path / "out.jsonl"
    lines = {f"q{i}": encode(sample(f"q{i}", "truncated" if i == 4 else "ok")) for i in (4, 1, 3)}
    path.write_bytes(b"".join(lines.values()))
    sink = file_sink(path, order=order)
    told = sink.take_all([(f"q{i}", "f1") for i in range(1, 4)])
    assert told == ["ok", None, "ok"]
    assert sink.take_all([("q4", "f1"), ("q1", "f2")]) == ["truncated", None]
    assert sink.skipped == {"ok": 2, "truncated": 1}
    assert await sink.expect(request("q2")) is None
    await sink.write(sample("q2"))
    assert (await sink.finish()).dropped == 0
    await sink.aclose()
    finished = [*lines.values(), encode(sample("q2"))]
    if order == "input":
        finished = [lines["q1"], encode(sample("q2")), lines["q3"], lines["q4"]]
    assert path.read_bytes() == b"".join(finished)


async def test_answers_are_found_among_lines_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    failed = encode(sample("q0", "error", fingerprint="f0"))
    answers = [encode(sample(f"q{n}", fingerprint=f"f{n}")) for n in range(1, 40)]
    path.write_bytes(failed + answers[0] + b"a remark\n" + b"".join(answers[1:]))
    sink = file_sink(path, asked=SpanTable(40))
    assert sink.take_all([(f"q{n}", f"f{n}") for n in range(40)]) == [None, *["ok"] * 39]
    assert sink.recall("f0") is None
    found = [sink.recall(f"f{n}") for n in range(1, 40)]
    assert [answer and answer.id for answer in found] == [f"q{n}" for n in range(1, 40)]
    await sink.aclose()
