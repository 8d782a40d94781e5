"""Files that other programs change while the real command reads or writes them."""

from __future__ import annotations

import asyncio
import json
import os

from desk import Desk
from faultreplies import answer, held
from watching import Watch

WIDE = "x" * 400_000
"""A prompt that is longer than what is read at a time."""


async def test_rows_appended_to_the_input_wait_for_the_next_run(desk: Desk) -> None:
    path = desk.write(*({"id": f"r{n}", "prompt": WIDE} for n in range(9)))
    release = asyncio.Event()
    watch = Watch(desk.server, held(release, text="ok"))
    args = ("in.jsonl", "--concurrency", "1", "--summary", "sum.json")
    async with desk.running(*args) as job:
        await watch.requests(1)
        with path.open("ab") as file:
            file.write(b'{"id": "r1", "prompt": "r1 again"}\n{"id": "new", "prompt": "new"}\n')
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert len(desk.results()) == 9
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert (summary["rows"], summary["total"], summary["not_run"]) == ({"ok": 9}, 9, 0)
    again = await desk.run(*args)
    assert again.code == 3
    assert 'the id "r1" is already used at in.jsonl:2' in again.stderr, "the scan sees to that"


async def test_an_input_that_is_cut_while_it_is_read_is_an_error(desk: Desk) -> None:
    path = desk.write(*({"id": f"r{n}", "prompt": WIDE} for n in range(9)))
    size = path.stat().st_size
    release = asyncio.Event()
    watch = Watch(desk.server, held(release, text="ok"))
    async with desk.running("in.jsonl", "--concurrency", "1") as job:
        await watch.requests(1)
        os.truncate(path, size * 8 // 9)
        release.set()
        done = await job.ended()
    assert done.code == 3
    assert "in.jsonl: it changed while it was read: there were 9 rows, and then 8" in done.stderr
    assert "stopped early (the input failed): 8 ok, 1 not run" in done.last
    assert len(desk.results()) == 8


async def test_an_output_that_is_deleted_stops_the_job_and_loses_nothing(desk: Desk) -> None:
    desk.prompts(40)
    release = asyncio.Event()
    watch = Watch(desk.server, lambda call: held(release) if call.prompt == "say 3" else answer())
    async with desk.running("in.jsonl", "--concurrency", "1") as job:
        await watch.requests(3)
        (desk.folder / "in.results.jsonl").unlink()
        release.set()
        done = await job.ended()
    assert done.code == 6
    assert "another program deleted it while this run wrote it: it is put back" in done.stderr
    assert len(desk.results()) >= 3
    assert (await desk.run("in.jsonl")).code == 0
    assert len(desk.results()) == 40
