from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from sampleresults import sample

from llmbatch.jobs.errors import OutputLocked
from llmbatch.jobs.records import encode
from llmbatch.jobs.sinks.held import HeldFile
from llmbatch.jobs.sinks.opening import open_output

HOLD = """
sink = open_output(output)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_run_ends_at_once_and_names_the_first(
    tmp_path: Path, spawn: Callable[[str, str], Popen[str]]
) -> None:
    path = tmp_path / "out.jsonl"
    child = spawn(HOLD, str(path))
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(OutputLocked) as caught:
        open_output(str(path))
    message = str(caught.value)
    assert str(path) in message
    assert "wait for its end, or name another output (-o)" in message
    named = re.search(r"process (\d+)", message)
    assert named is None or int(named[1]) == child.pid
    child.kill()
    child.wait()
    HeldFile(path).close()


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    HeldFile(tmp_path / "out.jsonl").close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


def test_two_runs_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    first = HeldFile(tmp_path / "out.jsonl")
    with pytest.raises(OutputLocked):
        HeldFile(tmp_path / "out.jsonl")
    first.close()
    HeldFile(tmp_path / "out.jsonl").close()


def test_a_replaced_file_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample()))
    file = HeldFile(path)
    old = path.stat().st_ino
    file.replace(())
    assert path.stat().st_ino != old
    with pytest.raises(OutputLocked):
        HeldFile(path)
    file.close()
    HeldFile(path).close()


def test_a_waiting_run_does_not_end_up_with_the_file_that_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"old")
    opened = os.open
    replaced: list[bool] = []

    def open_then_replace(*args: object, **rest: object) -> int:
        fd: int = opened(*args, **rest)  # type: ignore[arg-type]  # passed on as they came
        if not replaced:
            replaced.append(True)
            (tmp_path / "new").write_bytes(b"newer")
            (tmp_path / "new").replace(path)
        return fd

    monkeypatch.setattr(os, "open", open_then_replace)
    file = HeldFile(path)
    monkeypatch.undo()
    assert os.fstat(file.fd).st_ino == path.stat().st_ino
    assert file.size == 5
    file.close()
