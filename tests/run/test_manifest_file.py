"""The manifest beside a real output, through runs that end, stop, break off or are killed."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from command import without_rights
from desk import Desk
from faultreplies import answer, error, held
from watching import Watch

ABC = [{"id": name, "prompt": f"say {name}"} for name in "abc"]
PRICES = ("--price-in", "1", "--price-out", "2")
NAME = "in.results.jsonl.manifest.json"


def manifest(desk: Desk, name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((desk.folder / name).read_text())
    return found


def sums(desk: Desk) -> tuple[float, int]:
    lines = [line for line in desk.lines() if line["usage"]]
    tokens = sum(line["usage"]["input_tokens"] + line["usage"]["output_tokens"] for line in lines)
    return sum(line["cost_usd"] for line in lines), tokens


async def test_a_finished_run_says_what_it_was(desk: Desk) -> None:
    desk.write(*ABC)
    done = await desk.run("in.jsonl", *PRICES, "--system", "Be brief.")
    assert done.code == 0, done
    found = manifest(desk)
    assert (found["state"], found["stopped"], found["rows"]) == ("finished", None, {"ok": 3})
    assert (found["total"], found["not_run"], found["runs"]) == (3, 0, 1)
    assert found["config"]["system"] == "Be brief."
    (route,) = found["routes"]
    assert (route["model"], route["target"].split()[1]) == ("m", desk.server.url)
    (source,) = found["inputs"]
    assert (source["path"], source["rows"]) == ("in.jsonl", 3)
    assert source["bytes"] == (desk.folder / "in.jsonl").stat().st_size
    assert (found["lines_usd"], found["lines_tokens"]) == pytest.approx(sums(desk))
    assert found["spent_tokens"] == found["lines_tokens"]
    assert found["started_at"] <= found["ended_at"]


async def test_it_says_who_is_at_it_while_a_run_lasts(desk: Desk) -> None:
    desk.write(*ABC)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl") as job:
        await watch.requests(3)
        found = manifest(desk)
        assert (found["state"], found["pid"], found["ended_at"]) == ("running", job.pid, None)
        release.set()
        assert (await job.ended()).code == 0


async def test_spent_grows_over_runs_while_lines_are_replaced(desk: Desk) -> None:
    desk.write(*ABC)
    assert (await desk.run("in.jsonl", *PRICES)).code == 0
    first = manifest(desk)
    assert (await desk.run("in.jsonl", *PRICES, "--system", "Be brief.")).code == 0
    second = manifest(desk)
    assert second["runs"] == 2
    assert second["rows"] == {"ok": 3}
    assert second["spent_tokens"] == first["spent_tokens"] + second["lines_tokens"]
    assert second["spent_usd"] == pytest.approx(first["spent_usd"] + second["lines_usd"])
    assert (second["lines_usd"], second["lines_tokens"]) == pytest.approx(sums(desk))


async def test_nothing_is_spent_by_a_run_that_had_nothing_to_do(desk: Desk) -> None:
    desk.write(*ABC)
    assert (await desk.run("in.jsonl", *PRICES)).code == 0
    first = manifest(desk)
    assert (await desk.run("in.jsonl", *PRICES)).code == 0
    second = manifest(desk)
    assert second["spent_usd"] == first["spent_usd"] == first["lines_usd"]
    assert second["rows"] == first["rows"]


async def test_a_killed_run_is_told_of_once_and_its_lines_count(desk: Desk) -> None:
    desk.write(*ABC)
    release = asyncio.Event()
    watch = Watch(
        desk.server, lambda call: answer() if call.prompt == "say a" else held(release)(call)
    )
    async with desk.running("in.jsonl", *PRICES) as job:
        await watch.requests(3)
        while not (desk.folder / "in.results.jsonl").stat().st_size:
            await asyncio.sleep(0.01)
        job.send(signal.SIGKILL)
        await job.ended()
    release.set()
    assert manifest(desk)["state"] == "running"
    desk.server.replies = None
    done = await desk.run("in.jsonl", *PRICES)
    assert done.code == 0
    assert done.stderr.count("ended without its end (killed?)") == 1
    assert manifest(desk)["spent_tokens"] == sums(desk)[1]
    assert "killed?" not in (await desk.run("in.jsonl", *PRICES)).stderr


async def test_an_interrupted_run_is_stopped_with_its_cause(desk: Desk) -> None:
    desk.write(*ABC)
    watch = Watch(desk.server, held(asyncio.Event()))
    async with desk.running("in.jsonl", "--grace", "0") as job:
        await watch.requests(3)
        job.send(signal.SIGINT)
        assert (await job.ended()).code == 130
    found = manifest(desk)
    assert (found["state"], found["stopped"]["cause"]) == ("stopped", "SIGINT")
    assert found["not_run"] == 3


async def test_a_refused_key_stands_in_it_and_the_key_does_not(desk: Desk) -> None:
    desk.write(*ABC)
    desk.server.replies = error(401, "wrong key")
    done = await desk.run("in.jsonl", env={"OPENAI_API_KEY": "sk-top-secret"})
    assert done.code == 4
    assert manifest(desk)["stopped"]["cause"] == "fatal"
    assert "sk-top-secret" not in (desk.folder / NAME).read_text()


async def test_an_input_that_breaks_off_is_said(desk: Desk) -> None:
    path = desk.write(*ABC, name="in.jsonl.gz")
    import gzip

    path.write_bytes(gzip.compress(path.read_bytes() * 50_000)[:-20])
    done = await desk.run("in.jsonl.gz")
    assert done.code == 3
    assert not (desk.folder / NAME).exists(), "it was seen before the output was opened"


async def test_standard_output_has_none(desk: Desk) -> None:
    desk.write(*ABC)
    assert (await desk.run("in.jsonl", "-o", "-")).code == 0
    assert [path.name for path in desk.folder.iterdir()] == ["in.jsonl"]


async def test_what_was_read_once_says_so(desk: Desk) -> None:
    done = await desk.run("-", "-o", "out.jsonl", stdin=b'"hello"\n')
    assert done.code == 0
    (source,) = manifest(desk, "out.jsonl.manifest.json")["inputs"]
    assert (source["rereadable"], source["blake2b"]) == (False, None)


async def test_a_foreign_file_of_that_name_is_left_alone(desk: Desk) -> None:
    desk.write(*ABC)
    (desk.folder / NAME).write_text('{"mine": 1}')
    done = await desk.run("in.jsonl")
    assert done.code == 2
    assert "is no manifest of llmbatch" in done.stderr
    assert (desk.folder / NAME).read_text() == '{"mine": 1}'
    assert desk.server.calls == []


async def test_a_damaged_one_is_said_and_written_anew(desk: Desk) -> None:
    desk.write(*ABC)
    assert (await desk.run("in.jsonl", *PRICES)).code == 0
    path = desk.folder / NAME
    path.write_bytes(path.read_bytes()[:300])
    done = await desk.run("in.jsonl", *PRICES)
    assert done.code == 0
    assert "is damaged: it is written anew" in done.stderr
    assert manifest(desk)["spent_tokens"] == sums(desk)[1]


async def test_a_folder_without_permission_is_an_error_of_the_output(desk: Desk) -> None:
    desk.write(*ABC)
    folder = desk.folder / "closed"
    folder.mkdir()
    (folder / "out.jsonl").touch()
    folder.chmod(0o555)
    try:
        done = await desk.run("in.jsonl", "-o", "closed/out.jsonl", preexec_fn=without_rights)
    finally:
        folder.chmod(0o755)
    assert done.code == 6
    assert "can't write the manifest" in done.stderr
    assert desk.server.calls == []


async def test_a_name_that_leaves_no_room_for_it_is_an_error_before_anything_is_sent(
    desk: Desk,
) -> None:
    desk.write(*ABC)
    done = await desk.run("in.jsonl", "-o", "n" * 250)
    assert done.code == 6
    assert "can't write the manifest: File name too long" in done.stderr
    assert desk.server.calls == []


async def test_a_glob_does_not_take_it_for_an_input(desk: Desk) -> None:
    desk.write(*ABC, name="in.json")
    assert (await desk.run("*.json", "-o", "out.jsonl")).code == 0
    assert (desk.folder / "out.jsonl.manifest.json").exists()
    done = await desk.run("*.json", "-o", "out.jsonl")
    assert done.code == 0
    assert len(desk.lines("out.jsonl")) == 3


async def test_starting_over_starts_its_account_over(desk: Desk, tmp_path: Path) -> None:
    desk.write(*ABC)
    assert (await desk.run("in.jsonl", *PRICES)).code == 0
    assert (await desk.run("in.jsonl", *PRICES, "--fresh", "--force")).code == 0
    found = manifest(desk)
    assert found["runs"] == 1
    assert found["spent_tokens"] == found["lines_tokens"]
