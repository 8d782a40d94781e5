"""Real jobs, looked at while they run: what is seen is what their summary says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from command import without_rights
from desk import Desk, Here
from faultreplies import answer, cut, held, rate_limited, stalled
from looking import Look, found, looking
from study import Study
from watching import Watch, children, until

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.job import run_job_async
from llmbatch.jobs.manifest.manifest import read_manifest
from llmbatch.jobs.summaryfile import summary_values
from llmbatch.jobs.watching.client import running
from llmbatch.jobs.watching.listing import listed

SUM = ("--summary", "sum.json")


def folder(environ: dict[str, str]) -> Path:
    return Path(environ["XDG_RUNTIME_DIR"]) / "llmbatch"


def agrees(message: dict[str, Any], desk: Desk) -> bool:
    """Whether the last message has the summary that was written, and the page's own figures fit."""
    summary = message["summary"]
    assert summary == desk.summary()
    assert message["elapsed_s"] == summary["wall_s"]
    assert message["total"] == summary["total"]
    assert message["done"] == sum([*summary["rows"].values(), *summary["skipped"].values()])
    point = message["timeline"]["points"][-1]
    assert point[2] == message["done"]
    assert point[4] == summary["usage"]["output_tokens"]
    assert (message["in_flight"], message["left_s"]) == (0, None)
    for name, bars in message["histograms"].items():
        if bars:
            low, high = bars[0][0] * 0.97, bars[-1][1] * 1.03
            assert all(low <= value <= high for value in summary[name].values())
    return True


async def watched(desk: Desk, environ: dict[str, str], look: Look) -> None:
    """Rows come, and what is told of them moves."""
    first = await look.until(lambda message: message["type"] == "job" and message["total"])
    assert first["state"] == "running"
    assert first["summary"]["exit_code"] is None
    assert first["folder"] == str(desk.folder)
    assert first["output"] == str(desk.folder / "in.results.jsonl")


async def test_a_job_is_seen_while_it_runs_and_its_end_is_its_summary(
    desk: Desk, environ: dict[str, str]
) -> None:
    desk.prompts(12)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    limits = ("--concurrency", "4", "--rpm", "6000")
    async with desk.running("in.jsonl", *SUM, *limits, env=environ) as job:
        await watch.requests(4)
        [entry] = await found(environ, str(desk.folder))
        assert (entry.command, entry.done, entry.total) == ("run", 0, 12)
        async with looking(entry.job, environ) as look:
            await watched(desk, environ, look)
            told = await look.until(lambda message: message.get("in_flight") == 4)
            assert (told["concurrency"], told["pid"], told["command"]) == (4, job.pid, "run")
            [limit] = told["limits"]
            used = round(4 / 6000, 4)
            assert (limit["rpm"], limit["rpm_used"], limit["tpm"]) == (6000, used, None)
            release.set()
            last = await look.last()
        done = await job.ended()
    assert done.code == 0, done
    assert last["state"] == "finished"
    assert agrees(last, desk)
    assert look.text("r1") == "You said: say 1"
    ends = [said for said in look.said if said["type"] == "done"]
    assert {said["result"]["status"] for said in ends} == {"ok"}
    assert not {"text", "output"} & ends[0]["result"].keys(), "it is not told twice"
    assert list(folder(environ).iterdir()) == [], "its socket is gone"


async def test_what_was_written_before_somebody_looked_is_on_screen_at_once(
    desk: Desk, environ: dict[str, str]
) -> None:
    desk.prompts(3)
    release = asyncio.Event()
    watch = Watch(desk.server, stalled(release, after=4))
    async with desk.running("in.jsonl", "--concurrency", "3", env=environ) as job:
        await watch.requests(3)
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            await look.until(lambda message: message.get("text"))
            assert look.text("r1") or look.text("r2")
        release.set()
        assert (await job.ended()).code == 0


async def test_a_broken_answer_is_void_and_the_next_attempt_is_told(
    desk: Desk, environ: dict[str, str]
) -> None:
    desk.prompts(1)
    release = asyncio.Event()
    desk.server.replies = [cut(4, text="one two three four"), stalled(release, text="better")]
    async with desk.running("in.jsonl", *SUM, "--retries", "1", env=environ) as job:
        await until(lambda: len(desk.server.calls) == 2, "it asks again")
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            await look.next()
            release.set()
            last = await look.last()
        assert (await job.ended()).code == 0
    assert look.text("r1") == "better"
    assert {said["attempt"] for said in look.said if said["type"] == "chunk"} == {2}
    assert agrees(last, desk)


async def test_two_jobs_at_once_are_two(desk: Desk, environ: dict[str, str]) -> None:
    desk.prompts(2)
    desk.prompts(3, name="other.jsonl")
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with (
        desk.running("in.jsonl", env=environ) as one,
        desk.running("other.jsonl", env=environ) as two,
    ):
        await watch.requests(5)
        entries = await found(environ, str(desk.folder), count=2)
        assert sorted(entry.total or 0 for entry in entries) == [2, 3]
        assert len({entry.job for entry in entries}) == 2
        release.set()
        assert [(await job.ended()).code for job in (one, two)] == [0, 0]
    assert not [job for job in await running(environ) if str(desk.folder) in (job.output or "")]


async def test_with_workers_figures_and_answers_are_those_of_all(
    desk: Desk, environ: dict[str, str]
) -> None:
    desk.prompts(30)
    release = asyncio.Event()
    watch = Watch(desk.server, stalled(release, after=4))
    flags = ("--processes", "2", "--concurrency", "8", *SUM, "--tpm", "9000000")
    async with desk.running("in.jsonl", *flags, env=environ) as job:
        await watch.requests(8)
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            told = await look.until(lambda message: message.get("in_flight") == 8)
            assert told["concurrency"] == 8
            while len({said["row"] for said in look.said if said.get("text")}) < 2:
                await look.next()  # of each worker one
        async with looking(entry.job, environ) as look:
            await look.until(lambda message: message.get("text"))
            assert {said["attempt"] for said in look.said if said["type"] == "chunk"} == {1}
            assert look.said[0]["limits"][0]["tpm"] == 9_000_000
            release.set()
            last = await look.last()
        assert (await job.ended()).code == 0
    ended = {said["row"] for said in look.said if said["type"] == "done"}
    assert ended
    for row in ended:
        assert look.text(row) == f"You said: say {row[1:]}"
    assert agrees(last, desk)


async def test_a_worker_that_dies_takes_nothing_of_the_picture_with_it(
    desk: Desk, environ: dict[str, str]
) -> None:
    desk.prompts(12)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    flags = ("--processes", "2", "--concurrency", "4", *SUM)
    async with desk.running("in.jsonl", *flags, env=environ) as job:
        await watch.requests(4)
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            await look.until(lambda message: message.get("in_flight") == 4)
            os.kill(children(job.pid)[0], signal.SIGKILL)
            told = await look.until(lambda message: message.get("notices"))
            assert "was ended by SIGKILL" in told["notices"][0]
            await look.until(lambda message: message.get("in_flight") == 4)
            release.set()
            last = await look.last()
        assert (await job.ended()).code == 0
    assert agrees(last, desk)


async def test_a_job_that_is_killed_is_gone_with_its_last_figures_and_its_socket_is_swept(
    desk: Desk, environ: dict[str, str]
) -> None:
    desk.prompts(8)
    watch = Watch(
        desk.server, lambda call: answer() if call.prompt < "say 3" else held(never)(call)
    )
    never = asyncio.Event()
    async with desk.running("in.jsonl", "--concurrency", "4", env=environ) as job:
        await watch.requests(6)
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            await look.until(lambda message: message.get("done") == 2 and "summary" in message)
            job.send(signal.SIGKILL)
            last = await look.last()
        await job.ended()
        assert (last["type"], last["state"], last["done"]) == ("job", "gone", 2)
        assert last["in_flight"] == 0
        assert len(list(folder(environ).iterdir())) == 1, "it could not clear away"
        assert entry.job not in {each.job for each in await running(environ)}
        assert list(folder(environ).iterdir()) == []
    never.set()
    manifest = read_manifest(desk.folder / "in.results.jsonl")
    assert manifest is not None
    [told] = listed([], [Result("in.results.jsonl", "x", manifest)], str(desk.folder))
    assert (told.state, told.file, told.ended_at) == ("gone", "in.results.jsonl", None)


async def test_the_next_job_sweeps_what_a_killed_one_left(
    desk: Desk, environ: dict[str, str]
) -> None:
    desk.prompts(1)
    watch = Watch(desk.server, held(asyncio.Event()))
    async with desk.running("in.jsonl", env=environ) as job:
        await watch.requests(1)
        job.send(signal.SIGKILL)
        await job.ended()
    assert len(list(folder(environ).iterdir())) == 1
    desk.server.replies = answer()
    assert (await desk.run("in.jsonl", env=environ)).code == 0
    assert list(folder(environ).iterdir()) == []


@pytest.mark.parametrize(("signals", "cause"), [(1, "SIGINT"), (2, "SIGTERM")])
async def test_an_interrupted_job_says_so_and_a_resumed_one_counts_what_was_done(
    desk: Desk, environ: dict[str, str], signals: int, cause: str
) -> None:
    desk.prompts(6)
    release = asyncio.Event()
    watch = Watch(desk.server, lambda c: answer() if c.prompt < "say 3" else held(release)(c))
    async with desk.running("in.jsonl", *SUM, "--concurrency", "2", env=environ) as job:
        await watch.requests(4)
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            await look.until(lambda message: message.get("done") == 2 and "summary" in message)
            job.send(signal.SIGINT)
            told = await look.until(lambda message: message.get("notices"))
            assert told["notices"] == ["interrupted: stopping"]
            if signals == 2:
                job.send(signal.SIGTERM)
            else:
                release.set()
            last = await look.last()
        assert (await job.ended()).code == last["summary"]["exit_code"]
    assert last["state"] == "stopped"
    assert last["summary"]["stopped"]["cause"] == cause
    assert agrees(last, desk)

    release.set()
    again = asyncio.Event()
    watch = Watch(desk.server, held(again))
    before = len(desk.server.calls)
    async with desk.running("in.jsonl", *SUM, "--concurrency", "2", env=environ) as job:
        await watch.requests(before + 2)
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            told = await look.until(lambda message: message.get("in_flight") == 2)
            assert told["done"] == sum(told["summary"]["skipped"].values()) > 0
            again.set()
            last = await look.last()
        assert (await job.ended()).code == 0
    assert (last["done"], last["total"]) == (6, 6)
    assert agrees(last, desk)


async def test_failures_by_cause_and_pauses_are_told(desk: Desk, environ: dict[str, str]) -> None:
    desk.prompts(3)
    desk.server.replies = rate_limited(retry_after="30")
    async with desk.running("in.jsonl", *SUM, "--grace", "0", env=environ) as job:
        [entry] = await found(environ, str(desk.folder))
        async with looking(entry.job, environ) as look:
            told = await look.until(lambda message: message.get("notices"))
            assert any("asks for a pause of 30s" in notice for notice in told["notices"])
            told = await look.until(lambda m: m.get("summary", {}).get("retries"))
            assert set(told["summary"]["retries"]) == {"rate_limited"}
            job.send(signal.SIGINT)
            last = await look.last()
        await job.ended()
    assert agrees(last, desk)


async def test_no_live_publishes_nothing(desk: Desk, environ: dict[str, str]) -> None:
    desk.prompts(1)
    for flags, more in ((("--no-live",), {}), ((), {"LLMBATCH_LIVE": "false"})):
        release = asyncio.Event()
        watch = Watch(desk.server, held(release))
        before = len(desk.server.calls)
        args = ("in.jsonl", "--fresh", "--force", *flags)
        async with desk.running(*args, env={**environ, **more}) as job:
            await watch.requests(before + 1)
            assert not folder(environ).exists()
            assert not [j for j in await running(environ) if str(desk.folder) in (j.output or "")]
            release.set()
            assert (await job.ended()).code == 0


async def test_a_program_of_its_own_is_not_published(here: Here, environ: dict[str, str]) -> None:
    here.prompts(2)
    assert (await here.run("in.jsonl", env=environ)).code == 0
    assert not folder(environ).exists()


async def test_a_program_may_let_its_job_be_looked_at(
    here: Here, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.prompts(3)
    monkeypatch.setenv("XDG_RUNTIME_DIR", environ["XDG_RUNTIME_DIR"])
    page = (Path(__file__).parents[2] / "docs" / "watching.md").read_text()
    [code] = [block for block in page.split("```")[1::2] if "Publisher" in block]
    release = asyncio.Event()
    Watch(here.server, stalled(release))
    config = JobConfig(inputs=("in.jsonl",), base_url=here.server.url, model="m")
    body = "".join(f"    {line}\n" for line in code.removeprefix("python\n").splitlines())
    space: dict[str, Any] = {"config": config, "run_job_async": run_job_async}
    exec(f"async def program():\n{body}    return summary\n", space)
    program = asyncio.create_task(space["program"]())
    [entry] = await found(environ, str(here.folder))
    async with looking(entry.job, environ) as look:
        await look.until(lambda message: message.get("text"))
        release.set()
        last = await look.last()
    assert last["summary"] == summary_values(await program, 0)
    assert list(folder(environ).iterdir()) == []


@pytest.mark.parametrize("how", ["missing", "file", "read-only", "full", "link", "open to others"])
async def test_where_a_job_cannot_be_published_it_runs_as_before(
    desk: Desk, environ: dict[str, str], how: str, request: pytest.FixtureRequest
) -> None:
    desk.prompts(3)
    place, env, more = Path(environ["XDG_RUNTIME_DIR"]), dict(environ), {}
    match how:
        case "missing":
            place.rmdir()
        case "file":
            (place / "llmbatch").write_text("mine")
        case "read-only":
            place.chmod(0o500)
            more = {"preexec_fn": without_rights}
        case "full":
            disk: Path = request.getfixturevalue("small_disk")
            disk.chmod(0o700)
            (disk / "llmbatch").mkdir(mode=0o700)
            with suppress(OSError):
                for n in range(10_000):
                    (disk / "llmbatch" / f"{n}").write_bytes(bytes(4096))
            env = {"XDG_RUNTIME_DIR": str(disk)}
        case "link":
            (place / "llmbatch").symlink_to(desk.folder)
        case "open to others":
            (place / "llmbatch").mkdir()
            (place / "llmbatch").chmod(0o777)
    done = await desk.run("in.jsonl", *SUM, env=env, **more)
    assert (done.code, done.last[:14]) == (0, "llmbatch: 3 ok"), done
    assert "sock" not in done.stderr
    assert not list(desk.folder.glob("*.sock*"))
    assert not list(place.glob("llmbatch/*.sock*"))


async def test_an_analysis_is_seen_in_chunks(study: Study, environ: dict[str, str]) -> None:
    study.document()
    study.model.hold(lambda ask: ask.kind == "report")
    async with study.reading("-o", "report.md", *SUM, env=environ) as job:
        await study.model.seen(lambda ask: ask.held)
        [entry] = await found(environ, str(study.folder))
        assert entry.command == "analyze"
        async with looking(entry.job, environ) as look:
            told = await look.until(lambda message: message["type"] == "job")
            assert told["done"] == told["total"] > 1
            assert told["summary"]["analysis"]["coverage"]["failed"] == 0
            assert told["inputs"] == ["big.txt"]
            study.model.release()
            last = await look.last()
        assert (await job.ended()).code == 0
    assert last["summary"] == json.loads((study.folder / "sum.json").read_text())
    assert last["summary"]["analysis"]["report"]
    assert last["state"] == "finished"


class Result:
    def __init__(self, file: str, path: str, manifest: Any) -> None:
        self.file, self.path, self.manifest = file, path, manifest
