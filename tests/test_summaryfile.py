"""The summary goes where it is wanted, and takes nothing away there."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from msgspec import structs

from llmbatch.jobs.coverage import Analysis, Coverage
from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.summary import Tally
from llmbatch.jobs.summaryfile import check_summary_path, write_summary

SUMMARY = Tally().summary(wall=1.0)


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "sum.json"
    path.write_text("x" * 100_000)
    write_summary(SUMMARY, str(path), 3)
    assert json.loads(path.read_text())["exit_code"] == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(path.read_text()))
    reader.start()
    check_summary_path(str(path))
    write_summary(SUMMARY, str(path), 0)
    reader.join(60)
    assert json.loads(said[0])["exit_code"] == 0
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path = tmp_path / "sum.json"
    path.symlink_to("there/real.json")
    for _ in range(2):
        write_summary(SUMMARY, str(path), 0)
        assert path.is_symlink()
        assert json.loads((tmp_path / "there" / "real.json").read_text())["exit_code"] == 0


def test_a_folder_is_refused_before_the_job(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        check_summary_path(str(tmp_path))
    with pytest.raises(ConfigError, match="does not exist"):
        check_summary_path(str(tmp_path / "missing" / "sum.json"))


@pytest.mark.parametrize("length", [250, 300])
def test_a_name_that_leaves_no_room_for_a_draft_is_refused_before_the_job(
    tmp_path: Path, length: int
) -> None:
    with pytest.raises(ConfigError, match="File name too long: name another file"):
        check_summary_path(str(tmp_path / ("n" * length)))


def test_a_summary_that_can_not_be_written_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "sum.json"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(SinkError, match=r"can't write the summary to .* the results are safe"):
        write_summary(SUMMARY, str(path), 0)
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_no_utf8_is_written_as_its_escape(tmp_path: Path) -> None:
    covered = Coverage(
        documents=(), bytes=0, analysed_bytes=0, chunks=0, failed=0, truncated=0, gaps=()
    )
    analysis = Analysis(coverage=covered, skipped={"caf\udce9.txt": "is empty"})
    summary = structs.replace(SUMMARY, analysis=analysis)
    write_summary(summary, str(tmp_path / "sum.json"), 0)
    text = (tmp_path / "sum.json").read_text("utf-8")
    assert "caf\\udce9.txt" in text
    assert json.loads(text)["analysis"]["skipped"] == {"caf\udce9.txt": "is empty"}
