"""A slow browser slows nobody: what it does not read is joined, cut, or told no more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from faultreplies import answer
from pageserver import page

from faultserver import FaultServer
from llmbatch.cli.web import outbox as module
from llmbatch.cli.web.outbox import KEPT, MOST, Outbox, TooSlow

HEAD = {"type": "chunk", "job": "j", "row": "q"}


class Reader:
    """Takes messages from an outbox, one at a time when asked to."""

    def __init__(self, outbox: Outbox) -> None:
        self.heard: list[dict[str, Any]] = []
        self.may = asyncio.Semaphore(0)
        self.task = asyncio.create_task(outbox.pump(self._take))

    async def _take(self, line: str) -> None:
        await self.may.acquire()
        self.heard.append(json.loads(line))

    async def read(self, messages: int) -> list[dict[str, Any]]:
        before = len(self.heard)
        for _ in range(messages):
            self.may.release()
        while len(self.heard) < before + messages:
            await asyncio.sleep(0)
        return self.heard[before:]


async def test_the_latest_figures_take_the_place_of_those_before() -> None:
    outbox = Outbox()
    for number in range(1000):
        outbox.show(("job", "j"), json.dumps({"n": number}))
        outbox.show("jobs", json.dumps({"list": number}))
    reader = Reader(outbox)
    assert await reader.read(2) == [{"n": 999}, {"list": 999}]
    outbox.show("jobs", json.dumps({"list": 1000}))
    assert await reader.read(1) == [{"list": 1000}]


async def test_pieces_of_an_answer_are_joined_and_what_is_lost_is_told() -> None:
    outbox = Outbox()
    for number in range(10_000):
        outbox.chunk(("j", "q"), HEAD, f"{number:05}")
    outbox.end(("j", "q"), '{"type": "done"}')
    chunk, done = await Reader(outbox).read(2)
    assert len(chunk["text"]) == KEPT
    assert chunk["text"].endswith("0999709998" + "09999")
    assert chunk["gap"] + len(chunk["text"]) == 50_000
    assert done == {"type": "done"}


async def test_a_gap_before_a_piece_adds_to_what_is_lost() -> None:
    outbox = Outbox()
    outbox.chunk(("j", "q"), HEAD, "abc")
    outbox.chunk(("j", "q"), HEAD, "xyz", gap=7)
    (chunk,) = await Reader(outbox).read(1)
    assert (chunk["text"], chunk["gap"]) == ("xyz", 10)


async def test_a_new_attempt_makes_void_what_waits() -> None:
    outbox = Outbox()
    outbox.chunk(("j", "q"), HEAD, "old")
    outbox.chunk(("j", "q"), HEAD, None)
    outbox.chunk(("j", "q"), HEAD, "new")
    assert [each["text"] for each in await Reader(outbox).read(2)] == [None, "new"]


async def test_a_row_that_comes_again_is_told_after_its_end() -> None:
    outbox = Outbox()
    outbox.chunk(("j", "q"), HEAD, "one")
    outbox.end(("j", "q"), '{"type": "done"}')
    outbox.chunk(("j", "q"), HEAD, "two")
    told = [each.get("text") for each in await Reader(outbox).read(3)]
    assert told == ["one", None, "two"]


@pytest.mark.parametrize("line", ["x", "x" * 1_000_000])
async def test_one_that_falls_too_far_behind_is_let_go_and_kept_nothing_for(line: str) -> None:
    outbox = Outbox()
    for _ in range(2 * MOST if len(line) == 1 else 20):
        outbox.say(line)
    assert len(outbox._waiting) <= MOST
    with pytest.raises(TooSlow):
        await Reader(outbox).task


async def test_one_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_S", 0.01)
    outbox = Outbox()
    outbox.say("{}")
    with pytest.raises(TooSlow):
        await Reader(outbox).task


async def test_a_browser_that_stops_reading_is_disconnected_and_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALLED_S", 0.2)
    async with FaultServer() as model, page(tmp_path, model="m", base_url=model.url) as server:
        model.replies = answer("long " * 400_000, chunks=4)
        async with server.browser() as deaf, server.browser() as ear:
            for number in range(8):  # 16 MB, of which it reads nothing
                chat = {"type": "chat", "chat": f"c{number}", "messages": [{"role": "user"}]}
                chat["messages"] = [{"role": "user", "content": "Hello"}]
                await deaf.socket.send_json(chat)
            transport = deaf.socket.get_extra_info("socket")
            assert transport is not None
            deaf.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
            await ear.say(type="chat", chat="c1", messages=[{"role": "user", "content": "Hello"}])
            text, done = await ear.answered("c1")
            assert len(text) == 2_000_000
            assert done["result"]["status"] == "ok"
            while model.in_flight:
                await asyncio.sleep(0.01)
