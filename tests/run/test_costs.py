"""What a job costs, from the server's usage to the summary, to the digit."""

from __future__ import annotations

import json
from typing import Any

from desk import Desk
from faultreplies import Recipe, answer, cut, error
from tworoutes import beside, by_prompt

from faultserver import FaultServer

DEAR = {"input": 2.5, "output": 10, "cached": 1.25, "cache_write": 3}
CHEAP = {"input": 0.5, "output": 1}


def used(into: int, out: int, cached: int = 0, written: int = 0) -> dict[str, Any]:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    counts = {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}
    return {**counts, "prompt_tokens_details": details}


def using(*counts: int) -> Recipe:
    return answer("Hello", usage=used(*counts))


async def test_a_job_costs_what_its_tokens_do_cached_ones_at_their_price(desk: Desk) -> None:
    desk.server.replies = by_prompt(
        **{"say 1": using(1000, 200), "say 2": using(3000, 100, 2048), "say 3": using(9, 1, 0, 8)}
    )
    desk.settings(prices={"openai-compatible/*": DEAR})
    done = await desk.run(desk.prompts(3), "--summary", "sum.json")
    assert done.code == 0
    costs = {name: line["cost_usd"] for name, line in desk.results().items()}
    assert costs == {"r1": 0.0045, "r2": 0.00594, "r3": 0.0000365}
    assert desk.results()["r3"]["usage"]["cache_write_tokens"] == 8
    summary = desk.summary()
    assert summary["cost_usd"] == 0.0104765
    assert summary["saved_usd"] == 0.00256
    assert summary["priced_by"] == {"your prices": 3}
    assert (summary["unpriced"], summary["unmetered"]) == ({}, 0)
    assert "  cost       $0.0105, by your prices\n" in done.stderr
    assert "  saved      $0.002560 by 2,048 cached input tokens\n" in done.stderr


async def test_an_answer_that_is_asked_for_again_is_paid_twice(desk: Desk) -> None:
    desk.server.replies = [
        answer("none", usage=used(100, 50)),
        answer('{"name": "x"}', usage=used(200, 10)),
    ]
    desk.settings(prices={"*": DEAR})
    done = await desk.run(desk.prompts(1), "--schema", "name:str", "--summary", "sum.json")
    assert done.code == 0, done.stderr
    assert desk.results()["r1"]["cost_usd"] == 0.00075 + 0.0006
    assert desk.summary()["cost_usd"] == 0.00135


async def test_a_fallback_is_paid_at_its_own_price(desk: Desk, second: FaultServer) -> None:
    desk.server.replies = by_prompt(**{"say 1": using(1000, 100), "say 2": error(400)})
    second.replies = using(1000, 100)
    beside(desk, second, prices={"lab/m": DEAR, "spare/n": CHEAP})
    done = await desk.run(desk.prompts(2), "--summary", "sum.json", route=False)
    assert done.code == 0, done.stderr
    costs = {name: line["cost_usd"] for name, line in desk.results().items()}
    assert costs == {"r1": 0.0035, "r2": 0.0006}
    assert desk.summary()["cost_usd"] == 0.0041


async def test_it_is_said_that_attempts_broke_off_before_their_tokens_were_counted(
    desk: Desk,
) -> None:
    desk.server.replies = [cut(2), using(1000, 0)]
    done = await desk.run(desk.prompts(1), "--price-in", "1", "--price-out", "1")
    assert done.code == 0
    assert desk.lines()[0]["cost_usd"] == 0.001
    assert "cost       leaves out 1 attempt that broke off before its tokens were counted\n" in (
        done.stderr
    )


async def test_without_a_price_the_cost_is_null_and_it_is_said_what_to_do(desk: Desk) -> None:
    done = await desk.run(desk.prompts(2), "--summary", "sum.json")
    assert [line["cost_usd"] for line in desk.lines()] == [None, None]
    summary = desk.summary()
    assert (summary["cost_usd"], summary["unpriced"]) == (None, {"openai-compatible/m": 2})
    assert (
        "  cost       unknown for 2 rows: no price for openai-compatible/m; name it under prices:, "
        "or give --price-in and --price-out\n"
    ) in done.stderr


async def test_the_flags_price_what_no_entry_names(desk: Desk) -> None:
    desk.server.replies = using(1_000_000, 500_000)
    done = await desk.run(
        desk.prompts(1), "--price-in", "1", "--price-out", "2.5", "--summary", "sum.json"
    )
    assert desk.summary()["cost_usd"] == desk.lines()[0]["cost_usd"] == 2.25
    assert "cost       $2.25, by --price-in and --price-out\n" in done.stderr


async def test_one_half_of_a_price_is_refused_before_anything_is_sent(desk: Desk) -> None:
    done = await desk.run(desk.prompts(1), "--price-in", "1")
    assert done.code == 2
    assert "price_in is set, but not price_out; give both --price-in and --price-out" in done.stderr
    assert not desk.server.calls


async def test_a_providers_own_figure_is_taken_where_the_user_names_no_price(desk: Desk) -> None:
    desk.server.replies = answer("Hello", usage={**used(10, 1), "cost": 0.00125})
    done = await desk.run(desk.prompts(1))
    assert desk.lines()[0]["cost_usd"] == 0.00125
    assert "cost       $0.001250, as the provider reports it\n" in done.stderr
    priced = await desk.run("in.jsonl", "--fresh", "--force", "--price-in", "1", "--price-out", "1")
    assert priced.code == 0
    assert desk.lines()[0]["cost_usd"] == 0.000011


async def test_an_official_name_at_another_address_is_not_priced_as_the_provider(
    desk: Desk,
) -> None:
    args = ("--base-url", desk.server.url, "-m", "openai/gpt-4o-mini")
    done = await desk.run(desk.prompts(1), *args, route=False)
    assert desk.lines()[0]["cost_usd"] is None
    assert "no price for openai/gpt-4o-mini; " in done.stderr


async def test_an_answer_whose_tokens_nobody_counted_has_no_cost(desk: Desk) -> None:
    desk.server.replies = answer("Hello", usage=False)
    done = await desk.run(desk.prompts(1), "--price-in", "1", "--price-out", "1")
    assert desk.lines()[0]["cost_usd"] is None
    assert (
        "cost       unknown for 1 row: the answer did not say how many tokens it took"
    ) in done.stderr


async def test_embeddings_cost_what_goes_in(desk: Desk) -> None:
    rows = [
        {
            "custom_id": f"e{n}",
            "method": "POST",
            "url": "/v1/embeddings",
            "body": {"input": "four words stand here"},
        }
        for n in range(3)
    ]
    done = await desk.run(
        desk.write(*rows),
        "--no-dedupe",
        "--price-in",
        "1000",
        "--price-out",
        "7",
        "--summary=sum.json",
    )
    assert done.code == 0, done.stderr
    assert [line["cost_usd"] for line in desk.lines()] == [0.004] * 3
    assert desk.summary()["cost_usd"] == 0.012


async def test_the_log_lines_say_what_it_cost_so_far(desk: Desk) -> None:
    desk.server.replies = using(1_000_000, 0)
    done = await desk.run(desk.prompts(3), "--price-in", "1", "--price-out", "1")
    assert "$3.00" in done.stderr


async def test_a_row_that_broke_off_for_good_without_usage_has_no_cost(desk: Desk) -> None:
    desk.server.replies = cut(2)
    done = await desk.run(desk.prompts(1), "--retries", "0", "--price-in", "1", "--price-out", "1")
    assert done.code == 1
    line = desk.lines()[0]
    assert (line["status"], line["cost_usd"]) == ("partial", None)
    assert "unknown for 1 row" in done.stderr


async def test_what_the_summary_says_is_the_sum_of_the_rows(desk: Desk) -> None:
    def replies(call: Any) -> Any:
        number = int(call.prompt.split()[1])
        return using(number * 37, number * 11, number * 7)

    desk.server.replies = replies
    desk.settings(prices={"*": {"input": 0.15, "output": 0.6, "cached": 0.075}})
    done = await desk.run(desk.prompts(60), "--summary", "sum.json")
    assert done.code == 0
    lines = desk.lines()
    assert desk.summary()["cost_usd"] == round(sum(line["cost_usd"] for line in lines), 10)
    whole = sum(range(1, 61))
    exact = whole * (30 * 15 + 7 * 7.5 + 11 * 60) / 100 / 1_000_000
    assert desk.summary()["cost_usd"] == round(exact, 10)
    assert json.dumps(lines[0]["cost_usd"]).count("0000000") < 1
