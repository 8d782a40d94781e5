"""One budget for many processes: the file, its failures, and real processes that share it."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sharedlimit

from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.events import Event, LimitLearned
from llmbatch.jobs.limits.bucket import request_pace
from llmbatch.jobs.limits.gate import RouteGate
from llmbatch.jobs.limits.joint import Joint
from llmbatch.jobs.limits.shared import SharedBudget, shared_path
from llmbatch.jobs.model import Quota, Request, Usage
from virtualtime import run_virtual

Ask = Callable[..., Request]
Open = Callable[..., RouteGate]


def test_the_file_stands_in_the_users_state_folder() -> None:
    home = {"HOME": "/home/u"}
    assert shared_path(home, "team", "openai") == Path(
        "/home/u/.local/state/llmbatch/limits/team.openai"
    )
    assert shared_path(home | {"XDG_STATE_HOME": "/var/s"}, "team", "openai") == Path(
        "/var/s/llmbatch/limits/team.openai"
    )
    assert shared_path(home | {"XDG_STATE_HOME": "relative"}, "t", "p") == shared_path(
        home, "t", "p"
    )
    assert shared_path(home, "t", "my/../server").name == "t.my%2F..%2Fserver"


def test_folder_and_file_are_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "llmbatch" / "limits" / "team.openai"
    SharedBudget(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_foreign_file_is_left_alone_and_named(gate_of: Open, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("dear diary")
    with pytest.raises(ConfigError, match=r"notes: it is not .* delete it .* another name"):
        gate_of(shared=path)
    assert path.read_text() == "dear diary"


@pytest.mark.parametrize("size", [1, 100, -1])
def test_a_torn_file_is_refused_before_anything_is_sent(
    gate_of: Open, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "team.openai"
    path.write_bytes(Joint().pack()[:size])
    with pytest.raises(ConfigError, match="delete it"):
        gate_of(shared=path)


def test_an_empty_file_is_a_new_one(gate_of: Open, tmp_path: Path) -> None:
    path = tmp_path / "team.openai"
    path.touch()
    gate_of(shared=path)
    Joint.unpack(path.read_bytes())


def test_a_place_that_can_not_be_written_is_a_mistake_of_the_configuration(
    gate_of: Open, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "limits" / "x", tmp_path):
        with pytest.raises(ConfigError, match="XDG_STATE_HOME"):
            gate_of(shared=path)


def test_a_full_disk_is_one_too_and_later_ends_the_job(
    gate_of: Open, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    gate = gate_of(shared=tmp_path / "a")
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ConfigError, match="No space left"):
        gate_of(shared=tmp_path / "b")

    async def main() -> None:
        async with gate.admit(ask()):
            pass

    with pytest.raises(SinkError, match=r"a: .*No space left"):
        run_virtual(main())
    assert gate.slots.free == gate.width


@pytest.mark.parametrize("gates", [2, 3])
def test_gates_that_share_a_file_stay_within_the_limit_and_use_it(
    gate_of: Open, ask: Ask, tmp_path: Path, gates: int
) -> None:
    async def main() -> dict[int, list[float]]:
        now = asyncio.get_running_loop().time
        times: dict[int, list[float]] = {number: [] for number in range(gates)}

        async def run(number: int) -> None:
            gate = gate_of(8, rpm=300, shared=tmp_path / "team.p")

            async def pump() -> None:
                while now() < 180:
                    async with gate.admit(ask()):
                        times[number].append(now())
                        await asyncio.sleep(0.2)

            await asyncio.gather(*(pump() for _ in range(8)))

        await asyncio.gather(*(run(number) for number in range(gates)))
        return times

    times = run_virtual(main())
    together = sorted(time for each in times.values() for time in each)
    for start in together:
        assert sum(start <= time <= start + 60 for time in together) <= 300
    assert sum(60 < time <= 180 for time in together) >= 0.95 * 600
    assert max(map(len, times.values())) <= 1.5 * min(map(len, times.values()))


def test_a_new_run_knows_the_minute_before_it(gate_of: Open, ask: Ask, tmp_path: Path) -> None:
    async def main() -> float:
        now = asyncio.get_running_loop().time
        for _ in range(2):  # each of the two would have its first 10 at once, or nearly
            gate = gate_of(8, rpm=10, shared=tmp_path / "team.p")
            for _ in range(6):
                async with gate.admit(ask()):
                    pass
        return now()

    assert run_virtual(main()) > 61


def test_learned_limits_hold_for_what_all_send(gate_of: Open, ask: Ask, tmp_path: Path) -> None:
    async def main() -> tuple[list[float], list[Event]]:
        events, times = list[Event](), list[float]()
        now = asyncio.get_running_loop().time

        async def run() -> None:
            gate = gate_of(20, shared=tmp_path / "team.p", events=events)

            async def row() -> None:
                async with gate.admit(ask()) as permit:
                    times.append(now())
                    await asyncio.sleep(0.2)
                    permit.hear(Quota(rpm=120, tpm=1_000_000))
                    permit.settle(Usage(1, 1), None)

            await asyncio.gather(*(row() for _ in range(90)))

        await asyncio.gather(run(), run())
        return times, events

    times, events = run_virtual(main())
    assert events.count(LimitLearned("p/m", 120, 1_000_000)) == 2
    for start in times:
        assert sum(start <= time <= start + 60 for time in times) <= 120
    assert max(times) < 100


def test_tokens_are_shared_and_settled_for_all(gate_of: Open, ask: Ask, tmp_path: Path) -> None:
    """Each costs 1000; the first reserve 10,000."""

    async def main() -> float:
        now = asyncio.get_running_loop().time

        async def run() -> None:
            gate = gate_of(8, tpm=60_000, shared=tmp_path / "team.p")

            async def pump() -> None:
                for _ in range(10):
                    async with gate.admit(ask(50, max_tokens=9950)) as permit:
                        await asyncio.sleep(0.2)
                        permit.settle(Usage(50, 950), None)

            await asyncio.gather(*(pump() for _ in range(8)))

        await asyncio.gather(run(), run())
        return now()

    assert 90 < run_virtual(main()) < 175  # 160,000 tokens


def test_one_who_is_cancelled_at_the_shared_limit_leaves_no_hole(
    gate_of: Open, ask: Ask, tmp_path: Path
) -> None:
    async def main() -> None:
        gate = gate_of(1, rpm=10, shared=tmp_path / "team.p")

        async def row() -> None:
            async with gate.admit(ask()):
                pass

        rows = [asyncio.create_task(row()) for _ in range(4)]
        await asyncio.sleep(3)
        rows[1].cancel()
        await asyncio.gather(*rows, return_exceptions=True)
        assert [task.cancelled() for task in rows] == [False, True, False, False]
        assert (gate.slots.free, gate.slots.coming) == (1, 0)

    run_virtual(main())


def test_a_lock_that_somebody_holds_is_waited_for_without_blocking_the_loop(
    gate_of: Open, ask: Ask, tmp_path: Path
) -> None:
    import fcntl

    async def main() -> float:
        path, now = tmp_path / "team.p", asyncio.get_running_loop().time
        gate = gate_of(1, shared=path)
        holder = os.open(path, os.O_RDWR)
        fcntl.flock(holder, fcntl.LOCK_EX)
        asyncio.get_running_loop().call_later(2.0, os.close, holder)
        async with gate.admit(ask()):
            return now()

    assert run_virtual(main()) == pytest.approx(2, abs=0.01)


@contextmanager
def runs(count: int, rpm: int, rows: int, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [sys.executable, sharedlimit.__file__, str(folder / "team.p"), str(rpm), str(rows)]
    started = [subprocess.Popen([*command, str(folder / "log")]) for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def log_of(folder: Path) -> list[tuple[int, float]]:
    try:
        lines = (folder / "log").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(int(pid), float(at)) for pid, at in map(str.split, lines)]


def assert_within(times: list[float], rpm: int) -> None:
    """What any stretch of time may hold, give or take a second from the permit to the log."""
    burst, rate = request_pace(rpm)
    for first, start in enumerate(times):
        for count in (200, 300, 400):
            if first + count <= len(times):
                assert times[first + count - 1] - start >= (count - burst) / rate - 1


@pytest.mark.parametrize("count", [2, 3])
def test_processes_together_stay_within_one_limit(tmp_path: Path, count: int) -> None:
    with runs(count, 6000, 150, tmp_path) as started:
        assert [process.wait(60) for process in started] == [0] * count
    times = sorted(at for _, at in log_of(tmp_path))
    assert len(times) == 150 * count
    assert_within(times, 6000)


def test_kill_9_of_one_leaves_the_others_their_limit(tmp_path: Path) -> None:
    with runs(3, 6000, 200, tmp_path) as started:
        deadline = time.monotonic() + 60
        while len({pid for pid, _ in log_of(tmp_path)}) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        for process in started[:2]:
            process.kill()
        assert started[2].wait(60) == 0
    log = log_of(tmp_path)
    assert Counter(pid for pid, _ in log)[started[2].pid] == 200
    assert_within(sorted(at for _, at in log), 6000)
    Joint.unpack((tmp_path / "team.p").read_bytes())
