"""Where jobs publish themselves: a folder that is the user's alone, or none."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbatch.jobs.watching import place
from llmbatch.jobs.watching.place import Runtime, Unsafe, job_name, open_all, open_to_publish

DEAD = 0x7FFFFFF0
"""No process has it: Linux counts up to 4,194,304."""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(place, "SHARED", tmp_path / "shared")
    (tmp_path / "shared").mkdir()
    (tmp_path / "xdg").mkdir(mode=0o700)
    return {"XDG_RUNTIME_DIR": str(tmp_path / "xdg")}


@pytest.fixture
def runtime(environ: dict[str, str]) -> Iterator[Runtime]:
    found = open_to_publish(environ)
    assert found is not None
    with found:
        yield found


def listening(runtime: Runtime, name: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(runtime.address(name))
    sock.listen()
    return sock


def test_the_folder_is_made_in_the_runtime_folder_for_its_owner_alone(
    runtime: Runtime, tmp_path: Path
) -> None:
    assert runtime.path == tmp_path / "xdg" / "llmbatch"
    assert stat.S_IMODE(runtime.path.stat().st_mode) == 0o700


def test_without_a_runtime_folder_it_is_the_users_own_beside_the_temporary_ones(
    environ: dict[str, str], tmp_path: Path
) -> None:
    for value in ("", "relative", str(tmp_path / "missing"), "/a\0b"):
        found = list(place.folders({"XDG_RUNTIME_DIR": value}))
        assert found[-1] == tmp_path / "shared" / f"llmbatch-{os.geteuid()}"
        assert not any("missing" in str(path) or "relative" in str(path) for path in found)


def test_a_link_in_its_place_is_not_followed(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "xdg" / "llmbatch").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        Runtime.open(tmp_path / "xdg" / "llmbatch", make=True)
    found = open_to_publish(environ)
    assert found is not None
    assert found.path.parent != tmp_path / "xdg", "the next one is taken"
    found.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    with pytest.raises(Unsafe, match="other users"):
        Runtime.open(tmp_path / "open", make=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_a_folder_of_another_user_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "xdg" / "llmbatch"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(Unsafe, match="another user"):
        Runtime.open(folder)
    os.chown(tmp_path / "xdg", 65534, 65534)
    assert folder not in list(place.folders(environ)), "nor is one in another user's runtime folder"


def test_where_no_folder_can_be_made_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "SHARED", tmp_path / "missing")
    monkeypatch.setattr(place, "folders", lambda environ: iter([tmp_path / "missing" / "x"]))
    assert open_to_publish({}) is None
    assert open_all({}) == []


def test_a_path_that_is_too_long_for_a_socket_works_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir(mode=0o700)
    with Runtime.open(deep) as runtime, listening(runtime, "a-b.sock"):
        assert (deep / "a-b.sock").is_socket()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(runtime.address("a-b.sock"))


def test_sockets_of_killed_jobs_are_swept_and_those_of_living_ones_stay(runtime: Runtime) -> None:
    dead, silent = f"{job_name(10**18, DEAD)}.sock", f"{job_name(2 * 10**18, os.getpid())}.sock"
    unready = f"{job_name(3 * 10**18, DEAD)}.sock.new"
    for name in (dead, silent, unready):
        listening(runtime, name).close()
    (runtime.path / "other.sock").touch()
    (runtime.path / f"{job_name(4 * 10**18, DEAD)}.sock").mkdir()
    elsewhere = f"{job_name(5 * 10**18, DEAD)}.sock"  # such as in another container
    with listening(runtime, elsewhere):
        runtime.sweep()
        left = {path.name for path in runtime.path.iterdir()}
    assert not left & {dead, unready}
    assert {silent, elsewhere, "other.sock"} <= left


def test_names_tell_jobs_apart_and_their_process() -> None:
    assert place.pid_of(job_name(1_700_000_000_000_000_000, 4711)) == 4711
    assert place.pid_of(f"{job_name(1_700_000_000_000_000_000, 4711)}.sock") == 4711
    for name in ("", "x", "../../etc/passwd", "00000000-1/../x", "12345678-1.sock.sock"):
        assert place.pid_of(name) is None


def test_the_folder_stays_the_one_that_was_checked(runtime: Runtime, tmp_path: Path) -> None:
    runtime.path.rename(tmp_path / "moved")
    runtime.path.mkdir(mode=0o700)
    (tmp_path / "moved" / "12345678-1.sock").touch()
    assert runtime.names() == ["12345678-1.sock"]
