"""What another program does to the file under a run: nothing is paid for that nobody will see."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sampleresults import request, sample

from llmbatch.jobs.errors import SinkError
from llmbatch.jobs.records import encode
from llmbatch.jobs.sinks import resume
from llmbatch.jobs.sinks.file import FileSink
from llmbatch.jobs.sinks.opening import open_output


def file_sink(path: Path) -> FileSink:
    sink = open_output(str(path))
    assert isinstance(sink, FileSink)
    return sink


@pytest.mark.parametrize("synced", [False, True])
async def test_a_file_that_is_deleted_under_a_run_stops_it_and_is_put_back(
    tmp_path: Path, synced: bool
) -> None:
    path = tmp_path / "out.jsonl"
    sink = file_sink(path)
    await sink.write(sample("q1"))
    if synced:
        sink._sync()
        await sink._rest()
    path.unlink()
    with pytest.raises(SinkError, match=r"another program deleted it .* it is put back"):
        await sink.aclose()
    assert path.read_bytes() == encode(sample("q1"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.jsonl"]
    await file_sink(path).aclose()  # nobody holds it any more


async def test_no_further_result_is_taken_for_a_file_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = file_sink(path)
    await sink.write(sample("q1"))
    path.unlink()
    sink._sync()
    assert sink._syncing is not None
    await asyncio.wait([sink._syncing])
    with pytest.raises(SinkError, match="another program deleted it"):
        await sink.write(sample("q2"))
    with pytest.raises(SinkError, match="put back"):
        await sink.aclose()


async def test_a_file_that_took_the_place_of_the_output_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("q1", status="error")))
    sink = file_sink(path)
    assert await sink.expect(request("q1")) is None
    await sink.write(sample("q1"))
    (tmp_path / "mine").write_text("mine\n")
    (tmp_path / "mine").replace(path)
    with pytest.raises(SinkError, match="another program put another file in its place"):
        await sink.finish()
    with pytest.raises(SinkError, match=r"are in .*out\.jsonl\.rescued"):
        await sink.aclose()
    assert path.read_text() == "mine\n"
    assert encode(sample("q1")) in (tmp_path / "out.jsonl.rescued").read_bytes()


async def test_a_file_that_is_cut_under_a_run_stops_it(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = file_sink(path)
    await sink.write(sample("q1"))
    os.truncate(path, 10)
    with pytest.raises(SinkError, match="another program cut it short"):
        await sink.aclose()
    assert path.stat().st_size == 10


async def test_a_run_whose_folder_was_removed_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = file_sink(folder / "out.jsonl")
    await sink.write(sample("q1"))
    (folder / "out.jsonl").unlink()
    folder.rmdir()
    with pytest.raises(SinkError, match=r"another program deleted it .* its results are lost"):
        await sink.aclose()


def test_lines_that_come_while_the_output_is_read_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("q0")))
    count = resume._count

    def slowly(fd: int) -> int:
        counted = count(fd)
        with path.open("ab") as file:
            file.writelines(encode(sample(f"q{n}")) for n in range(1, 2000))
        return counted

    monkeypatch.setattr(resume, "_count", slowly)
    with pytest.raises(SinkError, match="another program adds lines to it"):
        file_sink(path)
    monkeypatch.undo()
    index = file_sink(path).index  # nobody holds it any more
    assert index.readable == 2000
