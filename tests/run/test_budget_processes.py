"""A budget over several processes: as of one, whichever of them is killed."""

from __future__ import annotations

import os
import signal
from random import Random

import pytest
from command import Running
from desk import Desk
from faultreplies import Call, Recipe, answer, never
from watching import Watch, children

DOLLAR_A_TOKEN = ("--price-in", "0", "--price-out", "1000000", "--max-tokens", "10")
"""A dollar for a token of an answer, and up to ten of them an answer."""

TWO = ("in.jsonl", *DOLLAR_A_TOKEN, "--processes", "2", "--concurrency", "16")


class Till:
    """Answers of up to ten tokens, at random; ``billed`` is what the server counts."""

    def __init__(self, desk: Desk, seed: int = 1) -> None:
        self.random = Random(seed)
        self.billed = 0
        self.watch = Watch(desk.server)
        desk.server.replies = self

    def __call__(self, call: Call) -> Recipe:
        self.watch(call)
        tokens = self.random.randint(0, 10)
        self.billed += tokens
        return answer(usage={"prompt_tokens": 3, "completion_tokens": tokens}, delay=0.002)


def workers(job: Running) -> list[int]:
    """The job's processes that ask."""
    found = children(job.pid)
    assert len(found) == 2, found
    return found


async def test_a_job_stops_at_its_budget_and_a_higher_one_takes_it_further(desk: Desk) -> None:
    """What both use up together: never more than the cap, and nearly all of it."""
    till = Till(desk)
    desk.prompts(300)
    args = (*TWO, "--summary", "sum.json")
    done = await desk.run(*args, "--max-cost", "500")
    assert done.code == 5, done
    assert 0.95 * 500 < till.billed <= 500
    assert sum(line["cost_usd"] for line in desk.lines()) == till.billed
    reached = (
        "the budget of $500.00 is reached: the next row may cost up to $10.00; raise --max-cost "
        "and run the same command again"
    )
    assert done.last.startswith(f"llmbatch: stopped early ({reached}): ")
    assert done.stderr.count(f"{reached}: stopping") == 1
    summary = desk.summary()
    assert (summary["budget"]["spent_usd"], summary["budget"]["uncertain"]) == (till.billed, 0)
    assert summary["not_run"] == 300 - len(desk.lines())
    assert summary["cost_usd"] == till.billed
    assert summary["priced_by"] == {"--price-in and --price-out": len(desk.lines())}

    first = till.billed
    assert (await desk.run(*args, "--max-cost", "500")).code == 5
    assert till.billed == first, "there was nothing left to spend"
    more = await desk.run(*args, "--max-cost", "700")
    assert more.code == 5
    assert 0.95 * 700 < till.billed <= 700
    assert f"${first:.2f} of it by earlier runs" in more.stderr
    assert (await desk.run(*args, "--max-cost", "9000")).code == 0
    assert len(desk.results()) == len(desk.server.calls) == 300


async def test_tokens_are_capped_likewise(desk: Desk) -> None:
    till = Till(desk)
    desk.prompts(200)
    args = ("in.jsonl", "--max-tokens", "10", "--processes", "2", "--summary", "sum.json")
    done = await desk.run(*args, "--max-tokens-total", "1000")
    assert done.code == 5, done
    used = 3 * len(desk.server.calls) + till.billed
    assert 850 < used <= 1000
    assert desk.summary()["budget"]["spent_tokens"] == used
    assert (await desk.run(*args, "--max-tokens-total", "90000")).code == 0
    assert len(desk.results()) == len(desk.server.calls) == 200


async def test_what_a_killed_worker_had_under_way_counts_at_its_worst(desk: Desk) -> None:
    """Eight requests are with each worker, nobody answers, and one of the two is killed."""
    desk.prompts(60)
    watch = Watch(desk.server, never())
    two = answer(usage={"prompt_tokens": 3, "completion_tokens": 2})
    async with desk.running(*TWO, "--max-cost", "250", "--summary", "sum.json") as job:
        await watch.requests(16)
        os.kill(workers(job)[0], signal.SIGKILL)
        await job.heard("was ended by SIGKILL")
        watch.recipe = two
        await watch.requests(17)
        os.kill(workers(job)[0], signal.SIGKILL)
        await job.heard("was ended by SIGKILL", times=2)
        done = await job.ended()
    assert done.code == 5, done
    budget = desk.summary()["budget"]
    assert budget["uncertain"] >= 16
    assert budget["uncertain_usd"] == 10 * budget["uncertain"]
    assert 0.95 * 250 < budget["spent_usd"] + budget["uncertain_usd"] <= 250
    again = await desk.run(*TWO, "--max-cost", "250")
    assert again.code == 5
    assert (await desk.run(*TWO, "--max-cost", "9000")).code == 0
    assert len(desk.results()) == 60


async def test_a_worker_that_is_killed_again_and_again_takes_no_job_beyond_its_budget(
    desk: Desk,
) -> None:
    till = Till(desk)
    desk.prompts(400)
    async with desk.running(*TWO, "--max-cost", "900", "--summary", "sum.json") as job:
        for kills in range(1, 4):
            await till.watch.requests(30 * kills)
            os.kill(workers(job)[kills % 2], signal.SIGKILL)
            await job.heard("was ended by SIGKILL", times=kills)
        done = await job.ended()
    assert done.code == 5, done
    assert till.billed <= 900
    budget = desk.summary()["budget"]
    used = budget["spent_usd"] + budget["uncertain_usd"]
    assert max(till.billed, 0.95 * 900) <= used <= 900
    lines = desk.lines()
    assert len({line["id"] for line in lines}) == len(lines)


async def test_runs_whose_parent_is_killed_stay_within_the_budget_together(desk: Desk) -> None:
    """What was in flight is in no line; that it may have been is written before it is sent."""
    till = Till(desk)
    desk.prompts(400)
    args = (*TWO, "--concurrency", "8", "--max-cost", "900")
    for kills in range(1, 4):
        async with desk.running(*args) as job:
            await till.watch.requests(len(desk.server.calls) + 20)
            job.send(signal.SIGKILL)
            await job.ended()
        assert till.billed <= 900, kills
    done = await desk.run(*args)
    assert done.code == 5, done
    assert "what was in flight then may have been billed and is counted at its worst" in done.stderr
    assert 0.5 * 900 < till.billed <= 900


async def test_what_a_second_ctrl_c_cuts_off_counts_at_its_worst(desk: Desk) -> None:
    desk.prompts(40)
    watch = Watch(desk.server, never())
    async with desk.running(*TWO, "--max-cost", "45", "--grace", "1h") as job:
        await watch.requests(4)
        job.send(signal.SIGINT)
        await job.heard("4 rows in flight")
        job.send(signal.SIGINT)
        done = await job.ended()
    said = "budget     $40.00 of $45.00 used, up to $40.00 of it by 4 attempts that did not say"
    assert said in done.stderr
    again = await desk.run(*TWO, "--max-cost", "45")
    assert again.code == 5
    assert len(desk.server.calls) == 4


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_a_rows_own_model_without_a_price_fails_that_row_alone(
    desk: Desk, processes: str
) -> None:
    desk.settings(
        model="lab/m",
        providers={"lab": {"base_url": desk.server.url}},
        prices={"lab/m": {"input": 1, "output": 1}},
    )
    desk.write(
        *({"id": f"a{n}", "prompt": f"say {n}", "max_tokens": 5} for n in range(30)),
        *({"id": f"b{n}", "model": "other", "prompt": "x", "max_tokens": 5} for n in range(5)),
        *({"id": f"c{n}", "prompt": f"tell {n}"} for n in range(5)),
    )
    done = await desk.run("in.jsonl", "--max-cost", "1", "--processes", processes, route=False)
    assert done.code == 1, done
    errors = {
        name: line["error"] and line["error"]["type"] for name, line in desk.results().items()
    }
    assert errors == {f"a{n}": None for n in range(30)} | {
        f"b{n}": "unpriced" for n in range(5)
    } | {f"c{n}": "unbounded" for n in range(5)}
    assert len(desk.server.calls) == 30
