"""A route that is out for good, a job without any, and what a later run makes of the results."""

from __future__ import annotations

import pytest
from desk import Desk
from faultreplies import Recipe, answer, context_too_long, insufficient_quota, unauthorized
from tworoutes import beside, by_prompt, who

from faultserver import FaultServer

OUT = "in.results.jsonl"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [(unauthorized(), "HTTP 401"), (insufficient_quota(), "HTTP 429: You exceeded your current")],
    ids=["key", "quota"],
)
async def test_a_route_that_is_out_for_good_leaves_the_job_to_the_next(
    desk: Desk, second: FaultServer, recipe: Recipe, words: str
) -> None:
    beside(desk, second)
    desk.server.replies = recipe
    desk.prompts(10)
    args = ("in.jsonl", "--concurrency", "1", "--summary", "sum.json")
    done = await desk.run(*args, route=False)
    assert done.code == 0, done
    assert len(desk.server.calls) == 1, "not one refusal for each row"
    assert {who(result) for result in desk.results().values()} == {("ok", "spare", "n", 1)}
    assert f"lab/m is out of this job: {words}" in done.stderr
    assert f"stopped    lab/m: {words}" in done.stderr
    assert words in desk.summary()["routes"]["lab/m"]["stopped"]


async def test_the_job_stops_where_no_route_is_left_and_goes_on_later(
    desk: Desk, second: FaultServer
) -> None:
    beside(desk, second)
    desk.server.replies = unauthorized()
    second.replies = by_prompt(**{"say 3": unauthorized()})
    desk.prompts(6)
    args = ("in.jsonl", "--concurrency", "1", "--summary", "sum.json")
    done = await desk.run(*args, route=False)
    assert done.code == 4
    assert done.last.startswith("llmbatch: stopped early (HTTP 401: ")
    results = desk.results()
    assert [results[name]["status"] for name in ("r1", "r2")] == ["ok", "ok"]
    assert desk.summary()["not_run"] == 6 - len(results)
    desk.server.replies = answer()
    assert (await desk.run(*args, route=False)).code == 0
    assert [result["fallbacks"] for result in desk.results().values()].count(1) == 2
    assert len(desk.results()) == 6


@pytest.mark.parametrize("form", ["jsonl", "openai-batch"])
async def test_nothing_runs_again_when_the_fallbacks_change(
    desk: Desk, second: FaultServer, form: str
) -> None:
    beside(desk, second)
    desk.server.replies = by_prompt(**{"say 2": context_too_long()})
    desk.prompts(3)
    args = ("in.jsonl", "--format", form)
    assert (await desk.run(*args, route=False)).code == 0
    before = (desk.folder / OUT).read_bytes()
    if form == "openai-batch":
        lines = {line["custom_id"]: line for line in desk.lines()}
        assert [lines[f"r{n}"]["response"]["body"]["model"] for n in (1, 2, 3)] == ["m", "n", "m"]
        assert {line["error"] for line in lines.values()} == {None}
    asked = len(desk.server.calls), len(second.calls)
    for fallbacks in ([], ["--fallback", "spare/other", "--fallback", "spare/n"]):
        beside(desk, second, *(() if fallbacks else ("spare/third",)))
        done = await desk.run(*args, *fallbacks, route=False)
        assert done.code == 0, done
        assert "nothing left to do (3 done before)" in done.last
    assert (len(desk.server.calls), len(second.calls)) == asked
    assert (desk.folder / OUT).read_bytes() == before


async def test_a_fallback_that_could_answer_no_row_at_all_is_refused_before_anything_is_sent(
    desk: Desk, second: FaultServer
) -> None:
    desk.prompts(2)
    desk.settings(
        model="lab/m",
        fallbacks=["claude/c"],
        providers={
            "lab": {"base_url": desk.server.url},
            "claude": {"base_url": second.root, "api": "anthropic"},
        },
    )
    args = ("in.jsonl", "--param", "seed=1")
    done = await desk.run(*args, route=False)
    assert done.code == 2
    assert "fallback claude/c: claude does not know the parameter seed" in done.last
    assert desk.server.calls == []
    assert (await desk.run(*args, "--drop-params", route=False)).code == 0
