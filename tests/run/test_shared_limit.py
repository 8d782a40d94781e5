"""``--shared-limit``: all runs of one host that name the same budget stay within it together."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from pathlib import Path

from desk import Desk
from watching import Watch

from llmbatch.jobs.limits.bucket import request_bucket

JITTER = 2.0
"""Seconds by which a loaded machine may squeeze what was sent apart."""

LIMITS = Path(".local/state/llmbatch/limits")
"""Under the home, which is the working folder here."""


def excess(times: list[float], burst: float, rate: float) -> float:
    """By how many requests the worst window, of any length, is beyond what is allowed in it."""
    times = sorted(times)
    return max(
        last - first + 1 - burst - rate * (times[last] - times[first] + JITTER)
        for first in range(len(times))
        for last in range(first, len(times))
    )


async def test_two_runs_stay_within_one_limit_together(desk: Desk) -> None:
    rpm, rows = 1800, 65
    flags = ("--rpm", str(rpm), "--shared-limit", "team", "--concurrency", "32")
    for name in "ab":
        desk.prompts(rows, name=f"{name}.jsonl")
    runs = await asyncio.gather(*(desk.run(f"{name}.jsonl", *flags) for name in "ab"))
    assert [done.code for done in runs] == [0, 0], runs
    times = [call.at for call in desk.server.calls]
    assert len(times) == 2 * rows
    bucket = request_bucket(rpm)
    assert excess(times, bucket.burst, bucket.rate) <= 0
    alone = [max(0.0, number - bucket.burst) / bucket.rate for number in range(rows)]
    assert excess(alone + alone, bucket.burst, bucket.rate) > 0, "each for itself is noticed"
    assert all("for the limits" in done.stderr for done in runs)
    assert [path.name for path in (desk.folder / LIMITS).iterdir()] == ["team.openai-compatible"]


async def test_the_budget_outlives_a_run_and_other_names_are_other_budgets(desk: Desk) -> None:
    desk.prompts(1)
    one = ("in.jsonl", "--rpm", "1", "--shared-limit")
    assert (await desk.run(*one, "team", "-o", "1.jsonl")).code == 0, "the minute's only request"
    async with desk.running(*one, "team", "-o", "2.jsonl") as job:
        done = await desk.run(*one, "others", "-o", "3.jsonl")
        assert done.code == 0, done
        assert len(desk.server.calls) == 2
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130, done
    assert "none ran" in done.last
    assert len(desk.server.calls) == 2
    assert {path.name for path in (desk.folder / LIMITS).iterdir()} == {
        "team.openai-compatible",
        "others.openai-compatible",
    }


async def test_each_provider_has_a_budget_of_its_own_under_the_name(desk: Desk) -> None:
    desk.prompts(1)
    desk.settings(providers={name: {"base_url": desk.server.url} for name in ("one", "two")})
    flags = ("in.jsonl", "--rpm", "1", "--shared-limit", "team", "--fresh", "--force")
    for name in ("one", "two"):
        done = await desk.run(*flags, "-m", f"{name}/m", route=False)
        assert done.code == 0, done


async def test_xdg_state_home_says_where_the_budget_is(desk: Desk) -> None:
    desk.prompts(1)
    state = desk.folder / "state"
    env = {"XDG_STATE_HOME": str(state)}
    done = await desk.run("in.jsonl", "--shared-limit", "team", "--rpm", "600", env=env)
    assert done.code == 0, done
    (kept,) = (state / "llmbatch" / "limits").iterdir()
    assert kept.name == "team.openai-compatible"
    assert kept.stat().st_mode & 0o077 == 0
    assert not (desk.folder / LIMITS).exists()


async def test_a_file_that_is_no_budget_is_named_and_left_alone(desk: Desk) -> None:
    desk.prompts(1)
    path = desk.folder / LIMITS / "team.openai-compatible"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"somebody's diary\n")
    done = await desk.run("in.jsonl", "--shared-limit", "team")
    assert done.code == 2, done
    assert f"{path}: it is not a file of llmbatch's limits: delete it when no run uses it" in (
        done.last
    )
    assert path.read_bytes() == b"somebody's diary\n"
    assert not desk.server.calls
    path.unlink()
    assert (await desk.run("in.jsonl", "--shared-limit", "team")).code == 0


async def test_a_folder_that_can_not_be_is_refused_before_anything_is_sent(desk: Desk) -> None:
    desk.prompts(1)
    (desk.folder / "file").write_text("")
    env = {"XDG_STATE_HOME": str(desk.folder / "file")}
    done = await desk.run("in.jsonl", "--shared-limit", "team", env=env)
    assert done.code == 2, done
    assert "set XDG_STATE_HOME to a folder where it is" in done.last
    done = await desk.run("in.jsonl", "--shared-limit", "../team")
    assert done.code == 2, done
    assert "shared" in done.last
    assert not desk.server.calls


async def test_a_run_that_is_killed_holds_up_nobody(desk: Desk) -> None:
    for name in "ab":
        desk.prompts(40, name=f"{name}.jsonl")
    watch = Watch(desk.server)
    flags = ("--rpm", "2400", "--shared-limit", "team", "--concurrency", "8")
    async with desk.running("a.jsonl", *flags) as one, desk.running("b.jsonl", *flags) as other:
        await watch.requests(30)
        one.send(signal.SIGKILL)
        assert (await one.ended()).code == -signal.SIGKILL
        done = await other.ended()
    assert done.code == 0, done
    assert len(desk.results("b.results.jsonl")) == 40
    (path,) = (desk.folder / LIMITS).iterdir()
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(fd)
    assert (await desk.run("a.jsonl", *flags)).code == 0
    assert len(desk.results("a.results.jsonl")) == 40
