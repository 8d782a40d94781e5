"""``--cache`` through the real command: answers over jobs, bad folders, kills, failing disks."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pytest
from command import command, without_rights
from desk import Desk
from faultreplies import Call, Recipe, answer, error

FILE = "llmbatch-cache.sqlite3"
SUM = ("--summary", "sum.json")


def check(path: Path) -> int:
    """The number of entries of a database that is whole."""
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        entries: int = database.execute("SELECT count(*) FROM answers").fetchone()[0]
    finally:
        database.close()
    return entries


async def test_another_job_takes_the_answers_that_are_there(desk: Desk) -> None:
    desk.prompts(20)
    assert (await desk.run("in.jsonl", "--cache")).code == 0
    rows = [{"id": f"x{n}", "prompt": f"say {n}", "mine": n} for n in range(11, 31)]
    desk.write(*rows, name="next.jsonl")
    done = await desk.run("next.jsonl", "--cache", *SUM)
    assert done.code == 0, done
    assert len(desk.server.calls) == 30
    assert desk.summary()["reused"] == {"cached": 10}
    assert desk.summary()["attempts"] == 10
    assert "reused     10 were in the cache" in done.stderr
    found = desk.results("next.results.jsonl")
    for row_id in ("x11", "x30"):
        assert found[row_id]["output"] == f"You said: say {row_id[1:]}"
    hit, asked = found["x11"], found["x30"]
    assert hit["metrics"]["cached"] is True
    assert (hit["cost_usd"], hit["usage"]["output_tokens"]) == (0, 0)
    assert hit["metadata"] == {"mine": 11}
    assert "cached" not in asked["metrics"]
    where = desk.folder / ".cache" / "llmbatch" / "answers"
    assert check(where / FILE) == 30
    assert where.stat().st_mode & 0o777 == 0o700
    said = await command("cache", "stats", cwd=desk.folder)
    assert f"folder   {where}" in said.stdout
    assert "entries  30\n" in said.stdout
    assert "hits     10\n" in said.stdout
    said = await command("cache", "clear", cwd=desk.folder)
    assert "removed 30 answers" in said.stdout
    assert check(where / FILE) == 0


async def test_other_words_or_parameters_are_another_question(desk: Desk) -> None:
    desk.write({"prompt": "say it"})
    for more in ((), ("--param", "seed=7"), ("--system", "Be brief.")):
        done = await desk.run("in.jsonl", "--cache=here", "--fresh", "--force", *more)
        assert done.code == 0, done
    assert len(desk.server.calls) == 3
    assert check(desk.folder / "here" / FILE) == 3


async def test_failures_are_not_kept_and_fallbacks_answers_neither(desk: Desk, second: Any) -> None:
    desk.prompts(4)
    desk.settings(providers={"other": {"base_url": second.url}})

    def reply(call: Call) -> Recipe:
        return error(400, "no") if call.prompt == "say 1" else answer()

    desk.server.replies = reply
    args = ("in.jsonl", "--cache=here", "--fresh", "--force")
    assert (await desk.run(*args)).code == 1
    assert check(desk.folder / "here" / FILE) == 3
    assert (await desk.run(*args, "--fallback", "other/m")).code == 0
    assert check(desk.folder / "here" / FILE) == 3


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--cache", "in.jsonl"), "write --cache=DIR, or put --cache last"),
        (("--cache", "new"), "write --cache=DIR, or put --cache last"),
        (("in.jsonl", "--cache=file"), "is a file, not a folder"),
        (("in.jsonl", "--cache=locked"), "can't be written: Permission denied"),
        (("in.jsonl", "--cache=broken"), "cache is corrupt"),
        (("in.jsonl", "--cache=new", "--cache-size", "10kB"), "too small"),
        (("in.jsonl", "--cache=new", "--no-dedupe"), "leave one of them out"),
    ],
)
async def test_what_can_not_be_a_cache_is_refused_before_anything_is_sent(
    desk: Desk, args: tuple[str, ...], says: str
) -> None:
    desk.prompts(2)
    (desk.folder / "file").write_text("")
    (desk.folder / "locked").mkdir(mode=0o500)
    (desk.folder / "broken").mkdir()
    (desk.folder / "broken" / FILE).write_bytes(b"no database at all " * 999)
    done = await desk.run(*args, preexec_fn=without_rights)
    assert done.code == 2, done
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert desk.server.calls == []
    assert not (desk.folder / "in.results.jsonl").exists()
    if "broken" in args[-1]:
        said = await command("cache", "clear", "--cache", "broken", cwd=desk.folder)
        assert "removed a cache that can't be read" in said.stdout
        assert (await desk.run(*args)).code == 0


async def test_off_turns_a_configured_cache_off(desk: Desk) -> None:
    desk.prompts(2)
    desk.settings(cache="here")
    assert (await desk.run("in.jsonl", "--cache=off", "--no-dedupe")).code == 0
    assert not (desk.folder / "here").exists()
    assert not (desk.folder / "off").exists()


async def test_a_cache_that_breaks_in_the_middle_costs_no_row(desk: Desk) -> None:
    desk.prompts(60)
    where = desk.folder / "here" / FILE

    def reply(call: Call) -> Recipe:
        if call.prompt == "say 20":
            database = sqlite3.connect(where)
            database.executescript("DROP TABLE answers")
            database.close()
        return answer()

    desk.server.replies = reply
    done = await desk.run("in.jsonl", "--cache=here", "--concurrency", "2", *SUM)
    assert done.code == 0, done
    assert len(desk.results()) == 60
    assert done.stderr.count("the job goes on without it") == 1
    assert FILE in desk.summary()["cache_lost"]
    assert "cache      given up" in done.stderr


async def test_workers_share_one_cache_with_each_other_and_with_later_jobs(desk: Desk) -> None:
    desk.prompts(200)
    args = ("in.jsonl", "--cache=here", "--processes", "2", *SUM)
    assert (await desk.run(*args)).code == 0
    assert check(desk.folder / "here" / FILE) == len(desk.server.calls) == 200
    again = await desk.run(*args, "--fresh", "--force")
    assert again.code == 0, again
    assert len(desk.server.calls) == 200
    assert desk.summary()["reused"] == {"cached": 200}
    assert desk.summary()["cost_usd"] == 0
    said = await command("cache", "stats", "--cache", "here", cwd=desk.folder)
    assert "hits     200" in said.stdout
    small = (*args, "--fresh", "--force", "--cache=small", "--cache-size", "1MB")
    desk.server.replies = answer("x" * 20_000)
    assert (await desk.run(*small)).code == 0
    files = (desk.folder / "small").iterdir()
    assert sum(file.stat().st_size for file in files) <= 1_000_000


async def test_a_cache_that_is_removed_in_the_middle_costs_no_row_and_is_said(desk: Desk) -> None:
    desk.prompts(40)

    def reply(call: Call) -> Recipe:
        if call.prompt == "say 20":
            shutil.rmtree(desk.folder / "here")
        return answer()

    desk.server.replies = reply
    done = await desk.run("in.jsonl", "--cache=here", "--concurrency", "2", *SUM)
    assert done.code == 0, done
    assert len(desk.results()) == 40
    assert f"{FILE}: it was removed while the job ran" in done.stderr
    assert "removed" in desk.summary()["cache_lost"]


async def test_a_full_disk_ends_the_cache_and_not_the_job(desk: Desk) -> None:
    desk.prompts(60)
    desk.server.replies = answer("x" * 20_000, chunks=3)
    (desk.folder / "warm.jsonl").write_text('{"prompt": "first"}\n')
    assert (await desk.run("warm.jsonl", "--cache=here")).code == 0
    # Nothing may grow beyond 200 kB but what goes to the pipe of standard output.
    done = await desk.run(
        "in.jsonl", "--cache=here", "-o", "-", "--concurrency", "4", *SUM, preexec_fn=small_files
    )
    assert done.code == 0, done
    assert len(done.stdout.splitlines()) == 60
    assert desk.summary()["cache_lost"]
    check(desk.folder / "here" / FILE)


def small_files() -> None:
    """In the child, before it starts."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


async def test_two_jobs_at_once_survive_kills_with_the_cache_whole(desk: Desk) -> None:
    random = Random(5)
    rows, kills = 120, 3
    for name in ("one", "two"):
        desk.write(
            *({"id": f"{name}{n}", "prompt": f"say {n}"} for n in range(rows)), name=f"{name}.jsonl"
        )

    async def kill_repeatedly(name: str) -> None:
        args = (f"{name}.jsonl", "--cache=here", "--concurrency", "8")
        for _ in range(kills):
            async with desk.running(*args) as job:
                seen = len(desk.server.calls) + random.randint(5, 40)
                over = asyncio.create_task(job.ended())
                while len(desk.server.calls) < seen and not over.done():
                    await asyncio.sleep(0.002)
                job.send(signal.SIGKILL)
                await over
        done = await desk.run(*args)
        assert done.code == 0, done

    await asyncio.gather(kill_repeatedly("one"), kill_repeatedly("two"))
    entries = check(desk.folder / "here" / FILE)
    assert 0 < entries <= rows
    for name in ("one", "two"):
        found = desk.results(f"{name}.results.jsonl")
        assert len(found) == rows
        for n in range(rows):
            assert found[f"{name}{n}"]["output"] == f"You said: say {n}"


async def test_an_analysis_takes_its_chunks_out_of_the_cache(desk: Desk) -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "Words about it. " * 60 for n in range(12))
    (desk.folder / "doc.txt").write_text(text)
    desk.verb = "analyze"
    args = ("doc.txt", "--cache=here", "--chunk-tokens", "600", "--fold", "concat")
    one = await desk.run(*args, "-o", "one.md", "--results", "one.jsonl")
    assert one.code == 0, one
    asked = len(desk.server.calls)
    assert asked > 2
    two = await desk.run(*args, "-o", "two.md", "--results", "two.jsonl", *SUM)
    assert two.code == 0, two
    assert len(desk.server.calls) == asked
    assert desk.summary()["reused"] == {"cached": asked}
    assert (desk.folder / "one.md").read_text() == (desk.folder / "two.md").read_text()
    assert all(line["chunk"] for line in desk.lines("two.jsonl"))
