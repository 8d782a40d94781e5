"""Open files are raised before anything is sent, or the job says what it lacks."""

import asyncio
import os
import resource
import sys
from collections.abc import Callable

import pytest
from desk import Desk
from faultreplies import Call, Recipe, held

MANY = 150


def limited(soft: int, hard: int) -> Callable[[], None]:
    """For the child, before it starts."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def held_until_all_are_there(desk: Desk, count: int) -> None:
    everybody = asyncio.Event()

    def reply(call: Call) -> Recipe:
        if len(desk.server.calls) == count:
            everybody.set()
        return held(everybody)

    desk.server.replies = reply


async def test_a_soft_limit_that_is_too_low_is_raised(desk: Desk) -> None:
    held_until_all_are_there(desk, MANY)
    desk.prompts(MANY)
    done = await desk.run("in.jsonl", "--concurrency", str(MANY), preexec_fn=limited(64, 4096))
    assert done.code == 0, done.stderr
    assert desk.server.peak == MANY
    assert {line["status"] for line in desk.results().values()} == {"ok"}


async def test_what_a_hard_limit_does_not_allow_is_refused_before_anything_is_sent(
    desk: Desk,
) -> None:
    desk.prompts(MANY)
    done = await desk.run("in.jsonl", "--concurrency", str(MANY), preexec_fn=limited(64, 128))
    assert done.code == 2
    assert f"--concurrency {MANY} needs {MANY + 64} open files" in done.stderr
    assert "the system allows 128" in done.stderr
    for way in ("ulimit -n 214", "LimitNOFILE=214", "--ulimit nofile=214"):
        assert way in done.stderr
    assert not desk.server.calls
    assert not (desk.folder / "in.results.jsonl").exists()


async def test_auto_goes_as_far_as_the_hard_limit_allows(desk: Desk) -> None:
    desk.prompts(MANY)
    limits = ("--concurrency", "auto", "--max-concurrency", str(MANY))
    done = await desk.run("in.jsonl", *limits, preexec_fn=limited(64, 80))
    assert done.code == 0, done.stderr
    assert desk.server.peak <= 80 - 64
    assert len(desk.results()) == MANY


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
async def test_files_that_run_out_meanwhile_are_waited_for(desk: Desk) -> None:
    """As where another process takes the machine's: what is said is true, and no row is lost."""
    there, release = asyncio.Event(), asyncio.Event()

    def reply(call: Call) -> Recipe:
        if len(desk.server.calls) == 20:
            there.set()
        return held(release, headers={"Connection": "close"})

    desk.server.replies = reply
    desk.prompts(40)
    flags = ("--concurrency", "20", "--retries", "30", "--log-format", "json")
    async with desk.running("in.jsonl", *flags) as job:
        await there.wait()
        files = max(map(int, os.listdir(f"/proc/{job.pid}/fd")))
        few = files - 12
        resource.prlimit(job.pid, resource.RLIMIT_NOFILE, (few, few))
        release.set()
        done = await job.ended()
    assert done.code == 0, done.stderr
    results = desk.results()
    assert {line["status"] for line in results.values()} == {"ok"}
    assert len(results) == 40
    retried = {why for line in results.values() for why in line["metrics"]["retried"]}
    assert retried == {"out_of_connections"}
    assert "breaker_opened" not in done.stderr
