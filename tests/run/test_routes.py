"""Fallbacks: who answers a row when the model itself can't, and what is said of it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import anthropicwire
import pytest
from desk import Desk
from faultreplies import (
    Call,
    Recipe,
    answer,
    context_too_long,
    cut_at_once,
    error,
    insufficient_quota,
    malformed,
    rate_limited,
    truncated,
    unauthorized,
)
from watching import Watch

from faultserver import FaultServer

OUT = "in.results.jsonl"


def by_prompt(**recipes: Recipe) -> Recipe:
    """The recipe that the prompt names; a good answer to any other prompt."""
    return lambda call: recipes.get(call.prompt, answer())


def who(result: dict[str, Any]) -> tuple[Any, ...]:
    return result["status"], result["provider"], result["model"], result["fallbacks"]


def beside(desk: Desk, second: FaultServer, *fallbacks: str, **more: Any) -> None:
    """Settings with the server as ``lab`` and a second one as ``spare``."""
    providers = {"lab": {"base_url": desk.server.url}, "spare": {"base_url": second.url}}
    desk.settings(model="lab/m", fallbacks=fallbacks or ["spare/n"], providers=providers, **more)


async def test_three_wire_formats_answer_one_job_in_their_order(
    desk: Desk, second: FaultServer, third: FaultServer
) -> None:
    desk.settings(
        model="lab/m",
        fallbacks=["claude/c", "google/g"],
        providers={
            "lab": {"base_url": desk.server.url},
            "claude": {"base_url": second.root, "api": "anthropic"},
            "google": {"base_url": third.root, "api": "gemini"},
        },
    )
    too_long = anthropicwire.error_body(
        "invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum"
    )
    desk.server.replies = by_prompt(b=context_too_long(), c=error(404), d=error(403, "not this"))
    second.replies = by_prompt(c=error(400, body=too_long), d=answer(finish="length"))
    third.replies = answer(chunks=3)
    desk.write(*({"id": name, "prompt": name, "max_tokens": 9} for name in "abcd"))
    done = await desk.run("in.jsonl", "--summary", "sum.json", route=False)
    assert done.code == 0, done
    results = desk.results()
    assert {name: who(result) for name, result in results.items()} == {
        "a": ("ok", "lab", "m", 0),
        "b": ("ok", "claude", "c", 1),
        "c": ("ok", "google", "g", 2),
        "d": ("truncated", "claude", "c", 1),
    }
    assert {name: result["output"] for name, result in results.items()} == {
        name: f"You said: {name}" for name in "abcd"
    }
    assert [results[n]["finish_reason"] for n in "abcd"] == [
        "stop",
        "end_turn",
        "STOP",
        "max_tokens",
    ]
    assert all(results[name]["usage"]["output_tokens"] for name in "abcd")
    assert results["c"]["metrics"]["attempts"] == 3
    assert results["c"]["error"] is None
    assert {call.path for call in second.calls} == {"/v1/messages"}
    assert {call.path for call in third.calls} == {"/v1beta/models/g:streamGenerateContent"}
    summary = desk.summary()
    assert summary["answered"] == {"lab/m": 1, "claude/c": 2, "google/g": 1}
    assert (summary["model"], summary["fallbacks"]) == ("lab/m", 3)
    assert "answers    2 claude/c, 1 google/g, 1 lab/m (3 by a fallback)" in done.stderr


async def test_flags_name_the_fallbacks_in_their_order_and_replace_those_of_the_yaml(
    desk: Desk, second: FaultServer, third: FaultServer
) -> None:
    desk.settings(
        fallbacks=["second/of-the-yaml"],
        providers={"second": {"base_url": second.url}, "third": {"base_url": third.url}},
    )
    for server in (desk.server, third):
        server.replies = error(404)
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--fallback", "third/x", "--fallback", "second/y")
    assert done.code == 0, done
    assert who(desk.results()["r1"]) == ("ok", "second", "y", 2)
    assert [call.body["model"] for call in third.calls + second.calls] == ["x", "y"]
    done = await desk.run("in.jsonl", "--fallback", "m", "-o", "x.jsonl")
    assert done.code == 2
    assert 'fallback "m" is asked already' in done.last


MOVES: dict[str, Recipe] = {
    "context": context_too_long(),
    "refused": error(403, "Our policy forbids this."),
    "missing": error(404, "no such model"),
    "unknown": error(422, "unknown parameter"),
    "forbidden": error(400, "no", code="content_policy_violation"),
    "busy": error(503),
    "failing": error(500),
    "limited": rate_limited(retry_after_ms="1"),
    "cut": cut_at_once(),
    "broken": truncated(stream=True),
    "odd": malformed(stream=True),
}
RETRIED = {"busy", "failing", "limited", "cut", "broken", "odd"}


async def test_each_error_that_another_model_may_not_share_moves_on(
    desk: Desk, second: FaultServer
) -> None:
    beside(desk, second)
    desk.server.replies = by_prompt(**MOVES)
    desk.write(*({"id": name, "prompt": name} for name in (*MOVES, "fine")))
    done = await desk.run("in.jsonl", "--retries", "1", "--concurrency", "1", route=False)
    assert done.code == 0, done
    results = desk.results()
    assert who(results.pop("fine")) == ("ok", "lab", "m", 0)
    assert {name: who(result) for name, result in results.items()} == dict.fromkeys(
        MOVES, ("ok", "spare", "n", 1)
    )
    assert sorted(call.prompt for call in second.calls) == sorted(MOVES)
    asked = [call.prompt for call in desk.server.calls]
    for name in MOVES:
        at_least = 2 if name in RETRIED else 1
        assert asked.count(name) >= at_least, "its retries are used up first"
        assert asked.count(name) == at_least or name == "broken", "that is asked in one piece, too"
        assert results[name]["metrics"]["attempts"] == asked.count(name) + 1


async def test_a_row_that_nobody_answers_says_what_each_of_them_said(
    desk: Desk, second: FaultServer
) -> None:
    beside(desk, second)
    desk.server.replies = error(404, "no model of that name")
    second.replies = error(503, "full up")
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--retries", "1", route=False)
    assert done.code == 1
    result = desk.results()["r1"]
    assert (result["status"], result["output"]) == ("error", None)
    failure = result["error"]
    assert (failure["type"], failure["http_status"]) == ("overloaded", 503)
    assert (
        "lab/m: HTTP 404: no model of that name; spare/n: HTTP 503: full up" in failure["message"]
    )


async def test_a_fallback_that_does_not_know_a_parameter_is_passed_over(
    desk: Desk, second: FaultServer, third: FaultServer
) -> None:
    providers = {
        "lab": {"base_url": desk.server.url},
        "google": {"base_url": second.root, "api": "gemini"},
        "spare": {"base_url": third.url},
    }
    desk.settings(model="lab/m", fallbacks=["google/g", "spare/n"], providers=providers)
    desk.server.replies = error(404)
    desk.write({"id": "r1", "prompt": "hi", "logit_bias": {"1": 2}, "temperature": 0.5})
    assert (await desk.run("in.jsonl", route=False)).code == 0
    assert who(desk.results()["r1"]) == ("ok", "spare", "n", 2)
    assert not second.calls
    drop = ("--drop-params", "-o", "x.jsonl", "--summary", "sum.json")
    done = await desk.run("in.jsonl", *drop, route=False)
    assert done.code == 0
    assert who(desk.results("x.jsonl")["r1"]) == ("ok", "google", "g", 1)
    assert second.calls[0].body["generationConfig"] == {"temperature": 0.5}
    assert desk.summary()["dropped"] == {"logit_bias": 1}
    assert "dropped    1 logit_bias" in done.stderr


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


async def test_a_row_with_a_model_of_its_own_has_it_on_the_first_route_alone(
    desk: Desk, second: FaultServer
) -> None:
    beside(desk, second)
    desk.server.replies = error(404)
    desk.write({"id": "r1", "prompt": "hi", "model": "big"})
    assert (await desk.run("in.jsonl", route=False)).code == 0
    assert [call.body["model"] for call in desk.server.calls + second.calls] == ["big", "n"]
    assert who(desk.results()["r1"]) == ("ok", "spare", "n", 1)


async def test_each_route_has_limits_of_its_own(desk: Desk, second: FaultServer) -> None:
    providers: dict[str, dict[str, Any]] = {
        "lab": {"base_url": desk.server.url, "concurrency": 2},
        "spare": {"base_url": second.url, "concurrency": 3, "rpm": 60_000},
    }
    desk.settings(model="lab/m", fallbacks=["spare/n"], providers=providers)
    desk.server.replies = lambda call: error(404) if int(call.prompt[4:]) % 2 else answer()
    second.replies = answer(delay=0.002)
    desk.prompts(40)
    assert (await desk.run("in.jsonl", "--rpm", "30000", route=False)).code == 0
    assert (len(desk.server.calls), len(second.calls)) == (40, 20)
    assert desk.server.peak <= 2
    assert second.peak == 3


async def test_a_fallbacks_own_limit_comes_before_the_jobs(desk: Desk, second: FaultServer) -> None:
    providers = {"spare": {"base_url": second.url, "rpm": 1}}
    desk.settings(fallbacks=["spare/n"], providers=providers, rpm=60_000)
    desk.prompts(40)
    watch = Watch(desk.server, by_prompt(**{"say 1": error(404), "say 2": error(404)}))
    async with desk.running("in.jsonl", "--concurrency", "1") as job:
        await watch.requests(40)
        job.send(signal.SIGINT)  # one row still waits for its turn
        done = await job.ended()
    assert done.code == 130, done
    assert len(second.calls) == 1
    assert "39 ok, 1 not run" in done.last


@pytest.mark.model
async def test_the_embedded_model_is_a_fallback_like_any_other(desk: Desk, smollm2: Path) -> None:
    desk.server.replies = by_prompt(**{"say 2": error(404)})
    desk.prompts(2)
    flags = ("--fallback", "local/smollm2", "--max-tokens", "4")
    done = await desk.run("in.jsonl", *flags, env={"LLMBATCH_MODELS": str(smollm2.parent)})
    assert done.code == 0, done
    results = desk.results()
    assert who(results["r1"]) == ("ok", "openai-compatible", "m", 0)
    assert who(results["r2"])[1:] == ("local", "smollm2", 1)
    assert results["r2"]["output"]


async def test_a_fallback_to_the_embedded_model_wants_its_weights_before_anything_is_sent(
    desk: Desk,
) -> None:
    desk.prompts(1)
    env = {"LLMBATCH_MODELS": str(desk.folder / "nothing")}
    done = await desk.run("in.jsonl", "--fallback", "local/smollm2", env=env)
    assert done.code == 2, done
    assert not desk.server.calls


async def test_a_server_that_refuses_to_stream_is_asked_in_one_piece(desk: Desk) -> None:
    refusal = error(400, "This model does not support streaming.")
    desk.server.replies = lambda call: refusal if call.streams else answer()
    desk.prompts(10)
    done = await desk.run("in.jsonl", "--concurrency", "1")
    assert done.code == 0, done
    assert {result["status"] for result in desk.results().values()} == {"ok"}
    streamed = [call.streams for call in desk.server.calls]
    assert streamed == [True] * streamed.count(True) + 10 * [False]
    assert streamed.count(True) <= 2, "the first, and a row that took its turn meanwhile"


async def test_a_server_that_cuts_every_stream_is_asked_in_one_piece(desk: Desk) -> None:
    desk.server.replies = lambda call: truncated() if call.streams else answer()
    desk.prompts(30)
    done = await desk.run("in.jsonl", "--concurrency", "1")
    assert done.code == 0, done
    assert {result["status"] for result in desk.results().values()} == {"ok"}
    streamed = [call.streams for call in desk.server.calls]
    assert streamed == [True] * streamed.count(True) + 30 * [False], "later rows are asked whole"
    assert streamed.count(True) <= 3 * 4, "of the rows that take turns while one backs off"


async def test_a_row_whose_stream_alone_breaks_leaves_the_others_streaming(desk: Desk) -> None:
    def recipe(call: Call) -> Recipe:
        return truncated() if call.streams and call.prompt == "say 2" else answer()

    desk.server.replies = recipe
    desk.prompts(4)
    done = await desk.run("in.jsonl", "--concurrency", "1", "--retries", "1")
    assert done.code == 0, done
    asked = [(call.prompt, call.streams) for call in desk.server.calls]
    assert asked.count(("say 2", False)) == 1
    assert {prompt for prompt, streams in asked if not streams} == {"say 2"}


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
