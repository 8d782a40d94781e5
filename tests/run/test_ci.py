"""Jobs that no person watches: what cron and CI are told, and where."""

from __future__ import annotations

import asyncio
import json
import signal
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from command import Done
from desk import Desk
from faultreplies import Call, Recipe, answer, error, held
from study import Study
from watching import Watch

SECRET = "my secret words"
HOSTILE = "::error::x\n::stop-commands::y ##[group]z"


def records(done: Done) -> list[dict[str, Any]]:
    """Standard error as JSON objects, one a line."""
    return [json.loads(line) for line in done.stderr.splitlines()]


def repeating(call: Call) -> Recipe:
    """Rows whose prompt says so fail, and the server repeats the prompt."""
    return error(400, f"can't take: {call.prompt}") if "bad" in call.prompt else answer("fine")


def hostile(desk: Desk) -> None:
    rows = [{"id": f"{HOSTILE} {n}", "prompt": f"bad {SECRET} {n}"} for n in range(12)]
    desk.write(*rows, {"id": "good", "prompt": SECRET}, "broken")
    desk.server.replies = repeating


# JSON lines


async def test_every_line_of_a_job_is_json_and_the_last_one_its_summary(desk: Desk) -> None:
    desk.prompts(5)
    run = ("in.jsonl", "--log-format", "json", "--canary", "2", "--summary", "sum.json")
    done = await desk.run(*run)
    assert done.code == 0, done
    said = records(done)
    assert [each["event"] for each in said] == ["job_started", "noted", "summary"]
    last = {key: said[-1][key] for key in desk.summary()}
    assert last == desk.summary()
    assert done.stdout == ""


async def test_a_terminal_gets_no_bar_in_json(desk: Desk) -> None:
    desk.prompts(3)
    desk.settings(log_format="json")
    done = await desk.run("in.jsonl", tty=("stderr",))
    assert done.code == 0, done
    assert {each["event"] for each in records(done)} == {"job_started", "summary"}


async def test_errors_before_and_in_a_job_are_json(desk: Desk) -> None:
    desk.prompts(3)
    env = {"LLMBATCH_LOG_FORMAT": "json"}
    for args, code in (
        (("in.jsonl", "--nope"), 2),
        (("gone.jsonl",), 3),
        (("in.jsonl", "-o", "x/"), 6),
    ):
        done = await desk.run(*args, env=env)
        assert done.code == code, done
        assert records(done)[0]["level"] == "error"
    async with desk.running("in.jsonl", "--log-format=json", "--summary=s.json") as job:
        done = await job.ended()
    assert done.code == 0
    (desk.folder / "full").symlink_to("/dev/full")
    done = await desk.run("in.jsonl", "-o", "full", env=env)
    assert done.code == 6, done
    assert [each["event"] for each in records(done)][-2:] == ["error", "summary"]


async def test_an_interrupt_is_a_record(desk: Desk) -> None:
    desk.prompts(9)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", "--log-format", "json", "--concurrency", "2") as job:
        await watch.requests(2)
        job.send(signal.SIGTERM)
        await job.heard('"event": "draining"')
        release.set()
        done = await job.ended()
    assert done.code == 143
    _, draining, summary = records(done)
    assert (draining["level"], draining["in_flight"]) == ("warning", 2)
    assert summary["stopped"]["cause"] == "SIGTERM"


async def test_an_analysis_speaks_json_and_github_too(tmp_path: Path, desk: Desk) -> None:
    study = Study(tmp_path, desk.server)
    study.document()
    done = await study.read("-o", "report.md", "--junit", "report.md")
    assert done.code == 2, done
    done = await study.read("-o", "report.md", "--log-format", "json", tty=("stderr",))
    assert done.code == 0, done
    assert records(done)[-1]["analysis"]["report"] == "report.md"
    study.model.fail(lambda ask: ask.kind == "map", error(400, SECRET))
    again = ("-o", "report.md", "--fresh", "--force", "--github", "--junit", "j.xml", "-q")
    done = await study.read(*again)
    assert done.code == 1, done
    first = done.stderr.splitlines()[0]
    assert first.startswith("::error file=big.txt,title=llmbatch%3A bad_request::row chunk-")
    assert SECRET not in done.stderr
    case = ET.parse(study.folder / "j.xml").getroot().find("testcase")
    assert case is not None
    assert case.get("classname") == "big.txt"


# GitHub


async def test_failed_rows_are_annotated_and_nothing_hostile_is_a_command(desk: Desk) -> None:
    hostile(desk)
    env = {"GITHUB_STEP_SUMMARY": str(desk.folder / "step.md"), "GITHUB_ACTIONS": "true"}
    done = await desk.run("in.jsonl", "--github", "-o", "-", env=env)
    assert done.code == 1, done
    lines = done.stderr.splitlines()
    commands = [line for line in lines if line.lstrip().startswith("::")]
    kinds = [line.split(" ")[0] for line in commands]
    assert kinds.count("::error") == 10
    assert set(kinds) <= {"::error", "::warning", "::notice"}
    assert any("3 more rows failed" in line for line in commands)
    others = [line for line in lines if line not in commands]
    assert not any("##[" in line for line in others)
    assert SECRET not in done.stderr
    step = (desk.folder / "step.md").read_text()
    assert "12 error, 1 invalid, 1 ok" in step
    assert SECRET not in step
    assert all(line.startswith("{") for line in done.stdout.splitlines())


async def test_an_id_in_an_error_is_no_command_where_github_reads_the_log(desk: Desk) -> None:
    desk.write({"id": HOSTILE, "prompt": "x"}, {"id": HOSTILE, "prompt": "y"})
    done = await desk.run("in.jsonl", env={"GITHUB_ACTIONS": "true"})
    assert done.code == 3, done
    assert not any(line.lstrip().startswith("::") for line in done.stderr.splitlines())
    assert "##[" not in done.stderr
    done = await desk.run("in.jsonl", "--github")
    (annotation,) = [line for line in done.stderr.splitlines() if line.startswith("::")]
    assert annotation.startswith("::error title=llmbatch::in.jsonl:2: the id")


async def test_without_a_place_for_the_summary_the_job_is_as_good(desk: Desk) -> None:
    desk.prompts(2)
    done = await desk.run("in.jsonl", "--github")
    assert done.code == 0, done
    assert "::warning title=llmbatch::GITHUB_STEP_SUMMARY is not set" in done.stderr
    assert done.last.endswith("(exit 0)")


async def test_commands_and_json_are_refused_together(desk: Desk) -> None:
    desk.prompts(2)
    done = await desk.run("in.jsonl", "--github", "--log-format", "json")
    assert done.code == 2, done
    assert "leave one of them out" in records(done)[0]["message"]
    assert desk.server.calls == []


# JUnit


async def test_a_report_has_the_rows_of_this_run(desk: Desk) -> None:
    hostile(desk)
    done = await desk.run("in.jsonl", "--junit", "report.xml")
    assert done.code == 1, done
    root = ET.parse(desk.folder / "report.xml").getroot()
    assert (root.get("tests"), root.get("errors")) == ("14", "13")
    assert SECRET not in (desk.folder / "report.xml").read_text()
    desk.server.replies = answer()
    done = await desk.run("in.jsonl", "--junit", "report.xml")
    root = ET.parse(desk.folder / "report.xml").getroot()
    assert (root.get("tests"), root.get("errors")) == ("12", "0"), "those that ran again"


async def test_a_job_that_can_not_begin_leaves_no_older_report(desk: Desk) -> None:
    desk.prompts(1)
    reports = ("--junit", "report.xml", "--summary", "sum.json")
    assert (await desk.run("in.jsonl", *reports)).code == 0
    (desk.folder / "note.json").write_text("{}")
    assert (await desk.run("gone.jsonl", *reports)).code == 3
    assert (await desk.run("gone.jsonl", "--summary", "note.json")).code == 3
    left = {path.name for path in desk.folder.iterdir()} - {"in.jsonl", "in.results.jsonl"}
    assert left == {"in.results.jsonl.manifest.json", "note.json"}, "what is not ours stays"


async def test_a_report_is_written_at_an_interrupt_too(desk: Desk) -> None:
    desk.prompts(9)
    watch = Watch(desk.server, held(asyncio.Event()))
    async with desk.running("in.jsonl", "--junit", "report.xml", "--concurrency", "2") as job:
        await watch.requests(2)
        job.send(signal.SIGINT)
        await job.heard("2 rows in flight")
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130
    assert ET.parse(desk.folder / "report.xml").getroot().get("tests") == "0"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone/r.xml", "does not exist"),
        ("in.jsonl", "is an input"),
        ("out.jsonl", "is the output"),
        ("sum.json", "of --summary too"),
    ],
)
async def test_a_report_without_a_place_is_refused(desk: Desk, path: str, said: str) -> None:
    desk.prompts(2)
    own = ("-o", "out.jsonl", "--summary", "sum.json")
    done = await desk.run("in.jsonl", "--junit", path, *own)
    assert done.code == 2, done
    assert f"--junit {path}" in done.stderr
    assert said in done.stderr
    assert desk.server.calls == []


async def test_a_report_that_fails_at_the_end_costs_the_code_not_the_results(desk: Desk) -> None:
    desk.prompts(2)
    place = desk.folder / "reports"
    place.mkdir()
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", "--junit", "reports/r.xml") as job:
        await watch.requests(2)
        place.rename(desk.folder / "moved")
        release.set()
        done = await job.ended()
    assert done.code == 6, done
    assert "can't write the JUnit report to reports/r.xml" in done.stderr
    assert done.last.endswith("(exit 6)")
    assert len(desk.results()) == 2


# Overlapping runs, and how a job ends


async def test_an_overlapping_run_is_refused_and_harms_nothing(desk: Desk) -> None:
    desk.prompts(4)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    reports = ("--junit", "r.xml", "--summary", "sum.json")
    async with desk.running("in.jsonl", *reports) as job:
        await watch.requests(4)
        done = await desk.run("in.jsonl", *reports, "--github")
        assert done.code == 6, done
        assert f"another run (process {job.pid}, since 20" in done.stderr
        assert " UTC) is writing it" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("::error title=llmbatch::")
        assert not (desk.folder / "sum.json").exists(), "nothing was run that it could be of"
        release.set()
        first = await job.ended()
    assert first.code == 0, first
    assert desk.summary()["rows"] == {"ok": 4}
    assert ET.parse(desk.folder / "r.xml").getroot().get("tests") == "4"


async def test_rows_that_may_fail_do_not_excuse_a_job_that_stopped(desk: Desk) -> None:
    desk.prompts(50)
    desk.server.replies = error(400)
    run = ("in.jsonl", "--max-failed", "100%", "--halt-on", "failed>=5", "--concurrency", "1")
    done = await desk.run(*run, "--summary", "sum.json")
    assert done.code == 4, done
    assert (desk.summary()["exit_code"], desk.summary()["rows"]) == (4, {"error": 5})
    prices = ("--price-in", "1e6", "--price-out", "1e6", "--max-tokens", "9")
    desk.server.replies = answer()
    done = await desk.run(*run, *prices, "--max-cost", "30", "--summary", "sum.json")
    assert done.code == 5, done
    assert (desk.summary()["exit_code"], desk.summary()["stopped"]["cause"]) == (5, "budget")
