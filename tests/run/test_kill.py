"""kill -9 at any moment loses what was in flight and no more, and little is paid for twice."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from desk import Desk
from faultreplies import answer, error
from watching import Watch, dying_at

from llmbatch.jobs.records import read

CONCURRENCY = 32
OUT = "in.results.jsonl"
LEFT = {"in.jsonl", OUT, f"{OUT}.manifest.json"}
BATCH = ("--format", "openai-batch")
INPUT_ORDER = ("--order", "input")


async def kill_repeatedly(desk: Desk, rows: int, kills: int, seed: int, *args: str) -> int:
    """Kill runs at random requests, each time with rows left to do; the requests seen in all."""
    random, watch = Random(seed), Watch(desk.server)
    command = ("in.jsonl", "--concurrency", str(CONCURRENCY), *args)
    for _ in range(kills):
        async with desk.running(*command) as job:
            await watch.requests(len(desk.server.calls) + random.randint(1, rows // kills - 1))
            job.send(signal.SIGKILL)
            assert (await job.ended()).code == -signal.SIGKILL
        assert_whole_lines(desk.folder / OUT)
    done = await desk.run(*command)
    assert done.code == 0, done
    return len(desk.server.calls)


def assert_whole_lines(path: Path) -> None:
    """Every line but a torn last one can be read, and no row is in it twice."""
    if not path.exists():
        return
    *lines, _torn = path.read_bytes().split(b"\n")
    stored = [read(line) for line in lines]
    assert None not in stored
    ids = [line.id for line in stored if line is not None]
    assert len(ids) == len(set(ids))


async def test_after_six_kills_every_row_is_there_once_and_few_were_asked_twice(
    desk: Desk,
) -> None:
    rows, kills = 600, 6
    desk.prompts(rows)
    sent = await kill_repeatedly(desk, rows, kills, seed=1)
    results = desk.results()
    assert set(results) == {f"r{number}" for number in range(1, rows + 1)}
    for result in results.values():
        assert result["status"] == "ok"
        assert result["output"] == f"You said: say {result['line']}"
    assert rows <= sent <= rows + kills * CONCURRENCY
    assert {path.name for path in desk.folder.iterdir()} == LEFT


async def test_a_killed_run_keeps_the_inputs_order_in_the_end(desk: Desk) -> None:
    rows, kills = 200, 3
    desk.prompts(rows)
    sent = await kill_repeatedly(desk, rows, kills, 2, *INPUT_ORDER)
    assert [line["id"] for line in desk.lines()] == [f"r{n}" for n in range(1, rows + 1)]
    assert sent <= rows + kills * CONCURRENCY


async def test_a_killed_run_of_batch_lines_goes_on_as_well(desk: Desk) -> None:
    rows, kills = 200, 3
    desk.write(
        *(
            {
                "custom_id": f"r{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": "m", "messages": [{"role": "user", "content": f"say {number}"}]},
            }
            for number in range(1, rows + 1)
        )
    )
    sent = await kill_repeatedly(desk, rows, kills, 3, *BATCH)
    lines = desk.lines()
    assert sorted(line["custom_id"] for line in lines) == sorted(f"r{n}" for n in range(1, 201))
    for line in lines:
        said = line["response"]["body"]["choices"][0]["message"]["content"]
        assert said == f"You said: say {line['custom_id'][1:]}"
    assert sent <= rows + kills * CONCURRENCY


async def test_a_row_whose_answer_was_lost_with_the_process_runs_again(desk: Desk) -> None:
    desk.prompts(4)
    watch = Watch(desk.server)
    seen: list[str] = []

    def silent_at_first(call: Any) -> Any:
        seen.append(call.prompt)
        return answer() if len(seen) in (1, 2) or len(seen) > 4 else answer(delay=1e6)

    watch.recipe = silent_at_first
    async with desk.running("in.jsonl", "--concurrency", "2") as job:
        await watch.requests(4)
        job.send(signal.SIGKILL)
        await job.ended()
    done = await desk.run("in.jsonl")
    assert "2 ok (2 done before)" in done.last
    assert sorted(seen) == ["say 1", "say 2", "say 3", "say 3", "say 4", "say 4"]
    assert len(desk.results()) == 4


async def killed_at_every_step(desk: Desk, hook: Path, name: str, *args: str) -> list[bytes]:
    """Run with a kill at each step on files with that name; the output left by each, in order.

    Every run starts with the output as it is now.
    """
    path = desk.folder / OUT
    before = path.read_bytes()
    left = []
    while True:
        path.write_bytes(before)
        done = await desk.run(*args, env=dying_at(len(left), name, hook))
        if done.code != -signal.SIGKILL:
            assert done.code == 0, done
            return left
        left.append(path.read_bytes())


@pytest.fixture
def desk(tmp_path: Path, server: Any) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, server)


async def test_a_kill_at_any_step_of_start_or_tidying_loses_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    desk.write(*({"id": name, "prompt": f"say {name}"} for name in "abc"))
    Watch(desk.server, lambda call: error(400) if call.prompt == "say b" else answer())
    assert (await desk.run("in.jsonl", "--concurrency", "1")).code == 1
    path = desk.folder / OUT
    first, failed, last = path.read_bytes().splitlines(keepends=True)
    desk.server.replies = answer()
    torn = b'{"id":"d","li'
    path.write_bytes(first + failed + last + torn)

    left = await killed_at_every_step(desk, tmp_path / "hook", OUT, "in.jsonl", *INPUT_ORDER)
    # Before the output is opened; the new file without the torn line; the one in the end, which
    # leaves out the superseded line and puts the rows in order.
    assert len(left) >= 1 + 2 * 3
    for data in left:
        assert data.startswith(first)
        assert last in data
    assert left[0] == first + failed + last + torn
    assert first + failed + last in left
    finished = path.read_bytes()
    assert finished.splitlines(keepends=True)[::2] == [first, last]
    assert [line["id"] for line in desk.lines()] == ["a", "b", "c"]

    for data in {*left}:
        path.write_bytes(data)
        asked = len(desk.server.calls)
        done = await desk.run("in.jsonl", *INPUT_ORDER)
        assert done.code == 0, done
        assert len(desk.server.calls) - asked == (0 if b'"You said: say b"' in data else 1)
        assert [line["id"] for line in desk.lines()] == ["a", "b", "c"]
    assert {entry.name for entry in desk.folder.iterdir()} == LEFT
