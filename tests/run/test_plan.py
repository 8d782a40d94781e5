"""``llmbatch plan`` as a command, beside the runs that it plans."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import Done, command
from desk import Desk
from faultreplies import held
from watching import Watch

SAMPLES = Path(__file__).parents[2] / "samples"
PRICES = ("--price-in", "1", "--price-out", "2")


class Planner(Desk):
    verb = "plan"


@pytest.fixture
def planner(desk: Desk) -> Planner:
    return Planner(desk.folder, desk.server)


def values(done: Done) -> dict[str, Any]:
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_the_plan_of_a_run_and_of_its_resume(desk: Desk, planner: Planner) -> None:
    desk.prompts(6)
    plan = values(await planner.run("in.jsonl", "--json"))
    assert (plan["rows"]["new"], plan["rows"]["requests"]) == (6, 6)
    assert desk.server.calls == []
    assert [path.name for path in desk.folder.iterdir()] == ["in.jsonl"]
    assert (await desk.run("in.jsonl", "--limit", "4")).code == 0
    plan = values(await planner.run("in.jsonl", "--json"))
    assert (plan["rows"]["done"], plan["rows"]["new"]) == ({"ok": 4}, 2)
    plan = values(await planner.run("in.jsonl", "--system", "Be brief.", "--json"))
    assert plan["rows"]["changed"] == [{"why": ["system"], "rows": 4}]


async def test_a_name_that_is_no_utf8_stands_in_the_json_as_escapes(
    desk: Desk, planner: Planner
) -> None:
    desk.prompts(1)
    plan = values(await planner.run("in.jsonl", "-o", "a\udcff.jsonl", "--json"))
    assert plan["output"] == "a\udcff.jsonl"


async def test_it_works_while_a_run_holds_the_output(desk: Desk, planner: Planner) -> None:
    desk.prompts(3)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl") as job:
        await watch.requests(3)
        done = await planner.run("in.jsonl")
        assert done.code == 0
        assert f"process {job.pid} is at this output now" in done.stdout
        release.set()
        assert (await job.ended()).code == 0


async def test_people_get_a_table_that_fits_a_terminal(desk: Desk, planner: Planner) -> None:
    desk.write(*({"id": f"r{n}", "prompt": f"say {n % 1500}"} for n in range(2000)), "{broken")
    done = await planner.run("in.jsonl", *PRICES, "--max-cost", "0.01", "--rpm", "100")
    assert done.code == 0, done
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "rows                   2,001" in lines
    for said in ("invalid", "duplicates", "would be left undone", "requests a minute", "at worst"):
        assert said in done.stdout, said


async def test_no_key_and_no_server_is_needed(desk: Desk) -> None:
    desk.prompts(2)
    done = await command("plan", "in.jsonl", "-m", "anthropic/claude-sonnet-4-5", cwd=desk.folder)
    assert done.code == 0, done
    local = await command("plan", "in.jsonl", cwd=desk.folder)
    assert local.code == 0, local


async def test_mistakes_have_the_exit_codes_of_a_run(desk: Desk, planner: Planner) -> None:
    assert (await planner.run("none.jsonl")).code == 3
    desk.write({"id": "a", "prompt": "x"}, {"id": "a", "prompt": "y"})
    done = await planner.run("in.jsonl")
    assert (done.code, done.stdout) == (3, "")
    desk.write({"id": "a", "prompt": "x"}, "{broken")
    assert (await planner.run("in.jsonl", "--strict")).code == 3
    assert (await planner.run("in.jsonl", "--template", "no field")).code == 2


@pytest.mark.model
@pytest.mark.timeout(300)
async def test_after_50_rows_the_cost_of_the_others_is_known_within_a_tenth(desk: Desk) -> None:
    """The embedded model, whose vocabulary and whose taste for long answers nobody told us."""
    shutil.copy(SAMPLES / "countries.csv", desk.folder)
    template = "Where is {{capital}}?"
    args = ("countries.csv", "--template", template, "--max-tokens", "6", "-o", "out.jsonl")
    cache = {"XDG_CACHE_HOME": str(Path.home() / ".cache")}

    async def call(verb: str, *more: str) -> Done:
        done = await command(verb, *args, *PRICES, *more, cwd=desk.folder, env=cache)
        assert done.code == 0, done
        return done

    await call("run", "--limit", "50")
    before = {line["id"] for line in desk.lines("out.jsonl")}
    plan = values(await call("plan", "--limit", "90", "--json"))
    await call("run", "--limit", "90")
    real = sum(line["cost_usd"] for line in desk.lines("out.jsonl") if line["id"] not in before)
    assert (len(before), plan["rows"]["requests"]) == (50, 40)
    assert plan["cost"]["expected_usd"] == pytest.approx(real, rel=0.1)
