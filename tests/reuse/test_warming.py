"""Rows that begin alike: the first alone, the others when its first token is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampleresults import rejected, sample
from scripted import Chair, Ending

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.model import Request, Result, Row, Status
from llmbatch.jobs.ports import Seat
from llmbatch.jobs.reuse.warming import KEPT, LENGTH, Beginnings, Warming, Warmth
from llmbatch.jobs.sources.grouping import Grouped
from virtualtime import VirtualClock, run_virtual

LONG = "You are a patient teacher. " * 200


def chat(row_id: str, system: str = LONG, prompt: str = "", **more: Any) -> Request:
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": prompt or f"What is {row_id}?"},
    ]
    values: dict[str, Any] = {
        "id": row_id, "line": 1, "path": "in.jsonl", "endpoint": "chat", "model": "m",
        "fingerprint": row_id, "messages": messages,
    }  # fmt: skip
    return Request(**{**values, **more})


def test_rows_that_share_their_first_thousand_tokens_begin_alike() -> None:
    of = Beginnings()
    assert of(chat("a")) == of(chat("b"))
    assert of(chat("a")) != of(chat("a", system=LONG.upper()))
    assert of(chat("a")) != of(chat("a", model="other"))


def test_a_short_row_and_one_of_another_kind_have_no_beginning() -> None:
    of = Beginnings()
    assert of(chat("a", system="Be brief.")) is None
    assert of(chat("a", system="x" * (LENGTH - 100))) is None
    assert of(chat("a", endpoint="embeddings", input=LONG)) is None
    assert of(rejected("a")) is None


def test_where_rows_differ_early_they_do_not_begin_alike() -> None:
    of = Beginnings()
    short = "y" * (LENGTH - 100)
    assert of(chat("a", system=short, prompt="1" * 200)) is not None
    assert of(chat("a", system=short, prompt="1" * 200)) != of(
        chat("b", system=short, prompt="2" * 200)
    )


def test_tools_and_instructions_and_parts_are_part_of_the_beginning() -> None:
    of = Beginnings()
    tools = [{"type": "function", "function": {"name": "f", "description": LONG}}]
    others = [{"type": "function", "function": {"name": "g", "description": LONG}}]
    assert of(chat("a", system="", params={"tools": tools})) == of(
        chat("b", system="", params={"tools": list(tools)})
    )
    assert of(chat("a", params={"tools": tools})) != of(chat("a", params={"tools": others}))
    parts = [{"role": "user", "content": [{"type": "text", "text": LONG}]}]
    assert of(chat("a", messages=parts)) is not None
    asked = {"endpoint": "responses", "messages": (), "params": {"instructions": LONG}}
    assert of(chat("a", input="one", **asked)) == of(chat("b", input="two", **asked))


class Server:
    """A worker: rows are under way until they are told to end; first tokens come on demand."""

    def __init__(self, warmth: Warmth) -> None:
        self.warmth = warmth
        self.asked: list[str] = []
        self.rows: dict[str, Request] = {}
        self.ends: dict[str, asyncio.Future[Result]] = {}

    async def __call__(self, row: Row, seat: Seat) -> Result:
        assert isinstance(row, Request)
        self.asked.append(row.id)
        self.rows[row.id] = row
        self.warmth.heard(row, None)
        self.ends[row.id] = asyncio.get_running_loop().create_future()
        return await self.ends[row.id]

    def say(self, row_id: str) -> None:
        self.warmth.heard(self.rows[row_id], "word")

    def try_again(self, row_id: str) -> None:
        self.warmth.heard(self.rows[row_id], None)

    def end(self, row_id: str, status: Status = "ok") -> None:
        self.ends[row_id].set_result(sample(row_id, status))


class Bench:
    """To be made inside the virtual loop."""

    def __init__(self) -> None:
        self.warmth = Warmth(VirtualClock())
        self.server = Server(self.warmth)
        self.worker = Warming(self.server, self.warmth, Beginnings())
        self.chairs: dict[str, Chair] = {}

    async def ask(self, *rows: Row) -> list[asyncio.Task[Result]]:
        tasks = []
        for row in rows:
            chair = self.chairs[row.id] = Chair()
            tasks.append(asyncio.create_task(self._ask(row, chair)))
        await settle()
        return tasks

    async def _ask(self, row: Row, chair: Chair) -> Result:
        return await self.worker(row, chair)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_first_goes_alone_until_its_first_token() -> None:
    async def main() -> None:
        bench = Bench()
        tasks = await bench.ask(*(chat(f"r{n}") for n in range(4)), chat("s", system="short"))
        assert bench.server.asked == ["r0", "s"]
        assert bench.chairs["r1"].log == ["waits, sending=False"]
        bench.server.say("r0")
        await settle()
        assert bench.server.asked == ["r0", "s", "r1", "r2", "r3"]
        for row_id in bench.server.asked:
            bench.server.end(row_id)
        await asyncio.gather(*tasks)
        await bench.ask(chat("later"))
        assert bench.server.asked[-1] == "later"
        assert repr(bench.warmth) == "<Warmth: 1 warm, 0 being warmed>"

    run_virtual(main())


def test_other_beginnings_go_on_meanwhile() -> None:
    async def main() -> None:
        bench = Bench()
        other = LONG.upper()
        await bench.ask(chat("a"), chat("b"), chat("c", system=other), chat("d", system=other))
        assert bench.server.asked == ["a", "c"]
        bench.server.say("c")
        await settle()
        assert bench.server.asked == ["a", "c", "d"]

    run_virtual(main())


@pytest.mark.parametrize("how", ["ends", "fails", "is tried again", "is let go"])
def test_where_the_first_one_says_nothing_the_next_one_takes_its_turn(how: str) -> None:
    async def main() -> None:
        bench = Bench()
        tasks = await bench.ask(chat("a"), chat("b"), chat("c"))
        if how == "ends":
            bench.server.end("a")
        elif how == "fails":
            bench.server.end("a", "error")
        elif how == "is tried again":
            bench.server.try_again("a")
        else:
            tasks[0].cancel()
        await settle()
        assert bench.server.asked == (["a", "b", "c"] if how == "ends" else ["a", "b"])
        bench.server.say("b")
        await settle()
        assert bench.server.asked == ["a", "b", "c"]

    run_virtual(main())


def test_a_beginning_is_forgotten_when_the_provider_forgets_it() -> None:
    async def main() -> None:
        bench = Bench()
        tasks = await bench.ask(chat("a"))
        bench.server.end("a")
        await tasks[0]
        await VirtualClock().sleep(KEPT - 1)
        await bench.ask(chat("b"), chat("c"))
        assert bench.server.asked == ["a", "b", "c"]
        await VirtualClock().sleep(KEPT + 1)
        await bench.ask(chat("d"), chat("e"))
        assert bench.server.asked == ["a", "b", "c", "d"]

    run_virtual(main())


def test_a_row_that_waits_while_the_job_ends_is_left_for_the_next_run() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.ask(chat("a"))
        with pytest.raises(Ending):
            await bench.worker(chat("b"), Chair(ending=True))

    run_virtual(main())


def test_what_is_known_of_beginnings_is_bounded() -> None:
    async def main() -> None:
        bench = Bench()
        for n in range(1100):
            (task,) = await bench.ask(chat(f"r{n}", system=f"{n} {LONG}"))
            bench.server.end(f"r{n}")
            await task
        assert repr(bench.warmth) == "<Warmth: 1024 warm, 0 being warmed>"

    run_virtual(main())


class Rows:
    """A source of rows by the letter of their group; a dot has none."""

    def __init__(self, letters: str, fail: bool = False) -> None:
        self.letters = letters
        self.fail = fail
        self.read = 0
        self.closed = False

    async def requests(self) -> AsyncGenerator[Row, None]:
        try:
            for number, letter in enumerate(self.letters):
                self.read += 1
                yield chat(f"{letter}{number}")
            if self.fail:
                raise SourceError("broken", path="x.jsonl", line=len(self.letters))
        finally:
            self.closed = True


def group(row: Row) -> int | None:
    return None if row.id[0] == "." else ord(row.id[0])


async def given_ids(rows: Rows, **bounds: int) -> list[str]:
    return [row.id async for row in Grouped(rows, group, VirtualClock(), **bounds).requests()]


@settings(max_examples=60, deadline=None)
@given(st.text("abc.", max_size=60), st.integers(0, 20))
def test_every_row_is_given_once_and_in_its_groups_order(letters: str, window: int) -> None:
    ids = asyncio.run(given_ids(Rows(letters), window=window))
    assert sorted(ids) == sorted(f"{letter}{n}" for n, letter in enumerate(letters))
    for letter in "abc.":
        numbers = [int(row_id[1:]) for row_id in ids if row_id[0] == letter]
        assert numbers == sorted(numbers)


async def test_rows_that_begin_alike_stand_together_behind_the_first_of_each() -> None:
    ids = await given_ids(Rows("abc.abcabcab."))
    assert "".join(row_id[0] for row_id in ids) == "abc..aaabbbcc"


async def test_no_more_is_read_ahead_than_the_window_and_the_room_allow() -> None:
    for bounds, most in (({"window": 5}, 7), ({"room": 20_000}, 7)):
        rows = Rows("a" * 100)
        source = Grouped(rows, group, VirtualClock(), **bounds).requests()
        for _ in range(10):
            await anext(source)
        assert rows.read <= 10 + most
        await source.aclose()
        assert rows.closed


async def test_a_row_that_was_held_back_is_read_when_it_is_given() -> None:
    """What waited for it is counted, and not how long it stood in the window."""
    source = Grouped(Rows("aaa"), group, VirtualClock()).requests()
    assert (await anext(source)).read_at == 0
    for _ in range(2):
        now = VirtualClock().now()
        assert (await anext(source)).read_at >= now


async def test_a_source_that_breaks_gives_what_it_has_first() -> None:
    source = Grouped(Rows("abab", fail=True), group, VirtualClock()).requests()
    assert [(await anext(source)).id for _ in range(4)] == ["a0", "b1", "a2", "b3"]
    with pytest.raises(SourceError, match="broken"):
        await anext(source)
