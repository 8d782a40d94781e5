"""The exit code says how the job ended, and so do the last line and the summary's file."""

from __future__ import annotations

import json

import pytest
from desk import Desk
from faultreplies import Call, Recipe, answer, error


def by_prompt(call: Call) -> Recipe:
    """``say 1`` fails, ``say 2`` is cut by the length limit, everything else is answered."""
    special = {"say 1": error(400, "Bad x"), "say 2": answer("a", finish="length")}
    return special.get(call.prompt) or answer()


@pytest.mark.parametrize(("allowed", "code"), [("0", 1), ("1", 0), ("19%", 1), ("20%", 0)])
async def test_max_failed_decides_how_many_rows_may_fail(
    desk: Desk, allowed: str, code: int
) -> None:
    desk.prompts(5)
    desk.server.replies = by_prompt
    done = await desk.run("in.jsonl", "--max-failed", allowed, "--summary", "sum.json")
    assert done.code == code, done
    assert "1 error" in done.last
    assert "1 truncated" in done.last
    assert done.last.endswith(f"(exit {code})")
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert summary["exit_code"] == code
    assert summary["rows"] == {"ok": 3, "truncated": 1, "error": 1}


async def test_a_refusal_a_filter_and_a_bad_line_are_failures(desk: Desk) -> None:
    desk.write({"prompt": "refuse"}, {"prompt": "filter"}, "broken", {"prompt": "answer"})
    special = {
        "refuse": answer("", refusal="No."),
        "filter": answer("a", finish="content_filter"),
    }
    desk.server.replies = lambda call: special.get(call.prompt, answer())
    assert (await desk.run("in.jsonl", "--max-failed", "2")).code == 1
    assert (await desk.run("in.jsonl", "--max-failed", "3")).code == 0


async def test_failures_of_an_earlier_run_count_until_they_are_mended(desk: Desk) -> None:
    desk.write({"id": "a", "prompt": "x"}, {"id": "b", "prompt": "x", "n": 2})
    assert (await desk.run("in.jsonl")).code == 1
    again = await desk.run("in.jsonl")
    assert again.code == 1, "nothing ran, and a row still has no good end"
    assert len(desk.server.calls) == 1
    desk.write({"id": "a", "prompt": "x"}, {"id": "b", "prompt": "x"})
    assert (await desk.run("in.jsonl")).code == 0
    assert {line["status"] for line in desk.results().values()} == {"ok"}


async def test_the_environment_and_the_yaml_decide_as_flags_do(desk: Desk) -> None:
    desk.prompts(3)
    desk.server.replies = by_prompt
    (desk.folder / "llmbatch.yaml").write_text(
        "max_failed: 50%\nprofiles: {p: {max_failed: 90%}}\n"
    )
    assert (await desk.run("in.jsonl")).code == 0
    strict = {"LLMBATCH_MAX_FAILED": "0"}
    assert (await desk.run("in.jsonl", "--profile", "p", env=strict)).code == 1
