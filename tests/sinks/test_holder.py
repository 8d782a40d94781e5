"""Who holds a locked output: a number that is right, or none."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from llmbatch.jobs.errors import OutputLocked
from llmbatch.jobs.manifest.manifest import Manifest, write_manifest
from llmbatch.jobs.sinks import holder as module
from llmbatch.jobs.sinks.holder import Holder, holder
from llmbatch.jobs.sinks.lock import open_locked

CHILD = "import sys; from llmbatch.jobs.sinks.lock import open_locked; from pathlib import Path; "
CHILD += "open_locked(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.fixture
def other(output: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(output)], stdin=pipe, stdout=pipe, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        yield child
        child.kill()


@pytest.fixture
def fd(output: Path, other: subprocess.Popen[str]) -> Iterator[int]:
    number = os.open(output, os.O_RDWR)
    yield number
    os.close(number)


def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system whose list of locks says nothing."""
    monkeypatch.setattr(module, "_locker", lambda fd: None)


def manifest(output: Path, pid: int, **fields: Any) -> None:
    now = datetime.now(UTC)
    values = {
        "llmbatch": "1", "python": "3", "job": "run", "state": "running", "pid": pid,
        "host": socket.gethostname(), "started_at": f"{now:%Y-%m-%dT%H:%M:%S}.000Z",
        "written_at": f"{now:%Y-%m-%dT%H:%M:%S}.000Z", "output": str(output),
    }  # fmt: skip
    write_manifest(Manifest(**(values | fields)))


def test_the_process_and_its_start_are_named(
    output: Path, fd: int, other: subprocess.Popen[str]
) -> None:
    found = holder(fd, output)
    assert found is not None
    assert found.pid == other.pid
    assert found.since is not None
    assert timedelta(0) <= datetime.now(UTC) - found.since + timedelta(seconds=2)
    assert datetime.now(UTC) - found.since < timedelta(minutes=5)
    with pytest.raises(OutputLocked) as caught:
        open_locked(output)
    assert f"{output}: another run (process {other.pid}, since {found.since:%Y-%m-%d}" in str(
        caught.value
    )
    assert " UTC) is writing it: wait for its end" in str(caught.value)


def test_a_time_is_shown_to_the_second() -> None:
    at = datetime(2026, 11, 26, 2, 0, 11, 999, tzinfo=UTC)
    assert str(Holder(4711, at)) == "process 4711, since 2026-11-26 02:00:11 UTC"
    assert str(Holder(4711)) == "process 4711"


def test_a_run_is_younger_than_its_process(
    output: Path, fd: int, other: subprocess.Popen[str]
) -> None:
    began = datetime.now(UTC) + timedelta(hours=1)
    manifest(output, other.pid, started_at=f"{began:%Y-%m-%dT%H:%M:%S}.000Z")
    found = holder(fd, output)
    assert found == Holder(other.pid, began.replace(microsecond=0))


def test_a_manifest_tells_where_the_list_of_locks_does_not(
    output: Path, fd: int, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(monkeypatch)
    assert holder(fd, output) is None
    manifest(output, other.pid)
    found = holder(fd, output)
    assert found is not None
    assert found.pid == other.pid


@pytest.mark.parametrize(
    "stale",
    [
        {"pid": 2**22 - 3},
        {"pid": os.getpid()},
        {"host": "elsewhere"},
        {"state": "finished"},
        {"state": "stopped"},
        {"started_at": "2001-01-01T00:00:00.000Z"},
        {"started_at": "soon"},
    ],
    ids=["gone", "not its file", "host", "finished", "stopped", "older than the process", "torn"],
)
def test_a_stale_manifest_names_nobody(
    output: Path,
    fd: int,
    other: subprocess.Popen[str],
    stale: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if stale.get("pid") == os.getpid():
        os.set_inheritable(fd, False)
        monkeypatch.setattr(module, "_has_open", lambda pid, fd: pid == other.pid)
    manifest(output, **({"pid": other.pid} | stale))
    found = holder(fd, output)
    assert found is not None
    assert found.pid == other.pid, "the list of locks knows better"
    without_locks(monkeypatch)
    assert holder(fd, output) is None


def test_nothing_is_said_where_nothing_is_known(
    output: Path, fd: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROC", tmp_path / "no-proc")
    manifest(output, os.getpid())
    assert holder(fd, output) is None
    with pytest.raises(OutputLocked, match="another run is writing it"):
        open_locked(output)


def test_a_lock_of_ones_own_process_is_named_as_well(output: Path) -> None:
    first = open_locked(output)
    second = os.open(output, os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    found = holder(second, output)
    assert found is not None
    assert found.pid == os.getpid()
    os.close(first)
    os.close(second)


def test_what_is_no_manifest_is_not_read_as_one(output: Path, fd: int) -> None:
    place = output.with_name("out.jsonl.manifest.json")
    for data in (b"", b"{", json.encode({"pid": 1}), b"\0" * 99):
        place.write_bytes(data)
        assert holder(fd, output) is not None
