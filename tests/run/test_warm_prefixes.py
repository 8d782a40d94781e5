"""Rows that share a long beginning, through the real command: one goes first, alone."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from command import PROCESSES
from desk import Desk
from faultreplies import Call, Recipe, answer, error

SYSTEMS = {name: f"You are {name}. " + "Be patient with everybody. " * 200 for name in "ab"}


class Warm:
    """Counts, by system prompt, the calls that came before the first answer to it."""

    def __init__(self, failing: int = 0) -> None:
        self.early: Counter[str] = Counter()
        self.answered: set[str] = set()
        self.order: list[str] = []
        self.failing = failing

    async def __call__(self, call: Call) -> Recipe:
        system = call.body["messages"][0]["content"]
        name = next((name for name, text in SYSTEMS.items() if text == system), ".")
        self.order.append(name)
        if name == ".":
            return answer()
        if name in self.answered:
            return answer()
        self.early[name] += 1
        await asyncio.sleep(0.1)  # whoever would come too early has the time to do so
        if self.failing:
            self.failing -= 1
            return error(400, "not this one")
        self.answered.add(name)
        return answer()


def rows(desk: Desk, count: int) -> None:
    desk.write(
        *(
            {"id": f"{name}{n}", "system": SYSTEMS[name], "prompt": f"say {n}"}
            for n in range(count)
            for name in SYSTEMS
        ),
        *({"id": f"s{n}", "prompt": f"short {n}"} for n in range(count)),
    )


@pytest.mark.parametrize("processes", [PROCESSES, 2])
async def test_the_first_of_each_beginning_is_sent_alone(desk: Desk, processes: int) -> None:
    """That of each worker, where there are several; it holds back none but rows of its own."""
    rows(desk, 30)
    desk.server.replies = warm = Warm()
    args = (
        "--concurrency",
        str(16 * processes),
        "--processes",
        str(processes),
        "--summary",
        "sum.json",
    )
    done = await desk.run("in.jsonl", *args)
    assert done.code == 0, done
    assert set(warm.early) == {"a", "b"}
    assert max(warm.early.values()) <= processes
    assert len(desk.results()) == 90
    assert "." in warm.order[: 8 * processes], "short rows wait for nobody"


async def test_where_the_first_fails_the_next_goes_first(desk: Desk) -> None:
    rows(desk, 10)
    desk.server.replies = warm = Warm(failing=2)
    done = await desk.run("in.jsonl", "--concurrency", "16")
    assert done.code == 1, done
    assert sum(warm.early.values()) == 4
    assert len(desk.results()) == 30


async def test_rows_that_begin_alike_are_sent_next_to_each_other(desk: Desk) -> None:
    rows(desk, 20)
    desk.server.replies = warm = Warm()
    done = await desk.run("in.jsonl", "--concurrency", "1")
    assert done.code == 0, done
    told = "".join(warm.order).replace(".", "")
    assert told == "ab" + "a" * 19 + "b" * 19


@pytest.mark.parametrize("where", ["stdin", "ordered stream"])
async def test_an_order_that_is_not_free_is_kept(desk: Desk, where: str) -> None:
    rows(desk, 6)
    desk.server.replies = warm = Warm()
    if where == "stdin":
        data = (desk.folder / "in.jsonl").read_bytes()
        done = await desk.run("-", "--concurrency", "1", stdin=data)
    else:
        done = await desk.run("in.jsonl", "-o", "-", "--order", "input", "--concurrency", "1")
    assert done.code == 0, done
    assert "".join(warm.order) == "ab" * 6 + "." * 6


async def test_the_inputs_order_stands_in_the_file_though_rows_wait(desk: Desk) -> None:
    rows(desk, 10)
    desk.server.replies = warm = Warm()
    done = await desk.run("in.jsonl", "--order", "input", "--concurrency", "16")
    assert done.code == 0, done
    assert [line["line"] for line in desk.lines()] == list(range(1, 31))
    assert max(warm.early.values()) <= PROCESSES
