"""A server that is gone for a while costs no row, few requests, and not the run."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from typing import Any

import pytest
from command import SCRIPT
from desk import Desk
from faultreplies import answer, error
from watching import Watch

from faultserver import FaultServer

ROWS = 60
EIGHT = ("in.jsonl", "--concurrency", "8", "--summary", "sum.json")
GONE = error(503, "The service is down.")
AWAY = "openai-compatible/m does not answer ("
BACK = "openai-compatible/m answers again, after "


async def end_of_the_world(desk: Desk, watch: Watch, kind: str) -> None:
    """From now on nobody answers."""
    if kind == "refused":
        await desk.server.go_away()
    else:
        watch.recipe = GONE


async def all_is_well(desk: Desk, watch: Watch, kind: str) -> None:
    """Somebody answers again."""
    if kind == "refused":
        await desk.server.come_back()
    watch.recipe = answer(delay=0.001)


def every_row_is_ok(desk: Desk, rows: int = ROWS) -> None:
    results = desk.results()
    assert set(results) == {f"r{number}" for number in range(1, rows + 1)}
    assert {result["status"] for result in results.values()} == {"ok"}
    assert all(r["output"] == f"You said: say {r['line']}" for r in results.values())


@pytest.mark.parametrize(
    ("kind", "processes"), [("refused", "1"), ("http503", "1"), ("refused", "2"), ("http503", "3")]
)
async def test_an_outage_in_the_middle_costs_no_row(desk: Desk, kind: str, processes: str) -> None:
    desk.prompts(ROWS)
    watch = Watch(desk.server, answer(delay=0.001))
    async with desk.running(*EIGHT, "--processes", processes) as job:
        await watch.requests(20)
        await end_of_the_world(desk, watch, kind)
        await job.heard(AWAY)
        await all_is_well(desk, watch, kind)
        done = await job.ended()
    assert done.code == 0, done
    every_row_is_ok(desk)
    assert done.stderr.count(AWAY) == done.stderr.count(BACK) == 1
    reason = "HTTP 503: The service" if kind == "http503" else "can't connect to 127.0.0.1:"
    assert f"{AWAY}{reason}" in done.stderr
    summary = desk.summary()
    route = summary["routes"]["openai-compatible/m"]
    assert (route["outages"], summary["rows"], summary["failures"]) == (1, {"ok": ROWS}, {})
    assert route["outage_s"] > 0
    assert "outages    1 time no answer, " in done.stderr


async def test_few_requests_are_sent_while_nobody_answers(desk: Desk) -> None:
    desk.prompts(ROWS)
    watch = Watch(desk.server, answer(delay=0.001))
    async with desk.running(*EIGHT) as job:
        await watch.requests(20)
        watch.recipe = GONE
        await job.heard(AWAY)
        began, before = time.monotonic(), len(desk.server.calls)
        await asyncio.sleep(2)  # this is how long it lasts
        lasted, sent = time.monotonic() - began, len(desk.server.calls) - before
        watch.recipe = answer()
        done = await job.ended()
    assert done.code == 0, done
    every_row_is_ok(desk)
    assert 1 <= sent <= 8 + 3 * lasted, "what was on its way, and probes"
    in_vain = sum(desk.summary()["retries"].values())
    assert in_vain <= 4 * 8 + 3 * lasted, "rows wait in line, and do not try"


async def test_the_breaker_stays_closed_for_a_few_rows_that_choke_a_server(desk: Desk) -> None:
    desk.prompts(30)
    desk.server.replies = lambda call: error(503) if call.prompt in {"say 1", "say 2"} else answer()
    done = await desk.run("in.jsonl", "--retries", "1", "--concurrency", "1")
    assert done.code == 1
    assert "does not answer" not in done.stderr
    assert "28 ok, 2 error" in done.last


async def test_an_outage_that_lasts_too_long_stops_the_job_and_it_goes_on_later(
    desk: Desk,
) -> None:
    desk.prompts(ROWS)
    watch = Watch(desk.server)
    watch.recipe = lambda call: answer() if len(desk.server.calls) <= 20 else GONE
    done = await desk.run(*EIGHT, "--max-outage", "2s")
    assert done.code == 4, done
    found = desk.results()
    assert {result["status"] for result in found.values()} == {"ok"}, "no row failed"
    assert len(found) == 20, "everything that was answered is written"
    assert done.last.startswith(
        "llmbatch: stopped early (openai-compatible/m: no answer within --max-outage 2 s: "
        "HTTP 503: The service is down.): 20 ok, 40 not run in "
    )
    assert "run the same command again to go on" in done.stderr
    summary = desk.summary()
    assert (summary["exit_code"], summary["not_run"]) == (4, 40)
    assert summary["stopped"]["cause"] == "outage"
    watch.recipe = answer()
    asked = len(desk.server.calls)
    again = await desk.run(*EIGHT, "--max-outage", "2s")
    assert again.code == 0, again
    assert len(desk.server.calls) - asked == 40
    every_row_is_ok(desk)


async def test_a_server_that_was_never_there_stops_the_job_as_well(desk: Desk) -> None:
    desk.prompts(10)
    await desk.server.go_away()
    done = await desk.run("in.jsonl", "--max-outage", "1s")
    assert done.code == 4, done
    assert "no answer within --max-outage 1 s: " in done.last
    assert "10 not run" in done.last
    assert desk.results() == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_a_run_that_ends_during_an_outage_is_resumed(desk: Desk, number: int) -> None:
    desk.prompts(ROWS)
    watch = Watch(desk.server)
    watch.recipe = lambda call: answer() if len(desk.server.calls) <= 20 else GONE
    async with desk.running(*EIGHT, "--grace", "1h") as job:
        await job.heard(AWAY)
        job.send(number)
        done = await job.ended()  # long before the grace period is over
    if number == signal.SIGKILL:
        assert done.code == -number
    else:
        assert done.code == 128 + number
        assert done.last.endswith(f"(exit {done.code})")
    assert {result["status"] for result in desk.results().values()} == {"ok"}
    assert len(desk.results()) == 20
    watch.recipe = answer()
    assert (await desk.run(*EIGHT)).code == 0
    every_row_is_ok(desk)


async def test_rows_take_the_next_route_until_the_first_answers_again(
    desk: Desk, second: FaultServer
) -> None:
    desk.settings(
        model="lab/m",
        fallbacks=["spare/n"],
        concurrency=2,
        providers={"lab": {"base_url": desk.server.url}, "spare": {"base_url": second.url}},
    )
    desk.prompts(400)
    second.replies = answer(delay=0.005)  # so that there are rows left when the first is back
    watch = Watch(desk.server, GONE)
    async with desk.running("in.jsonl", "--summary", "sum.json", route=False) as job:
        await job.heard("lab/m does not answer (")
        failed = len(desk.server.calls)
        watch.recipe = answer()
        done = await job.ended()
    assert done.code == 0, done
    every_row_is_ok(desk, 400)
    answered = desk.summary()["answered"]
    assert answered["spare/n"] == len(second.calls) > 0
    assert answered["lab/m"] > 1, "one row probed it, and more followed"
    assert len(desk.server.calls) - failed - answered["lab/m"] <= 4, "who was there already"
    assert "lab/m answers again, after " in done.stderr


async def test_a_route_that_stays_away_does_not_stop_the_job_that_another_one_does(
    desk: Desk, second: FaultServer
) -> None:
    providers = {"lab": {"base_url": desk.server.url}, "spare": {"base_url": second.url}}
    desk.settings(model="lab/m", fallbacks=["spare/n"], providers=providers)
    desk.prompts(30)
    await desk.server.go_away()
    done = await desk.run("in.jsonl", "--max-outage", "1s", route=False)
    assert done.code == 0, done
    every_row_is_ok(desk, 30)
    assert len(second.calls) == 30


async def test_notices_stand_above_the_bar(desk: Desk) -> None:
    desk.prompts(ROWS)
    watch = Watch(desk.server)
    watch.recipe = lambda call: answer() if len(desk.server.calls) <= 20 else GONE
    async with desk.running(*EIGHT, **terminal(100)) as job:
        await job.heard(AWAY)
        watch.recipe = answer()
        done = await job.ended()
    assert done.code == 0, done
    painted = [part.rstrip() for part in re.split(r"[\r\n]+", done.stderr) if part.strip()]
    bars = [part for part in painted if "%|" in part]
    assert all(re.fullmatch(r" *\d+%\|.*\| \d+/60.*", bar) for bar in bars), bars
    (gone,) = [part for part in painted if AWAY in part]
    (back,) = [part for part in painted if BACK in part]
    assert gone == f"{AWAY}HTTP 503: The service is down.): left alone, asked again in 1s"
    assert re.fullmatch(re.escape(BACK) + r"\d+s", back)
    assert any("60/60" in bar for bar in bars)


def terminal(columns: int) -> dict[str, Any]:
    """Arguments for a command whose standard error is a terminal of that width."""
    resize = f'stty rows 24 cols {columns} <&2; exec "$@"'
    env = {"TERM": "xterm", "LC_ALL": "C.UTF-8"}
    return {"tty": ("stderr",), "program": ("sh", "-c", resize, "sh", SCRIPT), "env": env}
