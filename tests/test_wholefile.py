"""A file is written whole or not at all, and nothing is left beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbatch.jobs.wholefile import check_writable, write_whole

DYING = """
import os, signal, sys
from pathlib import Path
from llmbatch.jobs.wholefile import write_whole

def pieces():
    yield b"begun"
    os.kill(os.getpid(), signal.SIGKILL)

write_whole(Path(sys.argv[1]), pieces())
"""


def test_the_draft_of_a_writer_who_was_killed_is_gone_after_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("older")
    died = subprocess.run([sys.executable, "-c", DYING, path], check=False)
    assert died.returncode == -signal.SIGKILL
    assert path.read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 2
    write_whole(path, [b"new"])
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_who_write_the_same_file_do_not_mix_their_pieces(tmp_path: Path) -> None:
    path = tmp_path / "report.md"

    def pieces() -> Iterator[bytes]:
        yield b"one "
        write_whole(path, [b"another"])
        assert path.read_bytes() == b"another"
        yield b"whole"

    write_whole(path, pieces())
    assert path.read_bytes() == b"one whole"
    assert list(tmp_path.iterdir()) == [path]


def test_pieces_that_fail_leave_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("older")

    def pieces() -> Iterator[bytes]:
        yield b"begun"
        raise RuntimeError("no more of them")

    with pytest.raises(RuntimeError):
        write_whole(path, pieces())
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_drafts_place_is_not_followed(tmp_path: Path) -> None:
    path, other = tmp_path / "report.md", tmp_path / "other"
    other.write_text("keep me")
    (tmp_path / ".report.md.llmbatch-tmp").symlink_to(other)
    write_whole(path, [b"new"])
    assert (path.read_text(), other.read_text()) == ("new", "keep me")


def test_a_file_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.touch()
    path.chmod(0o640)
    write_whole(path, [b"new"])
    assert path.stat().st_mode & 0o777 == 0o640
    os.umask(mask := os.umask(0))
    write_whole(tmp_path / "fresh", [b"new"])
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_name_that_is_that_of_a_folder_is_refused_before_it_becomes_a_file(
    tmp_path: Path,
) -> None:
    assert check_writable(f"{tmp_path}/reports/", "-o") == (
        f"-o {tmp_path}/reports/: names a folder; name a file in it"
    )
