"""`--processes`: many workers, one output, one order of things, and nothing lost with a worker."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from desk import Desk
from faultreplies import answer, held, unauthorized
from watching import Watch, children, is_alive, until

TWO = ("--processes", "2", "--summary", "sum.json")


@pytest.mark.parametrize("order", ["finish", "input"])
async def test_every_row_has_its_answer_once_whichever_worker_asked_it(
    desk: Desk, order: str
) -> None:
    desk.write(*({"id": f"r{n}", "prompt": f"say {n}", "tag": n} for n in range(300)))
    done = await desk.run("in.jsonl", *TWO, "--order", order)
    assert done.code == 0, done
    lines = desk.lines()
    assert sorted(line["id"] for line in lines) == sorted(f"r{n}" for n in range(300))
    assert all(line["output"] == f"You said: say {line['id'][1:]}" for line in lines)
    assert all(line["metadata"] == {"tag": int(line["id"][1:])} for line in lines)
    assert len(desk.server.calls) == 300
    assert desk.summary()["loop_lag"]["max_s"] > 0
    if order == "input":
        assert [line["line"] for line in lines] == list(range(1, 301))
    again = await desk.run("in.jsonl", *TWO)
    assert again.code == 0, again
    assert len(desk.server.calls) == 300
    assert desk.summary()["skipped"] == {"ok": 300}


async def test_both_workers_ask_and_together_they_keep_the_concurrency(desk: Desk) -> None:
    desk.prompts(60)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "5") as job:
        await watch.requests(5)
        asking = {call.peer for call in desk.server.calls}
        assert len(children(job.pid)) == 2
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert len(asking) == 5
    assert desk.server.peak == 5
    assert len(desk.results()) == 60


async def test_a_killed_worker_is_replaced_and_its_rows_are_asked_again(desk: Desk) -> None:
    desk.prompts(40)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "8") as job:
        await watch.requests(8)
        victim, other = children(job.pid)
        os.kill(victim, signal.SIGKILL)
        await job.heard("was ended by SIGKILL: its ")
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert f"(process {victim}) was ended by SIGKILL" in done.stderr
    assert {row["status"] for row in desk.results().values()} == {"ok"}
    assert len(desk.results()) == 40
    assert len(desk.server.calls) == 44, "the four rows that it had sent are asked twice"
    assert not is_alive(other)


async def test_workers_that_are_killed_again_and_again_lose_nothing(desk: Desk) -> None:
    desk.prompts(400)
    watch = Watch(desk.server, answer(delay=0.002))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "8") as job:
        for so_far in (20, 90, 160, 230):
            await watch.requests(so_far)
            alive = [pid for pid in children(job.pid) if is_alive(pid)]
            if alive:
                os.kill(alive[0], signal.SIGKILL)
        done = await job.ended()
    assert done.code == 0, done
    assert len(desk.results()) == 400
    assert {row["status"] for row in desk.results().values()} == {"ok"}


async def test_a_row_that_kills_workers_fails_and_the_others_are_answered(desk: Desk) -> None:
    """A hook in each worker ends it when it meets the row."""
    hook = poisoned(desk)
    rows = [{"id": f"r{n}", "prompt": f"say {n}"} for n in range(20)]
    desk.write(*rows[:10], {"id": "bad", "prompt": "poison"}, *rows[10:])
    done = await desk.run("in.jsonl", *TWO, "--concurrency", "2", env={"PYTHONPATH": str(hook)})
    assert done.code == 1, done
    found = desk.results()
    bad = found.pop("bad")
    assert (bad["status"], bad["error"]["type"]) == ("error", "worker_lost")
    assert "3 worker processes died while they had this row" in bad["error"]["message"]
    assert len(found) == 20
    assert {row["status"] for row in found.values()} == {"ok"}
    again = await desk.run("in.jsonl", *TWO)
    assert again.code == 0, again
    assert len(desk.results()) == 21


@pytest.mark.parametrize(
    ("number", "word", "code"), [(2, "interrupted", 130), (15, "terminated", 143)]
)
async def test_a_signal_drains_all_workers(desk: Desk, number: int, word: str, code: int) -> None:
    desk.prompts(40)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "6", "--grace", "50s") as job:
        await watch.requests(6)
        job.send(number)
        await job.heard(f"{word}: stopping; 6 rows in flight")
        release.set()
        done = await job.ended()
    assert done.code == code, done
    assert len(desk.server.calls) == 6
    assert {row["status"] for row in desk.results().values()} == {"ok"}
    assert "6 ok, 34 not run" in done.last
    again = await desk.run("in.jsonl", *TWO)
    assert again.code == 0, again
    assert len(desk.results()) == len(desk.server.calls) == 40


async def test_a_second_signal_ends_every_process_at_once(desk: Desk) -> None:
    desk.prompts(20)
    watch = Watch(desk.server, held(asyncio.Event()))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "4", "--grace", "50s") as job:
        await watch.requests(4)
        workers = children(job.pid)
        job.send(signal.SIGINT)
        await job.heard("stopping")
        job.send(signal.SIGINT)
        done = await job.ended()
        await until(lambda: not any(map(is_alive, workers)), "the workers are gone")
    assert done.code == 130
    assert len(workers) == 2


async def test_no_worker_outlives_a_job_that_is_killed(desk: Desk) -> None:
    desk.prompts(60)
    release = asyncio.Event()
    watch = Watch(desk.server, answer())
    async with desk.running("in.jsonl", *TWO, "--concurrency", "4") as job:
        await watch.requests(20)
        watch.recipe = held(release)
        workers = children(job.pid)
        job.send(signal.SIGKILL)
        await job.ended()
        await until(lambda: not any(map(is_alive, workers)), "the workers are gone")
    watch.recipe = answer()
    again = await desk.run("in.jsonl", *TWO)
    assert again.code == 0, again
    assert len(desk.results()) == 60


async def test_the_first_key_that_is_refused_ends_the_job(desk: Desk) -> None:
    desk.prompts(200)
    Watch(desk.server, unauthorized())
    secret = "sk-" + "k3y" * 10
    done = await desk.run("in.jsonl", *TWO, "--concurrency", "4", env={"OPENAI_API_KEY": secret})
    assert done.code == 4, done
    assert len(desk.server.calls) <= 8
    assert secret not in done.stdout + done.stderr
    assert all(secret.encode() not in path.read_bytes() for path in files(desk.folder))


async def test_a_key_command_is_run_once_and_no_process_shows_the_key(desk: Desk) -> None:
    (desk.folder / "key.sh").write_text("echo ran >> runs\necho sk-fr0m-the-comm4nd\n")
    desk.settings(
        providers={"lab": {"base_url": desk.server.url, "api_key_cmd": "sh key.sh"}}, model="lab/m"
    )
    desk.prompts(8)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", *TWO, "--concurrency", "4", route=False) as job:
        await watch.requests(4)
        for pid in (job.pid, *children(job.pid)):
            for name in ("cmdline", "environ"):
                assert b"comm4nd" not in Path(f"/proc/{pid}/{name}").read_bytes()
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert (desk.folder / "runs").read_text() == "ran\n"
    sent = {call.headers.get("Authorization") for call in desk.server.calls}
    assert sent == {"Bearer sk-fr0m-the-comm4nd"}


async def test_rows_of_a_pipe_are_asked_as_they_come(desk: Desk) -> None:
    async with desk.running("-", "-o", "out.jsonl", *TWO, stdin=asyncio.subprocess.PIPE) as job:
        watch = Watch(desk.server)
        for n in range(1, 6):
            job.stdin.write(b'{"id": "r%d", "prompt": "say"}\n' % n)
            await job.stdin.drain()
            await watch.requests(1)
        job.stdin.write(b'{"id": "r1", "prompt": "another"}\n')
        job.stdin.close()
        done = await job.ended()
    assert done.code == 1, done
    found = desk.results("out.jsonl")
    assert found["r1#6"]["error"]["type"] == "duplicate_id"
    assert {f"r{n}" for n in range(1, 6)} < set(found)


async def test_a_model_on_this_machine_has_one_process(desk: Desk) -> None:
    desk.prompts(2)
    done = await desk.run("in.jsonl", *TWO, "-m", "local/smollm2", route=False)
    assert done.code == 2
    assert "--processes 2: local/smollm2 runs on this machine's own cores" in done.stderr


async def test_there_are_never_more_processes_than_requests_in_flight(desk: Desk) -> None:
    desk.prompts(12)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", "--processes", "5", "--concurrency", "3") as job:
        await watch.requests(3)
        assert len(children(job.pid)) == 3
        release.set()
        assert (await job.ended()).code == 0
    assert desk.server.peak == 3


async def test_workers_do_not_take_modules_from_the_working_folder(desk: Desk) -> None:
    (desk.folder / "random.py").write_text("raise SystemExit('taken from the folder')")
    desk.prompts(4)
    done = await desk.run("in.jsonl", *TWO)
    assert done.code == 0, done


async def test_workers_that_cannot_start_end_the_job_and_say_why(desk: Desk) -> None:
    hook = desk.folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import sys\nif 'llmbatch.jobs.worker' in sys.orig_argv: sys.exit('no such luck')\n"
    )
    desk.prompts(4)
    done = await desk.run("in.jsonl", *TWO, env={"PYTHONPATH": str(hook)})
    assert done.code == 4, done
    assert "worker processes end before they have done anything" in done.stderr
    assert "no such luck" in done.stderr
    assert "Traceback" not in done.stderr


def poisoned(desk: Desk) -> Path:
    """A folder for PYTHONPATH, which has a worker die when it reads the word."""
    hook = desk.folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import sys, os, signal\n"
        "if 'llmbatch.jobs.worker' in sys.orig_argv:\n"
        "    import msgspec.json\n"
        "    real = msgspec.json.Decoder\n"
        "    class Poisoned:\n"
        "        def __init__(self, *args, **more):\n"
        "            self.real = real(*args, **more)\n"
        "        def decode(self, data):\n"
        "            if b'poison' in bytes(data):\n"
        "                os.kill(os.getpid(), signal.SIGKILL)\n"
        "            return self.real.decode(data)\n"
        "    msgspec.json.Decoder = Poisoned\n"
    )
    return hook


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
