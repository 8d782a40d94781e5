"""`--processes` where workers get stuck or go at the wrong moment, and inputs that change."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from desk import Desk, Here
from faultreplies import held
from watching import Watch, children, is_alive, until

TWO = ("--processes", "2")


async def test_the_last_row_of_a_pipe_is_asked_though_whoever_it_was_read_for_is_gone(
    desk: Desk,
) -> None:
    async with desk.running("-", "-o", "out.jsonl", *TWO, stdin=asyncio.subprocess.PIPE) as job:
        watch = Watch(desk.server)
        job.stdin.write(b'{"id": "first", "prompt": "say"}\n')
        await watch.requests(1)
        for victim in children(job.pid):
            os.kill(victim, signal.SIGKILL)
            await job.heard(f"(process {victim}) was ended by SIGKILL")
        await until(lambda: ready(job.pid) == 2, "two others are there and wait for rows")
        job.stdin.write(b'{"id": "last", "prompt": "say more"}\n')
        job.stdin.close()
        done = await job.ended()
    assert done.code == 0, done
    assert set(desk.results("out.jsonl")) == {"first", "last"}


async def test_a_worker_that_is_stuck_does_not_hold_up_the_end(desk: Desk) -> None:
    desk.prompts(40)
    watch = Watch(desk.server, held(asyncio.Event()))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "4", "--grace", "0") as job:
        await watch.requests(4)
        stuck = children(job.pid)[0]
        os.kill(stuck, signal.SIGSTOP)
        job.send(signal.SIGTERM)
        done = await job.ended()
    assert done.code == 143, done
    assert f"(process {stuck}) does not end" in done.stderr
    assert not is_alive(stuck)


async def test_ids_of_an_input_that_changes_while_it_is_read_stop_no_worker(desk: Desk) -> None:
    """Its last rows get one id when the first ones are asked, and it was looked through before."""
    pad = "x" * 2000
    path = desk.write(*({"id": f"r{n:03}", "prompt": f"say {n}", "pad": pad} for n in range(900)))
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "4") as job:
        await watch.requests(4)
        data = path.read_bytes()
        for n in range(840, 900):
            data = data.replace(b'"r%03d"' % n, b'"same"')
        path.write_bytes(data)
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert "worker" not in done.stderr
    assert len(desk.server.calls) == 900
    assert sum(line["id"] == "same" for line in desk.lines()) == 60


async def test_workers_look_for_the_cache_where_the_job_does(here: Here, tmp_path: Path) -> None:
    here.prompts(8)
    home = tmp_path / "elsewhere"
    environ = {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    first = await here.run("in.jsonl", *TWO, "--cache", env=environ)
    assert first.code == 0
    again = await here.run("in.jsonl", *TWO, "--cache", "-o", "out.jsonl", env=environ)
    assert again.code == 0
    assert len(here.server.calls) == 8
    assert any(home.rglob("*"))


def ready(job: int) -> int:
    """Workers that have loaded what they ask with, and wait for rows (Linux)."""
    return sum(
        "_http_parser" in Path(f"/proc/{pid}/maps").read_text()
        and ") S " in Path(f"/proc/{pid}/stat").read_text()
        for pid in children(job)
    )
