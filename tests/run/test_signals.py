"""SIGINT and SIGTERM: nothing new is sent, what is in flight may finish, the rest is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Running
from desk import Desk
from faultreplies import answer, error, held, never, rate_limited, unauthorized
from watching import Watch, children, is_alive, until

from llmbatch.cli.summary import last_line
from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.drain import Drain, Stop
from llmbatch.jobs.job import run_job_async

SIGNALS = [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)]
FOUR = ("in.jsonl", "--concurrency", "4")


@pytest.mark.parametrize(("number", "word", "code"), SIGNALS)
async def test_rows_in_flight_finish_and_nothing_new_is_sent(
    desk: Desk, number: int, word: str, code: int
) -> None:
    desk.prompts(20)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running(*FOUR, "--grace", "50s", "--summary", "sum.json") as job:
        await watch.requests(4)
        job.send(number)
        await job.heard(f"{word}: stopping; 4 rows in flight")
        release.set()
        done = await job.ended()
    assert done.code == code
    assert len(desk.server.calls) == 4
    assert {result["status"] for result in desk.results().values()} == {"ok"}
    assert set(desk.results()) == {"r1", "r2", "r3", "r4"}
    assert done.last.startswith(f"llmbatch: stopped early ({word}): 4 ok, 16 not run in ")
    assert done.last.endswith(f" -> in.results.jsonl (exit {code})")
    assert "not run    16 (run the same command again to go on)" in done.stderr
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert (summary["exit_code"], summary["not_run"]) == (code, 16)
    assert summary["stopped"]["cause"] == signal.Signals(number).name

    again = await desk.run(*FOUR)
    assert again.code == 0
    assert "16 ok (4 done before)" in again.last
    assert len(desk.results()) == len(desk.server.calls) == 20


async def test_what_does_not_finish_within_the_grace_period_is_left_for_the_next_run(
    desk: Desk,
) -> None:
    desk.prompts(6)
    watch = Watch(desk.server, lambda call: answer() if call.prompt == "say 1" else never())
    async with desk.running(*FOUR, "--grace", "0.1s") as job:
        await watch.requests(5)
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130
    assert "1 ok, 5 not run" in done.last
    assert list(desk.results()) == ["r1"]
    desk.server.replies = answer()
    assert (await desk.run(*FOUR)).code == 0
    assert len(desk.results()) == 6


@pytest.mark.parametrize(
    ("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
async def test_a_second_signal_ends_at_once_and_still_sums_up(
    desk: Desk, second: int, code: int
) -> None:
    desk.prompts(6)
    watch = Watch(desk.server, lambda call: answer() if call.prompt == "say 1" else never())
    async with desk.running(*FOUR, "--grace", "1h", "--summary", "sum.json") as job:
        await watch.requests(5)
        job.send(signal.SIGINT)
        await job.heard("4 rows in flight")
        job.send(second)
        done = await job.ended()
    assert done.code == code
    assert "ed, ended at once): 1 ok, 5 not run" in done.last
    assert done.last.endswith(f"(exit {code})")
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert summary["exit_code"] == code
    assert summary["stopped"]["cause"] == signal.Signals(second).name
    assert list(desk.results()) == ["r1"]


async def test_after_a_fatal_error_the_first_signal_ends_at_once(desk: Desk) -> None:
    desk.prompts(4)
    first = asyncio.Event()

    async def choose(call: Any) -> Any:
        if call.prompt != "say 4":
            return never()
        await first.wait()
        return unauthorized()

    watch = Watch(desk.server, choose)
    async with desk.running(*FOUR, "--grace", "1h") as job:
        await watch.requests(4)
        first.set()
        await job.heard("rows in flight")
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130
    assert done.last.endswith("(exit 130)")


async def test_rows_that_wait_for_the_rate_limit_are_let_go_at_once(desk: Desk) -> None:
    desk.prompts(5)
    watch = Watch(desk.server)
    async with desk.running(*FOUR, "--rpm", "0.01", "--grace", "1h") as job:
        await watch.requests(1)
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130
    assert "1 ok, 4 not run" in done.last
    assert len(desk.server.calls) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_rows_that_back_off_are_let_go_at_once(desk: Desk, number: int) -> None:
    desk.prompts(4)
    watch = Watch(desk.server, rate_limited(retry_after="3000"))
    async with desk.running(*FOUR, "--max-wait", "1h", "--grace", "1h") as job:
        await watch.requests(4)
        job.send(number)
        done = await job.ended()
    assert done.code == 128 + number
    assert "none ran, 4 not run" in done.last
    assert desk.results() == {}, "a row that was not given up is no error"
    desk.server.replies = answer()
    assert (await desk.run(*FOUR)).code == 0


async def test_a_row_that_fails_while_the_job_ends_is_not_tried_again(desk: Desk) -> None:
    desk.prompts(1)
    release = asyncio.Event()

    async def fail(call: Any) -> Any:
        await release.wait()
        return error(503)

    watch = Watch(desk.server, fail)
    async with desk.running(*FOUR, "--grace", "1h") as job:
        await watch.requests(1)
        job.send(signal.SIGINT)
        await job.heard("1 row in flight")
        release.set()
        done = await job.ended()
    assert (done.code, len(desk.server.calls)) == (130, 1)
    assert desk.results() == {}


async def test_a_silent_standard_input_does_not_hold_up_the_end(desk: Desk) -> None:
    watch = Watch(desk.server)
    async with desk.running("-", "-o", "out.jsonl", stdin=asyncio.subprocess.PIPE) as job:
        job.stdin.write(b'{"prompt": "hello"}\n')
        await watch.requests(1)
        job.send(signal.SIGTERM)
        done = await job.ended()
        job.stdin.close()
    assert done.code == 143
    assert done.stderr.splitlines()[-1] == done.last
    assert done.last.startswith("llmbatch: stopped early (terminated): 1 ok in ")
    assert [line["output"] for line in desk.lines("out.jsonl")] == ["You said: hello"]


async def test_a_standard_input_that_never_says_anything_does_not_either(desk: Desk) -> None:
    async with desk.running("-", "-o", "out.jsonl", stdin=asyncio.subprocess.PIPE) as job:
        await until((desk.folder / "out.jsonl").exists, "the output is there")
        job.send(signal.SIGINT)
        done = await job.ended()
        job.stdin.close()
    assert done.code == 130
    assert "stopped early (interrupted): none ran" in done.last
    assert "Fatal Python error" not in done.stderr


async def test_results_on_standard_output_are_whole_after_a_signal(desk: Desk) -> None:
    desk.prompts(8)
    release = asyncio.Event()
    watch = Watch(desk.server, lambda call: held(release) if call.prompt > "say 4" else answer())
    async with desk.running(*FOUR, "-o", "-", "--order", "input") as job:
        await watch.requests(8)
        job.send(signal.SIGINT)
        await job.heard("4 rows in flight")
        release.set()
        done = await job.ended()
    assert done.code == 130
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [
        f"r{number}" for number in range(1, 9)
    ]
    assert "run the same command again" not in done.stderr, "standard output can't be resumed"


async def test_a_job_that_is_stopped_while_its_input_is_scanned_opens_nothing(desk: Desk) -> None:
    source, drain = desk.prompts(3), Drain()
    drain.request(Stop("SIGINT", "interrupted"))
    config = JobConfig(inputs=(str(source),), base_url=desk.server.url, model="m")
    summary = await run_job_async(config, environ={}, drain=drain)
    assert (summary.stopped, summary.rows, summary.not_run) == (drain.stop, {}, None)
    assert [path.name for path in desk.folder.iterdir()] == ["in.jsonl"]
    assert last_line(summary, 130).startswith("llmbatch: stopped early (interrupted): none ran in ")


@pytest.mark.parametrize(("number", "word", "code"), SIGNALS)
async def test_one_signal_is_enough_while_the_output_is_a_pipe_that_nobody_reads(
    desk: Desk, number: int, word: str, code: int
) -> None:
    desk.prompts(3)
    os.mkfifo(desk.folder / "pipe")
    async with desk.running("in.jsonl", "-o", "pipe", "--summary", "sum.json") as job:
        tasks = Path(f"/proc/{job.pid}/task")
        await until(lambda: len(list(tasks.iterdir())) > 1, "it has a thread to open files")
        job.send(number)
        done = await job.ended()
    assert done.code == code
    assert done.last.startswith(f"llmbatch: stopped early ({word}): none ran in ")
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert (summary["exit_code"], summary["stopped"]["message"]) == (code, word)
    assert not desk.server.calls


@pytest.fixture
def local(smollm2: Path) -> dict[str, Any]:
    """Arguments that let the embedded model answer."""
    return {"route": False, "env": {"LLMBATCH_MODELS": str(smollm2.parent)}}


@contextlib.contextmanager
def child_of(job: Running) -> Iterator[int]:
    """The one child of the command; killed where the test fails to see it end."""
    (child,) = children(job.pid)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


@pytest.mark.model
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_no_model_is_left_behind_by_a_signal_while_it_starts(
    desk: Desk, local: dict[str, Any], number: int, code: int
) -> None:
    desk.prompts(4)
    async with desk.running("in.jsonl", **local) as job:
        await until(lambda: bool(children(job.pid)), "the model's process is there")
        with child_of(job) as child:
            job.send(number)
            done = await job.ended()
            assert not is_alive(child)
    assert done.code == code
    assert "none ran, 4 not run" in done.last


@pytest.mark.model
async def test_the_model_answers_what_is_in_flight_and_then_goes(
    desk: Desk, local: dict[str, Any]
) -> None:
    desk.prompts(50)
    short = ("--max-tokens", "8", "--grace", "1h", "-o", "-")
    async with desk.running("in.jsonl", *short, **local) as job:
        await job.heard('"status":', on="stdout")
        with child_of(job) as child:
            job.send(signal.SIGINT)
            await job.heard("in flight may finish")
            done = await job.ended()
            assert not is_alive(child)
    assert done.code == 130
    assert len(done.stdout.splitlines()) >= 2
    for line in done.stdout.splitlines():
        assert json.loads(line)["status"] in ("ok", "truncated")


@pytest.mark.model
async def test_no_model_is_left_behind_by_a_kill(desk: Desk, local: dict[str, Any]) -> None:
    desk.prompts(4)
    async with desk.running("in.jsonl", **local) as job:
        await until(lambda: bool(children(job.pid)), "the model's process is there")
        with child_of(job) as child:
            job.send(signal.SIGKILL)
            await job.ended()
            await until(lambda: not is_alive(child), "the model's process has ended")
