"""``--concurrency auto`` finds out what a server can take, and the summary says what bounded it."""

from __future__ import annotations

import asyncio

import pytest
from desk import Desk
from faultreplies import Call, Recipe, answer
from watching import Watch


def slow_until(desk: Desk, enough: int, delay: float = 0.05) -> Recipe:
    """Each event takes ``delay`` seconds until ``enough`` are in flight, and no time after that."""
    return lambda call: answer(chunks=1, delay=0 if desk.server.peak >= enough else delay)


async def test_auto_is_the_default_and_goes_beyond_its_start(desk: Desk) -> None:
    desk.prompts(1000)
    desk.server.replies = slow_until(desk, 17, 0.02)
    done = await desk.run("in.jsonl", "--summary", "sum.json")
    assert done.code == 0, done
    assert desk.server.peak > 16, "it began with 8 and doubled, and doubled again"
    route = desk.summary()["routes"]["openai-compatible/m"]
    assert route["highest"] >= 17
    assert (
        f"in flight  {route['concurrency']} at the end, {route['highest']} at most" in done.stderr
    )


@pytest.mark.parametrize(("ceiling", "processes"), [(3, 1), (12, 1), (3, 2), (12, 3)])
async def test_auto_never_goes_beyond_max_concurrency(
    desk: Desk, ceiling: int, processes: int
) -> None:
    desk.prompts(20 * ceiling)
    desk.server.replies = slow_until(desk, ceiling + 1, 0.01)
    flags = ("--max-concurrency", str(ceiling), "--processes", str(processes))
    done = await desk.run("in.jsonl", *flags)
    assert done.code == 0, done
    assert desk.server.peak == ceiling


@pytest.mark.parametrize("processes", ["1", "2", "3"])
async def test_auto_begins_with_eight(desk: Desk, processes: str) -> None:
    desk.prompts(40)
    full, eight = asyncio.Event(), []

    async def recipe(call: Call) -> Recipe:
        if len(desk.server.calls) == 8:
            eight.append(desk.server.in_flight)
            full.set()
        await full.wait()
        return answer()

    Watch(desk.server, recipe)
    assert (await desk.run("in.jsonl", "--processes", processes)).code == 0
    assert eight == [8], "eight came before any was answered"


@pytest.mark.parametrize("where", ["flag", "yaml", "provider", "environment"])
async def test_a_number_is_used_as_it_is(desk: Desk, where: str) -> None:
    desk.prompts(60)
    desk.server.replies = slow_until(desk, 6, 0.01)
    provider = {"base_url": desk.server.url} | ({"concurrency": 5} if where == "provider" else {})
    desk.settings(providers={"lab": provider}, **({"concurrency": 5} if where == "yaml" else {}))
    flags = ("--concurrency", "5") if where == "flag" else ()
    env = {"LLMBATCH_CONCURRENCY": "5"} if where == "environment" else {}
    done = await desk.run("in.jsonl", "-m", "lab/m", *flags, route=False, env=env)
    assert done.code == 0, done
    assert desk.server.peak == 5


async def test_the_provider_bounds_what_it_serves_by_turns(desk: Desk) -> None:
    desk.prompts(450)
    desks = asyncio.Semaphore(8)

    async def recipe(call: Call) -> Recipe:
        async with desks:
            await asyncio.sleep(0.04)
        return answer(chunks=1)

    desk.server.replies = recipe
    done = await desk.run("in.jsonl", "--summary", "sum.json")
    assert done.code == 0, done
    assert desk.summary()["bound"]["by"] == "provider", desk.summary()["bound"]
    assert "bound by   the provider: " in done.stderr


async def test_the_number_in_flight_bounds_where_it_is_fixed(desk: Desk) -> None:
    desk.prompts(50)
    desk.server.replies = answer(chunks=1, delay=0.03)
    done = await desk.run("in.jsonl", "--concurrency", "2", "--summary", "sum.json")
    assert done.code == 0, done
    assert desk.summary()["bound"]["by"] == "limit", desk.summary()["bound"]
    assert "and --concurrency is 2" in done.stderr


async def test_the_source_bounds_where_rows_come_slowly(desk: Desk) -> None:
    watch = Watch(desk.server)
    flags = ("-", "-o", "out.jsonl", "--summary", "sum.json", "--no-dedupe")
    async with desk.running(*flags, stdin=asyncio.subprocess.PIPE) as job:
        for number in range(1, 6):
            job.stdin.write(b'{"prompt": "one more"}\n')
            await watch.requests(number)
            await asyncio.sleep(0.5)  # this is how slowly rows come
        job.stdin.close()
        done = await job.ended()
    assert done.code == 0, done
    assert desk.summary()["bound"]["by"] == "source", desk.summary()["bound"]
    assert "bound by   the source: " in done.stderr
