"""A budget through the whole command: it is never exceeded, and nothing that was paid is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from random import Random
from typing import Any

import pytest
from command import PROCESSES
from desk import Desk
from faultreplies import Call, Recipe, answer, cut, error, held, never
from tworoutes import beside
from watching import Watch, until

from faultserver import FaultServer

DOLLAR_A_TOKEN = ("--price-in", "0", "--price-out", "1000000", "--max-tokens", "10")
"""A dollar for a token of an answer, and up to ten of them an answer."""


class Till:
    """Answers of up to ten tokens, at random; ``billed`` is what the server counts."""

    def __init__(self, server: FaultServer, seed: int = 1) -> None:
        self.random = Random(seed)
        self.billed = 0
        server.replies = self

    def __call__(self, call: Call) -> Recipe:
        tokens = self.random.randint(0, 10)
        self.billed += tokens
        return answer(usage={"prompt_tokens": 3, "completion_tokens": tokens}, delay=0.001)


def spent(desk: Desk) -> float:
    """By the lines of the output."""
    return sum(line["cost_usd"] for line in desk.lines())


async def test_a_job_stops_at_its_budget_and_a_higher_one_takes_it_further(desk: Desk) -> None:
    """64 may be in flight, and only 25 of them are covered at once."""
    till = Till(desk.server)
    desk.prompts(120)
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--concurrency", "64", "--summary", "sum.json")
    done = await desk.run(*args, "--max-cost", "250")
    assert done.code == 5, done
    assert 240 < till.billed <= 250
    assert spent(desk) == till.billed
    assert desk.server.peak <= 25 + (250 - 240), "who has settled makes room for another"
    assert done.last.startswith(
        "llmbatch: stopped early (the budget of $250.00 is reached: the next row may cost up to "
        "$10.00; raise --max-cost and run the same command again): "
    )
    assert done.last.endswith("(exit 5)")
    assert f"budget     ${till.billed:.2f} of $250.00 used" in done.stderr
    summary = desk.summary()
    assert summary["stopped"]["cause"] == "budget"
    assert summary["budget"]["spent_usd"] == till.billed
    rows = len(desk.lines())
    assert summary["not_run"] == 120 - rows

    first = till.billed
    again = await desk.run(*args, "--max-cost", "250")
    assert again.code == 5
    assert (till.billed, len(desk.lines())) == (first, rows), "there was nothing left to spend"

    more = await desk.run(*args, "--max-cost", "400")
    assert more.code == 5
    assert 390 < till.billed <= 400
    assert f"${first:.2f} of it by earlier runs" in more.stderr

    last = await desk.run(*args, "--max-cost", "4000")
    assert last.code == 0, last
    assert len(desk.results()) == len(desk.server.calls) == 120
    assert spent(desk) == till.billed == desk.summary()["budget"]["spent_usd"]


async def test_tokens_are_capped_likewise_and_need_no_price(desk: Desk) -> None:
    till = Till(desk.server)
    desk.prompts(100)
    args = ("in.jsonl", "--max-tokens", "10", "--summary", "sum.json")
    done = await desk.run(*args, "--max-tokens-total", "500")
    assert done.code == 5, done
    used = 3 * len(desk.server.calls) + till.billed
    assert 350 < used <= 500
    assert desk.summary()["budget"]["spent_tokens"] == used
    assert "stopped early (the budget of 500 tokens is reached: the next row may use up to" in (
        done.last
    )
    assert "raise --max-tokens-total" in done.last
    assert f"budget     {used} of 500 tokens used" in done.stderr
    assert (await desk.run(*args, "--max-tokens-total", "50000")).code == 0
    assert len(desk.results()) == len(desk.server.calls) == 100


async def test_what_is_in_flight_when_the_money_is_gone_finishes_however_long_it_takes(
    desk: Desk,
) -> None:
    rows = [{"id": f"r{n}", "prompt": f"say {n}", "max_tokens": 10} for n in range(1, 9)]
    rows[0]["max_tokens"] = 1
    desk.write(*rows)
    release = asyncio.Event()
    one, ten = ({"prompt_tokens": 1, "completion_tokens": n} for n in (1, 10))
    desk.server.replies = lambda call: (
        held(release, usage=one) if call.prompt == "say 1" else answer(usage=ten)
    )
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--concurrency", "4", "--grace", "0")
    async with desk.running(*args, "--max-cost", "19") as job:
        await job.heard("the next row may cost up to $10.00")
        await job.heard("stopping; 1 row in flight may finish (Ctrl-C to end at once)")
        release.set()
        done = await job.ended()
    assert done.code == 5
    assert {line["id"]: line["cost_usd"] for line in desk.lines()} == {"r1": 1, "r2": 10}
    assert len(desk.server.calls) == 2


async def test_runs_that_are_killed_stay_within_the_budget_together(desk: Desk) -> None:
    """What was in flight is in no line; that it may have been is written before it is sent."""
    till = Till(desk.server)
    desk.prompts(400)
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--concurrency", "8", "--max-cost", "900")
    for kills in range(1, 4):
        watch = Watch(desk.server, till)
        async with desk.running(*args) as job:
            await watch.requests(20)
            job.send(signal.SIGKILL)
            await job.ended()
        assert till.billed <= 900, kills
    done = await desk.run(*args)
    assert done.code == 5, done
    assert "what was in flight then may have been billed and is counted at its worst" in done.stderr
    assert 0.5 * 900 < till.billed <= 900


@pytest.mark.parametrize("line_format", ["jsonl", "openai-batch"])
async def test_after_kill_9_what_is_in_no_line_counts_too(desk: Desk, line_format: str) -> None:
    """Two streams broke, one is in flight, and lines of OpenAI Batch say nothing of their cost."""
    desk.prompts(9)
    two = answer(usage={"prompt_tokens": 1, "completion_tokens": 2})
    replies = [cut(), cut(), two, never()]
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--concurrency", "1", "--format", line_format)
    watch = Watch(desk.server, lambda call: replies.pop(0))
    async with desk.running(*args, "--max-cost", "40") as job:
        await watch.requests(4)
        job.send(signal.SIGKILL)
        await job.ended()
    left = json.loads((desk.folder / "in.results.jsonl.manifest.json").read_text())
    assert left["leased_usd"] >= 32
    desk.server.replies = two
    done = await desk.run(*args, "--max-cost", "55")
    assert done.code == 5, done
    assert "budget     $46.00 of $55.00 used, $40.00 of it by earlier runs" in done.stderr


async def test_a_row_larger_than_the_whole_budget_is_not_sent(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "9.5")
    assert done.code == 5
    assert "the budget of $9.50 is too small: the next row may cost up to $10.00" in done.last
    assert desk.server.calls == []
    assert desk.lines() == []


async def test_rows_that_wait_for_money_are_left_when_a_signal_comes(desk: Desk) -> None:
    desk.prompts(5)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release, usage={"prompt_tokens": 1, "completion_tokens": 1}))
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "25")
    async with desk.running(*args, "--grace", "50s") as job:
        await watch.requests(2)
        job.send(signal.SIGINT)
        await job.heard("interrupted: stopping; 2 rows in flight")
        release.set()
        done = await job.ended()
    assert done.code == 130
    assert (len(desk.lines()), len(desk.server.calls)) == (2, 2)
    assert (await desk.run(*args)).code == 0
    assert len(desk.results()) == 5


async def test_what_a_second_ctrl_c_cuts_off_counts_at_its_worst(desk: Desk) -> None:
    desk.prompts(9)
    two = answer(usage={"prompt_tokens": 1, "completion_tokens": 2})
    watch = Watch(desk.server, lambda call: two if call.prompt == "say 1" else never())
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "33", "--grace", "1h")
    async with desk.running(*args) as job:
        await watch.requests(4)
        await until(lambda: bool(desk.lines()), "the first row has its answer")
        job.send(signal.SIGINT)
        await job.heard("3 rows in flight")
        job.send(signal.SIGINT)
        done = await job.ended()
    said = "budget     $32.00 of $33.00 used, up to $30.00 of it by 3 attempts that did not say"
    assert said in done.stderr
    again = await desk.run(*args)
    assert again.code == 5
    assert "budget     $32.00 of $33.00 used, $32.00 of it by earlier runs" in again.stderr
    assert "killed" not in again.stderr
    assert len(desk.server.calls) == 4


async def test_streams_that_broke_count_at_their_worst_and_are_said(desk: Desk) -> None:
    desk.prompts(9)
    desk.server.replies = [cut(), cut(), answer(usage={"prompt_tokens": 1, "completion_tokens": 2})]
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--concurrency", "1", "--summary", "sum.json")
    done = await desk.run(*args, "--max-cost", "31")
    assert done.code == 5, done
    said = (
        "budget     $22.00 of $31.00 used, up to $20.00 of it by 2 attempts that did not say what"
    )
    assert said in done.stderr
    found = desk.summary()["budget"]
    assert (found["spent_usd"], found["uncertain"], found["uncertain_usd"]) == (2, 2, 20)
    again = await desk.run(*args, "--max-cost", "31")
    assert again.code == 5
    assert len(desk.server.calls) == 3, "what is uncertain counts for later runs, too"


async def test_an_attempt_that_broke_off_is_said_without_a_budget_too(desk: Desk) -> None:
    desk.prompts(1)
    desk.server.replies = [cut(), answer()]
    done = await desk.run("in.jsonl", *DOLLAR_A_TOKEN, "--summary", "sum.json")
    said = "cost       leaves out 1 attempt that broke off before its tokens were counted"
    assert said in done.stderr
    assert (desk.summary()["uncertain"], desk.summary()["budget"]) == (1, None)


async def test_each_route_is_paid_at_its_own_price(desk: Desk, second: FaultServer) -> None:
    beside(
        desk,
        second,
        prices={"lab/*": {"input": 0, "output": 1e6}, "spare/n": {"input": 0, "output": 3e6}},
    )
    desk.prompts(20)
    desk.server.replies = error(400, "never")
    second.replies = answer(usage={"prompt_tokens": 1, "completion_tokens": 5})
    done = await desk.run(
        "in.jsonl", "--max-tokens", "10", "--max-cost", "100", "--concurrency", "2", route=False
    )
    assert done.code == 5, done
    assert spent(desk) == 15 * len(second.calls) == 75
    assert "the next row may cost up to $30.00" in done.last


async def test_a_model_without_a_price_is_refused_before_anything_is_sent(
    desk: Desk, second: FaultServer
) -> None:
    beside(desk, second, prices={"lab/m": {"input": 1, "output": 1}})
    desk.prompts(3)
    done = await desk.run("in.jsonl", "--max-cost", "1", route=False)
    assert done.code == 2
    assert "--max-cost can't hold: no price for spare/n: name it under prices:" in done.last
    assert "--price-in" in done.last
    assert (desk.server.calls, second.calls) == ([], [])


async def test_a_rows_own_model_without_a_price_fails_that_row_alone(desk: Desk) -> None:
    desk.settings(
        model="lab/m",
        providers={"lab": {"base_url": desk.server.url}},
        prices={"lab/m": {"input": 1, "output": 1}},
    )
    row: dict[str, Any] = {"prompt": "hi", "max_tokens": 5}
    desk.write({"id": "a", **row}, {"id": "b", "model": "other", **row}, {"id": "c", "prompt": "x"})
    done = await desk.run("in.jsonl", "--max-cost", "1", route=False)
    assert done.code == 1
    results = desk.results()
    assert {name: line["status"] for name, line in results.items()} == {
        "a": "ok",
        "b": "error",
        "c": "error",
    }
    assert results["b"]["error"]["type"] == "unpriced"
    assert "no price for lab/other" in results["b"]["error"]["message"]
    assert results["c"]["error"]["type"] == "unbounded"
    assert "set --max-tokens" in results["c"]["error"]["message"]
    assert len(desk.server.calls) == 1


async def test_a_fresh_start_and_standard_output_owe_nothing(desk: Desk) -> None:
    desk.prompts(2)
    usage = {"prompt_tokens": 1, "completion_tokens": 10}
    desk.server.replies = answer(usage=usage)
    args = ("in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "20")
    assert (await desk.run(*args)).code == 0
    desk.prompts(3)
    assert (await desk.run(*args)).code == 5
    assert len(desk.server.calls) == 2
    fresh = await desk.run(*args, "--fresh", "--force")
    assert (fresh.code, len(desk.lines())) == (5, 2)
    for stream in ("-", "/dev/stdout"):
        piped = await desk.run(*args, "-o", stream)
        assert (piped.code, len(piped.stdout.splitlines())) == (5, 2)
        assert "raise --max-cost): 2 ok, 1 not run" in piped.last, "nothing is there to go on with"
        assert "run the same command again" not in piped.stderr


async def test_a_job_whose_rows_have_no_worst_case_stops_early_and_says_what_to_set(
    desk: Desk,
) -> None:
    desk.prompts(500)
    args = ("in.jsonl", *DOLLAR_A_TOKEN[:4], "--max-cost", "9000")
    done = await desk.run(*args)
    assert done.code == 4, done
    assert "how long an answer of openai-compatible/m can get is not known" in done.last
    assert "set --max-tokens" in done.last
    assert desk.server.calls == []
    if PROCESSES == 1:
        assert len(desk.lines()) == 10
    else:  # of ten rows that were looked at, those whose end was written before that of the job
        assert len(desk.lines()) <= 9 + PROCESSES
    assert (await desk.run(*args, "--max-tokens", "10")).code == 0
    assert len(desk.results()) == 500


async def test_that_earlier_runs_had_no_price_is_said(desk: Desk) -> None:
    desk.prompts(1)
    assert (await desk.run("in.jsonl", "--max-tokens", "10")).code == 0
    desk.prompts(2)
    done = await desk.run("in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "20")
    assert done.code == 0, done
    assert "what earlier runs cost is not known: the budget counts it as nothing" in done.stderr
    assert len(desk.server.calls) == 2
    desk.prompts(3)
    more = await desk.run("in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "20")
    assert "what 1 row of earlier runs cost is not known" in more.stderr


async def test_shared_answers_do_not_make_the_cost_of_earlier_runs_known(desk: Desk) -> None:
    desk.write(*({"id": f"r{n}", "prompt": "the same"} for n in range(3)))
    assert (await desk.run("in.jsonl", "--max-tokens", "10")).code == 0
    manifest = json.loads((desk.folder / "in.results.jsonl.manifest.json").read_text())
    assert (manifest["spent_usd"], manifest["unpriced"]) == (None, 1)
    done = await desk.run("in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "20")
    assert "what earlier runs cost is not known" in done.stderr


async def test_a_budget_of_nothing_is_refused(desk: Desk) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--max-cost", "0")
    assert (done.code, desk.server.calls) == (2, [])
    assert done.last == 'llmbatch: error: --max-cost: must be above 0, got "0"'


async def test_structured_answers_that_are_asked_again_are_paid_twice(desk: Desk) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 10}
    desk.server.replies = [
        answer("no", usage=usage),
        answer('{"n": 1}', usage=usage),
        answer('{"n": 2}', usage=usage),
    ]
    desk.prompts(4)
    done = await desk.run(
        "in.jsonl", *DOLLAR_A_TOKEN, "--max-cost", "35", "--schema", "n:int", "--concurrency", "1"
    )
    assert done.code == 5, done
    assert [line["cost_usd"] for line in desk.lines()] == [20, 10]
    assert json.dumps([line["output"] for line in desk.lines()]) == '[{"n": 1}, {"n": 2}]'
