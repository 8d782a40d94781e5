"""Servers that fail, lie or are slow, through the real command."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from desk import Desk
from faultreplies import (
    Act,
    Call,
    Recipe,
    answer,
    context_too_long,
    cut,
    cut_at_once,
    error,
    error_in_stream,
    insufficient_quota,
    malformed,
    never,
    rate_limited,
    redirect,
    stalled,
    truncated,
    unauthorized,
    web_page,
)

Fault = tuple[Recipe, str, str | None, int | None, str]
"""A recipe, and the status, error type, HTTP status and words of the reason it must lead to."""

TRANSIENT: dict[str, Fault] = {
    "cut": (cut(text="a b c"), "partial", "stream_broken", 200, "cut in the middle"),
    "reset": (cut(act=Act.RESET, text="a b c"), "partial", "stream_broken", 200, "cut in the"),
    "truncated": (truncated(text="a b c"), "partial", "stream_broken", 200, "before its finish"),
    "no finish": (answer("a", finish=None), "partial", "stream_broken", 200, "before its finish"),
    "malformed": (malformed(text="a b c"), "partial", "malformed_response", 200, "not a JSON"),
    "in stream": (error_in_stream("Oh no"), "partial", "error_in_stream", 200, "Oh no"),
    "overloaded in stream": (
        error_in_stream("Busy", code="overloaded"),
        *("partial", "overloaded", 529, "inside the stream: Busy"),
    ),
    "cut at once": (cut_at_once(), "error", "connection_failed", None, "before it answered"),
    "reset at once": (cut_at_once(Act.RESET), "error", "connection_failed", None, "closed the"),
    "500": (error(500, "Oh no"), "error", "overloaded", 500, "HTTP 500: Oh no"),
    "502 page": (web_page(502), "error", "overloaded", 502, "Bad Gateway (a web page)"),
    "529": (error(529), "error", "overloaded", 529, "HTTP 529"),
    "408": (error(408), "error", "overloaded", 408, "HTTP 408"),
    "429": (rate_limited("0"), "error", "rate_limited", 429, "Rate limit reached"),
    "empty body": (error(200, body=b""), "error", "stream_broken", 200, "before its finish"),
    "a list": (error(200, body=b"[1]"), "error", "malformed_response", 200, "not a JSON object"),
}
PERMANENT: dict[str, Fault] = {
    "400": (error(400, "Bad x"), "error", "bad_request", 400, "HTTP 400: Bad x"),
    "403": (error(403, "Not you"), "error", "refused", 403, "HTTP 403: Not you"),
    "404": (error(404, "No model m"), "error", "not_found", 404, "HTTP 404: No model m"),
    "413": (error(413), "error", "bad_request", 413, "HTTP 413"),
    "422": (error(422), "error", "bad_request", 422, "HTTP 422"),
    "too long": (context_too_long(), "error", "context_too_long", 400, "maximum context length"),
    "redirect": (redirect("http://x.invalid/"), "error", "permanent", 307, "redirects to"),
    "page": (web_page(), "error", "malformed_response", 200, "is the base URL right"),
    "long wait": (rate_limited("3000"), "error", "rate_limited", 429, "wait 3000 s"),
    "advice": (
        error(503, headers={"x-should-retry": "false"}),
        *("error", "overloaded", 503, "trying again would not help"),
    ),
}
ANSWERS: dict[str, Fault] = {
    "fine": (answer("Fine."), "ok", None, None, ""),
    "length": (answer("a b", finish="length"), "truncated", None, None, ""),
    "filtered": (answer("a", finish="content_filter"), "filtered", None, None, ""),
    "refused": (answer("", refusal="I can't"), "refused", None, None, ""),
    "no usage": (answer("a", usage=False), "ok", None, None, ""),
    "whole": (answer("a", stream=False), "ok", None, None, ""),
    "one retry is enough": (answer("a"), "ok", None, None, ""),
}
EVERY = TRANSIENT | PERMANENT | ANSWERS


def recipe_by_prompt(call: Call) -> Recipe:
    return EVERY[call.prompt][0] if call.prompt in EVERY else answer()


FILLERS = 2
"""Good rows between any two bad ones: a server that mostly answers is no outage."""


def ask_for(desk: Desk, names: Any, fillers: int = 0) -> None:
    rows = []
    for name in names:
        rows.append({"id": name, "prompt": name})
        rows += [{"id": f"{name} +{n}", "prompt": "filler"} for n in range(fillers)]
    desk.write(*rows)


async def test_every_fault_ends_in_its_own_status_reason_and_exit_code(desk: Desk) -> None:
    ask_for(desk, EVERY, FILLERS)
    desk.server.replies = recipe_by_prompt
    args = ("--retries", "0", "--concurrency", "1", "--summary", "sum.json", "--no-dedupe")
    done = await desk.run("in.jsonl", *args)
    assert done.code == 1, done
    assert "Traceback" not in done.stderr
    found = desk.results()
    good = [found.pop(name)["status"] for name in list(found) if name not in EVERY]
    assert good == ["ok"] * FILLERS * len(EVERY)
    assert found.keys() == EVERY.keys()
    for name, (_, status, kind, http_status, words) in EVERY.items():
        line = found[name]
        assert line["status"] == status, line
        assert line["metrics"]["attempts"] == 1, line
        assert line["metrics"]["retried"] == []
        if kind is None:
            assert line["error"] is None, line
            continue
        assert (line["error"]["type"], line["error"]["http_status"]) == (kind, http_status), line
        assert words in line["error"]["message"], line
    asked = Counter(call.prompt for call in desk.server.calls)
    assert asked.pop("filler") == FILLERS * len(EVERY)
    assert asked == Counter(list(EVERY)), "asked once each"
    for name, text in (("cut", "a b"), ("truncated", "a b"), ("malformed", "a"), ("length", "a b")):
        assert found[name]["output"] == text, "what arrived is kept"
    assert found["refused"]["output"] == "I can't"
    assert found["404"]["output"] is None
    assert found["no usage"]["usage"] is None
    told_failures(desk, done.stderr)


def told_failures(desk: Desk, stderr: str) -> None:
    """The summary counts the failures by cause, on standard error and in its file."""
    kinds = Counter(fault[2] for fault in EVERY.values() if fault[2])
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert summary["failures"] == kinds
    assert summary["exit_code"] == 1
    rows = Counter(fault[1] for fault in EVERY.values()) + Counter(ok=FILLERS * len(EVERY))
    assert summary["rows"] == rows
    for kind, number in kinds.items():
        assert f"{number} {kind}" in stderr


async def test_what_may_pass_is_tried_again_and_counted_and_the_rest_is_not(desk: Desk) -> None:
    ask_for(desk, EVERY, FILLERS)
    seen: Counter[str] = Counter()

    def first_time_bad(call: Call) -> Recipe:
        seen[call.prompt] += 1
        return recipe_by_prompt(call) if seen[call.prompt] == 1 else answer("At last.")

    desk.server.replies = first_time_bad
    args = ("--retries", "1", "--concurrency", "1", "--summary", "sum.json")
    done = await desk.run("in.jsonl", *args)
    assert done.code == 1
    found = desk.results()
    for name, (_, _, kind, _, words) in TRANSIENT.items():
        line = found[name]
        assert (line["status"], line["output"]) == ("ok", "At last."), line
        assert line["error"] is None
        assert line["metrics"]["attempts"] == 2
        assert line["metrics"]["retried"] == [kind], (line, words)
    for name in PERMANENT | ANSWERS:
        assert found[name]["metrics"]["attempts"] == seen[name] == 1, name
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert summary["retries"] == Counter(fault[2] for fault in TRANSIENT.values())
    assert summary["attempts"] == sum(seen.values())


async def test_silence_ends_by_its_own_clock(desk: Desk) -> None:
    stuck: dict[str, Recipe] = {"stall": stalled(asyncio.Event(), text="a b c"), "never": never()}
    ask_for(desk, [*stuck, "fine"])
    desk.server.replies = lambda call: stuck.get(call.prompt, answer())
    args = ("--stall-timeout", "300ms", "--timeout", "2s", "--retries", "0")
    assert (await desk.run("in.jsonl", *args)).code == 1
    found = desk.results()
    assert found["stall"]["status"] == "partial"
    assert found["stall"]["output"] == "a b"
    assert found["stall"]["error"]["type"] == "stalled"
    assert "no byte for 0.3 s" in found["stall"]["error"]["message"]
    assert found["never"]["error"]["type"] == "timeout"
    assert "no complete answer within 2 s" in found["never"]["error"]["message"]
    assert found["fine"]["status"] == "ok"


@pytest.mark.parametrize(
    ("recipe", "kind", "words"),
    [
        (unauthorized(), "auth_failed", "HTTP 401: Incorrect API key provided: ***"),
        (insufficient_quota(), "quota_exhausted", "You exceeded your current quota"),
        (error(403, "This API key is disabled"), "auth_failed", "HTTP 403: This API key is"),
        (error(402, "Pay first"), "quota_exhausted", "HTTP 402: Pay first"),
        (error_in_stream("Pay", code="insufficient_quota"), "quota_exhausted", "the stream: Pay"),
    ],
)
async def test_what_every_row_would_meet_stops_the_job_at_once(
    desk: Desk, recipe: Recipe, kind: str, words: str
) -> None:
    desk.prompts(200)
    desk.server.replies = recipe
    args = ("--concurrency", "4", "--summary", "sum.json")
    done = await desk.run("in.jsonl", *args, env={"OPENAI_API_KEY": "sk-wrong-key-0123"})
    assert done.code == 4, done
    assert len(desk.server.calls) <= 4, "the first refusals are enough"
    assert done.last.startswith("llmbatch: stopped early ("), done
    assert words in done.last
    assert done.last.endswith("(exit 4)")
    lines = desk.lines()
    assert 1 <= len(lines) <= 4
    assert {line["error"]["type"] for line in lines} == {kind}
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert summary["stopped"]["cause"] == "fatal"
    assert summary["not_run"] == 200 - len(lines)
    if "***" in words:
        desk.server.replies = answer()
        assert (await desk.run("in.jsonl")).code == 0
        assert all(line["status"] == "ok" for line in desk.results().values())
        assert len(desk.results()) == 200


async def test_a_storm_of_429_passes_and_every_row_is_answered(desk: Desk) -> None:
    desk.prompts(40)
    seen: Counter[str] = Counter()

    def stormy(call: Call) -> Recipe:
        seen[call.prompt] += 1
        # Half of the rows are refused twice; the wait is in whole milliseconds.
        bad = int(call.prompt.split()[1]) % 2 and seen[call.prompt] <= 2
        return rate_limited(retry_after_ms="5") if bad else answer()

    desk.server.replies = stormy
    done = await desk.run("in.jsonl", "--summary", "sum.json")
    assert done.code == 0, done
    found = desk.results()
    assert len(found) == 40
    for row_id, line in found.items():
        refused = 2 * (int(row_id[1:]) % 2)
        assert line["output"] == f"You said: say {row_id[1:]}"
        assert line["metrics"]["retried"] == ["rate_limited"] * refused
        assert line["metrics"]["attempts"] == 1 + refused
    assert json.loads((desk.folder / "sum.json").read_text())["retries"] == {"rate_limited": 40}
    assert "40 rate_limited" in done.stderr


@pytest.mark.parametrize("header", [{"retry_after_ms": "400"}, {"retry_after": "0.4"}])
async def test_retry_after_is_a_minimum(desk: Desk, header: dict[str, str]) -> None:
    desk.prompts(1)
    desk.server.replies = [rate_limited(**header), rate_limited(**header)]
    assert (await desk.run("in.jsonl")).code == 0
    times = [call.at for call in desk.server.calls]
    assert len(times) == 3
    assert all(later - earlier >= 0.4 for earlier, later in pairwise(times))


async def test_a_longer_wait_than_max_wait_fails_the_row_with_that_reason(desk: Desk) -> None:
    desk.prompts(1)
    desk.server.replies = rate_limited("3")
    assert (await desk.run("in.jsonl", "--max-wait", "2s")).code == 1
    (line,) = desk.lines()
    assert "the server asks to wait 3 s, more than --max-wait 2 allows" in line["error"]["message"]
    assert len(desk.server.calls) == 1


async def test_what_arrived_longest_is_kept_when_every_attempt_breaks(desk: Desk) -> None:
    desk.prompts(1)
    desk.server.replies = [cut(3, text="one two three"), cut(4, text="one two three"), error(500)]
    assert (await desk.run("in.jsonl", "--retries", "2")).code == 1
    (line,) = desk.lines()
    assert (line["status"], line["output"]) == ("partial", "one two three")
    assert line["metrics"]["attempts"] == 3
    assert line["metrics"]["retried"] == ["stream_broken", "stream_broken"]
    assert line["error"]["type"] == "overloaded"
    assert "given up after 3 attempts" in line["error"]["message"]
    desk.server.replies = answer("whole")
    assert (await desk.run("in.jsonl")).code == 0
    (line,) = desk.lines()
    assert (line["status"], line["output"]) == ("ok", "whole")


async def test_no_stream_asks_for_the_answer_in_one_piece(desk: Desk) -> None:
    names = ["fine", "length", "filtered", "refused", "400", "500", "page"]
    ask_for(desk, names)
    desk.server.replies = recipe_by_prompt
    done = await desk.run("in.jsonl", "--no-stream", "--retries", "0")
    assert done.code == 1
    assert not any(call.streams for call in desk.server.calls)
    found = desk.results()
    for name in names:
        _, status, kind, _, _ = EVERY[name]
        assert found[name]["status"] == status
        assert (found[name]["error"] or {}).get("type") == kind
    assert found["fine"]["output"] == "Fine."
    assert found["fine"]["usage"]["output_tokens"] == 1
    assert found["refused"]["output"] == "I can't"
