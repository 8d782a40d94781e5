"""What comes out of the real command: lines, formats, order, pipes."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from desk import Desk
from faultreplies import Call, Recipe, answer, error, held

TOOLS = [
    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"in": "Ulm"}'}},
    {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
]
ODDS = [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}]
SAID: dict[str, Recipe] = {
    "tools": answer("", tool_calls=TOOLS, finish="tool_calls"),
    "thinking": answer("So.", reasoning="Let me see."),
    "thinking too": answer("So.", reasoning="Let me see.", reasoning_key="reasoning"),
    "odds": answer("a", logprobs=ODDS),
    "costly": answer("a", usage={"prompt_tokens": 5, "completion_tokens": 1, "cost": 0.25}),
    "cached": answer(
        "a",
        usage={
            "prompt_tokens": 50,
            "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 8},
        },
    ),
    "bad": error(400, "Bad x"),
}


def said(call: Call) -> Recipe:
    return SAID.get(call.prompt) or answer()


async def test_what_a_model_says_besides_text_stands_in_the_line(desk: Desk) -> None:
    for stream in ("--stream", "--no-stream"):
        desk.write(*({"id": name, "prompt": name} for name in SAID))
        desk.server.replies = said
        done = await desk.run("in.jsonl", stream, "--fresh", "--force", "--summary", "sum.json")
        assert done.code == 1, done
        found = desk.results()
        assert found["tools"]["tool_calls"] == TOOLS
        assert found["tools"]["finish_reason"] == "tool_calls"
        assert found["tools"]["status"] == "ok"
        for name in ("thinking", "thinking too"):
            assert (found[name]["output"], found[name]["reasoning"]) == ("So.", "Let me see.")
        assert found["odds"]["logprobs"] == ODDS
        assert {"tool_calls", "logprobs", "reasoning"}.isdisjoint(found["cached"])
        assert found["cached"]["usage"] == {
            "input_tokens": 50,
            "output_tokens": 9,
            "cached_tokens": 40,
            "reasoning_tokens": 8,
        }
        assert found["costly"]["cost_usd"] == 0.25
        assert found["cached"]["cost_usd"] is None
        assert json.loads((desk.folder / "sum.json").read_text())["cost_usd"] == 0.25
        assert "$0.25" in done.stderr


async def test_openai_batch_lines_have_the_body_of_their_endpoint(desk: Desk) -> None:
    bodies: dict[str, Any] = {
        "/v1/chat/completions": {"messages": [{"role": "user", "content": "tools"}]},
        "/v1/completions": {"prompt": "p"},
        "/v1/embeddings": {"input": "e"},
        "/v1/responses": {"input": "r"},
    }
    rows = [{"custom_id": u, "method": "POST", "url": u, "body": b} for u, b in bodies.items()]
    bad = {"custom_id": "bad", "prompt": "bad"}
    desk.write(*rows, bad, {"custom_id": "wrong", "prompt": 5})
    desk.server.replies = said
    done = await desk.run("in.jsonl", "--format", "openai-batch", "-o", "out.jsonl")
    assert done.code == 1
    lines = {line["custom_id"]: line for line in desk.lines("out.jsonl")}
    assert all(line.keys() == {"id", "custom_id", "response", "error"} for line in lines.values())
    body = {url: lines[url]["response"]["body"] for url in bodies}
    assert all(lines[url]["response"]["status_code"] == 200 for url in bodies)
    message = body["/v1/chat/completions"]["choices"][0]["message"]
    assert message["tool_calls"] == TOOLS
    assert message["content"] is None
    assert body["/v1/completions"]["object"] == "text_completion"
    assert body["/v1/completions"]["choices"][0]["text"] == "You said: p"
    assert body["/v1/embeddings"]["data"][0]["object"] == "embedding"
    assert len(body["/v1/embeddings"]["data"][0]["embedding"]) == 3
    assert body["/v1/responses"]["object"] == "response"
    assert body["/v1/responses"]["output"][0]["content"][0]["text"] == "You said: r"
    assert body["/v1/responses"]["usage"]["output_tokens"] == 3
    assert "Bad x" in json.dumps(lines["bad"])
    assert "prompt must be a string" in json.dumps(lines["wrong"]["error"])
    desk.server.calls.clear()
    done = await desk.run("in.jsonl", "--format", "openai-batch", "-o", "out.jsonl")
    assert done.code == 1
    assert [call.prompt for call in desk.server.calls] == ["bad"], "the others are done"
    assert len(desk.lines("out.jsonl")) == 6


async def test_rows_are_written_as_they_finish_or_in_the_order_of_the_input(desk: Desk) -> None:
    for flags, wanted in (((), ["r2", "r3", "r1"]), (("--order", "input"), ["r1", "r2", "r3"])):
        others_done = asyncio.Event()
        slow = held(others_done)

        def first_last(
            call: Call, slow: Recipe = slow, done: asyncio.Event = others_done
        ) -> Recipe:
            if call.prompt == "say 4":
                done.set()  # it is sent when r2 and r3 have ended
            return slow if call.prompt == "say 1" else answer()

        desk.prompts(4)
        desk.server.replies = first_last
        done = await desk.run("in.jsonl", "-o", "-", *flags, "--concurrency", "2")
        assert done.code == 0, done
        ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
        assert [i for i in ids if i != "r4"] == wanted


async def test_standard_output_holds_results_alone(desk: Desk) -> None:
    done = await desk.run("-", "-o", "-", stdin=b'"one"\n{"id": "two", "prompt": "two"}\nbroken\n')
    assert done.code == 1
    lines = {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {i: line["status"] for i, line in lines.items()} == {
        "1": "ok",
        "two": "ok",
        "3": "invalid",
    }
    assert "-> standard output (exit 1)" in done.last
    assert list(desk.folder.iterdir()) == [], "nothing is left beside it"


async def test_a_reader_that_has_enough_ends_the_job_in_order(desk: Desk) -> None:
    desk.prompts(2000)
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as pipe:
        async with desk.running("in.jsonl", "-o", "-", stdout=writing) as job:
            os.close(writing)
            first = await asyncio.to_thread(pipe.read, 20)
            pipe.close()
            done = await job.ended()
    assert first.startswith(b'{"id":"r')
    assert done.code == 6
    assert "standard output was closed by its reader" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert len(desk.server.calls) < 2000


async def test_streams_that_are_closed_do_no_harm(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", preexec_fn=lambda: os.closerange(0, 3))
    assert done.code == 0
    assert len(desk.results()) == 3, "and no message among them"
    done = await desk.run("in.jsonl", "-o", "-", preexec_fn=lambda: os.close(1))
    assert done.code == 6
    assert "standard output: can't be written" in done.stderr


async def test_a_full_disk_for_results_and_messages_alike_has_its_exit_code(desk: Desk) -> None:
    desk.prompts(3)
    with open("/dev/full", "w") as full:
        streams: dict[str, Any] = {"stdout": full, "stderr": full}
        async with desk.running("in.jsonl", "-o", "-", "--summary", "sum.json", **streams) as job:
            done = await job.ended()
    assert done.code == 6
    assert json.loads((desk.folder / "sum.json").read_text())["exit_code"] == 6


async def test_an_older_summary_does_not_outlive_the_start_of_a_job(desk: Desk) -> None:
    desk.write({"id": "a", "prompt": "x"}, {"id": "a", "prompt": "y"})
    desk.write({"exit_code": 0}, name="sum.json")
    done = await desk.run("in.jsonl", "--summary", "sum.json")
    assert done.code == 3
    assert not (desk.folder / "sum.json").exists()


async def test_quiet_says_the_last_line_alone_and_the_summary_file_says_it_all(desk: Desk) -> None:
    desk.prompts(3)
    desk.server.replies = [error(500, headers={"retry-after-ms": "1"})]
    done = await desk.run("in.jsonl", "--quiet", "--summary", "sum.json")
    assert done.code == 0
    assert done.stdout == ""
    assert done.stderr.splitlines() == [done.last]
    assert done.last.startswith("llmbatch: 3 ok in ")
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert summary["exit_code"] == 0
    assert summary["rows"] == {"ok": 3}
    assert summary["total"] == 3
    assert summary["not_run"] == 0
    assert summary["attempts"] == 4
    assert summary["retries"] == {"overloaded": 1}
    assert summary["usage"]["output_tokens"] == 12
    assert summary["output"] == "in.results.jsonl"
    assert summary["cost_usd"] is None
    assert {"p50", "p95", "p99"} == summary["ttft_s"].keys() == summary["latency_s"].keys()
    assert all(value > 0 for value in summary["ttft_s"].values())
    assert summary["time"].keys() == {"limit", "provider", "backoff", "source"}
    assert [path.name for path in desk.folder.glob(".*")] == [], "no draft is left behind"


async def test_starting_over_wants_force_where_there_is_something_to_lose(desk: Desk) -> None:
    desk.prompts(2)
    assert (await desk.run("in.jsonl")).code == 0
    before = (desk.folder / "in.results.jsonl").read_bytes()
    done = await desk.run("in.jsonl", "--fresh")
    assert done.code == 2
    assert "--fresh would overwrite" in done.stderr
    assert "--force" in done.stderr
    assert (desk.folder / "in.results.jsonl").read_bytes() == before
    assert (await desk.run("in.jsonl", "--fresh", "--force")).code == 0
    assert len(desk.server.calls) == 4
    assert len(desk.results()) == 2
