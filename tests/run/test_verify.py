"""``llmbatch verify`` as a command, on outputs of real runs."""

from __future__ import annotations

import asyncio
import json
import signal

from command import Done, command
from desk import Desk
from faultreplies import answer, error, held
from watching import Watch

OUT = "in.results.jsonl"


async def verify(desk: Desk, *args: str) -> Done:
    return await command("verify", *args, cwd=desk.folder)


async def test_a_run_and_its_resume_leave_an_output_that_is_well(desk: Desk) -> None:
    desk.prompts(5)
    desk.server.replies = [error(400), *[answer() for _ in range(4)]]
    assert (await desk.run("in.jsonl", "--concurrency", "1", "--retries", "0")).code == 1
    done = await verify(desk, OUT, "--input", "in.jsonl")
    assert done.code == 0, done
    assert "1 row failed: which is a result, too" in done.stdout
    assert (await verify(desk, OUT, "--require-ok")).code == 1
    desk.server.replies = None
    assert (await desk.run("in.jsonl")).code == 0
    done = await verify(desk, OUT, "--require-ok")
    assert done.code == 0, done
    assert "all is well" in done.stdout


async def test_a_killed_run_is_not_well_and_its_resume_is(desk: Desk) -> None:
    desk.prompts(3)
    watch = Watch(desk.server, held(asyncio.Event()))
    async with desk.running("in.jsonl") as job:
        await watch.requests(3)
        job.send(signal.SIGKILL)
        await job.ended()
    done = await verify(desk, OUT, "--json")
    assert done.code == 1
    found = json.loads(done.stdout)
    assert (found["well"], found["problems"]["missing_row"]["count"]) == (False, 3)
    assert "killed?" in found["problems"]["manifest"]["first"][0]["message"]
    desk.server.replies = None
    assert (await desk.run("in.jsonl")).code == 0
    assert (await verify(desk, OUT)).code == 0


async def test_problems_are_listed_with_file_line_and_id(desk: Desk) -> None:
    desk.prompts(2)
    assert (await desk.run("in.jsonl")).code == 0
    path = desk.folder / OUT
    path.write_bytes(path.read_bytes().replace(b'"id":"r2"', b'"id":"r9"'))
    done = await verify(desk, OUT, "--input", "in.jsonl")
    assert done.code == 1
    assert "no row of the input has this id" in done.stdout
    assert "in.jsonl:2: r2: has no result" in done.stdout


async def test_what_cannot_be_read_has_its_exit_code(desk: Desk) -> None:
    desk.prompts(2)
    assert (await verify(desk, OUT)).code == 2
    assert (await verify(desk, OUT, "--input", "in.jsonl")).code == 3
    assert (await verify(desk, OUT, "--input", "none.jsonl")).code == 3
