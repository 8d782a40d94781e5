"""The list of jobs and a job that is watched: real jobs, seen without a flag of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from command import command, running
from faultreplies import answer, stalled
from pageserver import Ear, Page, page
from watching import until

from faultserver import FaultServer
from llmbatch.jobs.watching.client import follow as follow_a_job
from llmbatch.jobs.watching.client import running as jobs_of_this_host


@pytest.fixture
async def model() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("r")
    folder.chmod(0o700)
    return {"XDG_RUNTIME_DIR": str(folder)}


@pytest.fixture
async def server(tmp_path: Path, runtime: dict[str, str]) -> AsyncIterator[Page]:
    async with page(tmp_path, environ=runtime) as opened:
        yield opened


def prompts(folder: Path, rows: int = 3) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"Say {n}"}) + "\n" for n in range(rows)))
    return path


def asking(model: FaultServer) -> tuple[str, ...]:
    return ("run", "prompts.jsonl", "--model", "m", "--base-url", model.url)


async def listed(ear: Ear, folder: Path, **fields: Any) -> dict[str, Any]:
    """The job of this folder, as soon as it stands in the list like that."""
    while True:
        for job in (await ear.next("jobs"))["jobs"]:
            ours = job["output"] == str(folder / "prompts.results.jsonl")
            if ours and all(job[name] == value for name, value in fields.items()):
                return job


async def test_a_job_is_seen_while_it_runs_and_after_it_ended(
    server: Page, model: FaultServer, runtime: dict[str, str], tmp_path: Path
) -> None:
    hold = asyncio.Event()
    prompts(tmp_path)
    model.replies = stalled(hold, text="One two three four", after=3)
    async with running(*asking(model), cwd=tmp_path, env=runtime) as job, server.browser() as ear:
        seen = await listed(ear, tmp_path, state="running")
        assert (seen["file"], seen["command"]) == ("prompts.results.jsonl", "run")
        await ear.say(type="watch", job=seen["job"])
        told = await ear.next("job", job=seen["job"])
        assert told["state"] == "running"
        chunk = await ear.next("chunk", job=seen["job"])
        async with server.browser() as other:  # who comes later sees what came so far
            await other.say(type="watch", job=seen["job"])
            await other.next("job", job=seen["job"])
            await other.next("chunk", job=seen["job"], row=chunk["row"])
        hold.set()
        last = await ear.next("job", state="finished", job=seen["job"])
        assert (last["done"], last["summary"]["exit_code"]) == (3, 0)
        assert (await job.ended()).code == 0
        ended = await listed(ear, tmp_path, state="finished")
        assert ended["job"] == seen["job"]
        assert (ended["done"], ended["failed"], ended["total"]) == (3, 0, 3)


async def test_a_killed_job_is_gone(
    server: Page, model: FaultServer, runtime: dict[str, str], tmp_path: Path
) -> None:
    prompts(tmp_path)
    model.replies = stalled(asyncio.Event(), after=3)
    async with running(*asking(model), cwd=tmp_path, env=runtime) as job, server.browser() as ear:
        seen = await listed(ear, tmp_path, state="running")
        await ear.say(type="watch", job=seen["job"])
        await ear.next("chunk", job=seen["job"])
        job.send(signal.SIGKILL)
        await ear.next("job", state="gone")
        assert (await listed(ear, tmp_path, state="gone"))["job"] == seen["job"]


async def test_without_a_browser_nothing_is_looked_at(
    server: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    async def look(environ: Any) -> list[Any]:
        looks.append(asyncio.get_running_loop().time())
        return await jobs_of_this_host(environ)

    monkeypatch.setattr("llmbatch.cli.web.board.running", look)
    async with server.browser() as ear:
        await ear.next("jobs")
        assert looks
    while any("_keep" in str(task.get_coro()) for task in asyncio.all_tasks()):
        await asyncio.sleep(0.01)
    before = len(looks)
    async with server.browser() as ear:
        await ear.next("jobs")
    assert len(looks) > before


async def test_a_job_that_is_not_there_is_no_mistake(server: Page) -> None:
    async with server.browser() as ear:
        for name in ("1-1", "../../etc", "", "x" * 10_000, None):
            await ear.say(type="watch", job=name)
        await ear.say(type="stop", chat="never begun")
        await ear.next("jobs")
        assert [m for m in ear.heard if m["type"] == "error"] == []


async def test_many_browsers_see_the_same(
    server: Page, model: FaultServer, runtime: dict[str, str], tmp_path: Path
) -> None:
    prompts(tmp_path)
    model.replies = answer("Done")
    done = await command(*asking(model), cwd=tmp_path, env=runtime)
    assert done.code == 0, done
    async with contextlib.AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(server.browser()) for _ in range(30)]
        found = [await listed(ear, tmp_path, state="finished") for ear in ears]
    assert all(job == found[0] for job in found)


async def test_a_lack_of_descriptors_ends_neither_the_list_nor_the_sight_of_a_job(
    server: Page,
    model: FaultServer,
    runtime: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold, looks = asyncio.Event(), [0, 0]

    async def look(environ: Any) -> list[Any]:
        looks[0] += 1
        if looks[0] % 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return await jobs_of_this_host(environ)

    async def follow(job: str, environ: Any) -> AsyncGenerator[bytes, None]:
        looks[1] += 1
        if looks[1] == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        async for line in follow_a_job(job, environ):
            yield line

    monkeypatch.setattr("llmbatch.cli.web.board.running", look)
    monkeypatch.setattr("llmbatch.cli.web.following.follow", follow)
    prompts(tmp_path)
    model.replies = stalled(hold, after=3)
    async with (
        running(*asking(model), cwd=tmp_path, env=runtime) as job,
        server.browser() as unlucky,
        server.browser() as ear,
    ):
        seen = await listed(ear, tmp_path, state="running")
        await unlucky.say(type="watch", job=seen["job"])
        await unlucky.say(type="stop")
        await unlucky.next("error")  # it has been heard, and so has what was said before
        assert looks[1] == 1
        await ear.say(type="watch", job=seen["job"])
        await ear.next("job", job=seen["job"])
        hold.set()
        assert (await job.ended()).code == 0
        await listed(ear, tmp_path, state="finished")


async def test_a_job_that_begins_while_the_list_is_made_goes_by_its_own_name(
    server: Page,
    model: FaultServer,
    runtime: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompts(tmp_path)
    model.replies = stalled(asyncio.Event(), after=3)
    async with contextlib.AsyncExitStack() as stack:
        begun = False

        async def look(environ: Any) -> list[Any]:
            nonlocal begun
            if begun:
                return await jobs_of_this_host(environ)
            begun = True
            await stack.enter_async_context(running(*asking(model), cwd=tmp_path, env=runtime))
            written = tmp_path / "prompts.results.jsonl.manifest.json"
            await until(written.exists, "the manifest of a job that runs")
            return []

        monkeypatch.setattr("llmbatch.cli.web.board.running", look)
        async with server.browser() as ear:
            seen = await listed(ear, tmp_path, state="running")
            await ear.say(type="watch", job=seen["job"])
            await ear.next("job", job=seen["job"], state="running")
