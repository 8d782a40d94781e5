"""Fallbacks: who answers a row when the model itself can't, and what is said of it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import anthropicwire
import pytest
from desk import Desk
from faultreplies import (
    Recipe,
    answer,
    context_too_long,
    cut_at_once,
    error,
    malformed,
    rate_limited,
    truncated,
)
from tworoutes import beside, by_prompt, who
from watching import Watch

from faultserver import FaultServer


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
