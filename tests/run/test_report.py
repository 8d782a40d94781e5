"""`llmbatch report` of what a job wrote says the same as the job's own summary, to the digit."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from click.testing import CliRunner
from desk import Desk
from faultreplies import Call, Recipe, answer, cut, error, rate_limited

from faultserver import FaultServer
from llmbatch.cli.report import report

SAME = (
    "rows", "total", "not_run", "usage", "cost_usd", "wall_s", "rows_per_s", "output_tokens_per_s",
    "ttft_s", "itl_s", "latency_s", "attempts", "retries", "failures", "answered", "fallbacks",
    "reused",
)  # fmt: skip


def reported(*args: str) -> dict[str, Any]:
    """What the command prints as JSON."""
    done = CliRunner().invoke(report, [*args, "--format", "json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def troubled() -> Recipe:
    """Rows that go well, that do after a retry, are cut short, and that never do."""
    asked: Counter[str] = Counter()

    def recipe(call: Call) -> Recipe:
        asked[call.prompt] += 1
        first = asked[call.prompt] == 1
        match int(call.prompt.split()[-1]) % 8:
            case 1 if first:
                return rate_limited(retry_after="0")
            case 2 if first:
                return cut(3)
            case 3:
                return error(400)
            case 4:
                return answer("a b c", finish="length")
        return answer(chunks=7)

    return recipe


async def test_every_figure_of_the_summary_is_that_of_its_lines(
    desk: Desk, second: FaultServer
) -> None:
    desk.server.replies = troubled()
    desk.settings(
        model="lab/m",
        fallbacks=["spare/n"],
        providers={"lab": {"base_url": desk.server.url}, "spare": {"base_url": second.url}},
        prices={"lab/*": {"input": 2.5, "output": 10}, "spare/*": {"input": 0.1, "output": 0.3}},
    )
    second.replies = lambda call: error(400) if "11" in call.prompt else answer()
    rows = [{"id": f"r{n}", "prompt": f"say {n}"} for n in range(24)]
    await desk.run(
        desk.write(*rows, {"prompt": "say 0"}, b"no row\n"),
        "--summary", "sum.json",
        "--concurrency", "8", "--max-wait", "0.1",
        route=False,
    )  # fmt: skip
    summary = desk.summary()
    assert {"ok", "truncated", "error", "invalid"} == set(summary["rows"])
    assert summary["fallbacks"] > 0
    assert summary["retries"].keys() == {"rate_limited", "stream_broken"}
    assert summary["reused"] == {"same": 1}
    found = reported(str(desk.folder / "in.results.jsonl"))
    assert {name: found["figures"][name] for name in SAME} == {n: summary[n] for n in SAME}
    assert found["figures"]["timed_by"] == "manifest"
    assert sum(model["rows"] for model in found["models"]) == 24
    assert round(sum(model["cost_usd"] for model in found["models"]), 10) == summary["cost_usd"]
    assert found["row_time"]["limiter_s"] == summary["time"]["limit"]
    assert {c["cause"]: c["failed"] for c in found["causes"] if c["failed"]} == summary["failures"]
    assert found["last_run"] == {n: v for n, v in summary.items() if n != "exit_code"}
