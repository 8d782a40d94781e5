"""``--halt-on RULE``: the latest rows are watched, and a job that goes wrong stops itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from desk import Desk
from faultreplies import Recipe, answer, error, held
from study import Study
from watching import Watch

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.job import run_job

ONE = ("--concurrency", "1")


def from_row(number: int, recipe: Recipe) -> Recipe:
    """Answers as ``recipe`` from that row on."""
    return lambda call: recipe if int(call.prompt.split()[1]) >= number else answer()


@pytest.mark.parametrize(
    ("rule", "recipe", "rows", "said"),
    [
        ("failed>5%", error(400), 46, "failed>5%: 3 of the last 46 rows failed (6.52%)"),
        ("refused > 2 %", answer("", refusal="No."), 44, "1 of the last 44 rows was refused"),
        ("truncated>=2", answer("a", finish="length"), 45, "2 rows of this run were truncated"),
        ("failed>9", error(400), 53, "failed>9: 10 rows of this run failed"),
        ("p95_latency>5ms", answer(delay=0.01), None, "s over the last"),
    ],
)
async def test_a_rule_that_breaks_stops_the_job(
    desk: Desk, rule: str, recipe: Recipe, rows: int | None, said: str
) -> None:
    desk.prompts(200)
    desk.server.replies = from_row(44, recipe)
    done = await desk.run("in.jsonl", "--halt-on", rule, *ONE, "--summary", "sum.json")
    assert done.code == 4, done
    assert said in done.last
    assert len(desk.results()) == len(desk.server.calls) == (rows or len(desk.server.calls))
    assert desk.summary()["stopped"]["cause"] == "halt"
    assert desk.summary()["exit_code"] == 4


async def test_rows_in_flight_finish_and_the_same_command_goes_on(desk: Desk) -> None:
    desk.prompts(60)
    release = asyncio.Event()
    late = held(release)
    watch = Watch(desk.server, lambda call: error(400) if call.prompt == "say 30" else late)
    release.set()
    async with desk.running("in.jsonl", "--halt-on", "failed>0", "--concurrency", "8") as job:
        done = await job.ended()
    assert done.code == 4, done
    assert "failed>0: 1 row of this run failed: stopping; " in done.stderr
    assert len(desk.results()) == len(desk.server.calls) < 60, "what was sent is kept"
    watch.recipe = answer()
    again = await desk.run("in.jsonl", "--halt-on", "failed>0")
    assert again.code == 0, again
    assert len(desk.results()) == 60


async def test_fewer_rows_than_are_judged_stop_nothing(desk: Desk) -> None:
    desk.prompts(19)
    desk.server.replies = error(400)
    done = await desk.run("in.jsonl", "--halt-on", "failed>5%")
    assert done.code == 1, done
    assert len(desk.results()) == 19


async def test_a_cost_that_is_too_high_stops_the_job(desk: Desk) -> None:
    desk.prompts(100)
    priced = ("--price-in", "1000", "--price-out", "1000")
    done = await desk.run("in.jsonl", "--halt-on", "cost_per_row>0.005", *ONE, *priced)
    assert done.code == 4, done
    assert "cost_per_row>0.005: $0.006000 a row over the last 20 rows" in done.last
    assert len(desk.results()) == 20


async def test_a_rule_about_costs_without_a_price_is_refused(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", "--halt-on", "cost_per_row>1")
    assert done.code == 2, done
    assert "--halt-on cost_per_row>1: no price for" in done.last
    assert "--price-in" in done.last
    assert desk.server.calls == []


@pytest.mark.parametrize("where", ["flag", "yaml", "profile", "variable"])
async def test_a_rule_that_is_none_is_named_with_its_place(desk: Desk, where: str) -> None:
    desk.prompts(3)
    args: tuple[str, ...] = ()
    env = {}
    yaml = desk.folder / "llmbatch.yaml"
    if where == "flag":
        args, named = ("--halt-on", "refused>3", "--halt-on", "faild>5%"), "--halt-on: "
    elif where == "yaml":
        yaml.write_text("rpm: 5\nhalt_on: [refused>3, faild>5%]\n")
        named = "llmbatch.yaml:2: halt_on: "
    elif where == "profile":
        yaml.write_text("rpm: 5\nprofiles:\n  night:\n    halt_on: faild>5%\n")
        named = "llmbatch.yaml:4: profiles.night.halt_on: "
    else:
        env, named = {"LLMBATCH_HALT_ON": "refused>3, faild>5%"}, "LLMBATCH_HALT_ON: "
    done = await desk.run("in.jsonl", *args, env=env)
    assert done.code == 2, done
    assert f'{named}"faild>5%": faild is not measured; did you mean failed?' in done.stderr
    assert desk.server.calls == []


async def test_rules_of_the_yaml_and_the_environment_are_watched(desk: Desk) -> None:
    desk.prompts(10)
    desk.server.replies = error(400)
    desk.settings(halt_on=["failed>=3"])
    assert (await desk.run("in.jsonl", *ONE)).code == 4
    assert len(desk.server.calls) == 3
    env = {"LLMBATCH_HALT_ON": "refused>3,failed>=2"}
    assert (await desk.run("in.jsonl", "--fresh", "--force", *ONE, env=env)).code == 4
    assert len(desk.server.calls) == 5


def test_a_rule_of_a_python_call_is_looked_at(tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    rows.write_text('"a"\n')
    config = JobConfig(
        inputs=(str(rows),), model="m", base_url="http://127.0.0.1:1/v1", halt_on=("often>5%",)
    )
    with pytest.raises(ConfigError, match=r"halt_on: .often>5%.: often is not measured"):
        run_job(config, environ={})


async def test_an_analysis_is_watched_too(tmp_path: Path, desk: Desk) -> None:
    study = Study(tmp_path, desk.server)
    study.document()
    study.model.fail(lambda ask: ask.kind == "map", error(400))
    done = await study.read("-o", "report.md", "--halt-on", "failed>=2", *ONE)
    assert done.code == 4, done
    assert "failed>=2: 2 rows of this run failed" in done.last
    assert len(study.chunks()) == 2
    assert not (tmp_path / "report.md").exists()
