"""`--processes`: many workers, one output, one set of limits, one order of things."""

from __future__ import annotations

import pytest
from desk import Desk

TWO = ("--processes", "2", "--summary", "sum.json")


@pytest.mark.parametrize("order", ["finish", "input"])
async def test_every_row_has_its_answer_once_whichever_worker_asked_it(
    desk: Desk, order: str
) -> None:
    desk.write(*({"id": f"r{n}", "prompt": f"say {n}", "tag": n} for n in range(300)))
    done = await desk.run("in.jsonl", *TWO, "--order", order)
    assert done.code == 0, done
    lines = desk.lines()
    assert sorted(line["id"] for line in lines) == sorted(f"r{n}" for n in range(300))
    assert all(line["output"] == f"You said: say {line['id'][1:]}" for line in lines)
    assert all(line["metadata"] == {"tag": int(line["id"][1:])} for line in lines)
    assert len(desk.server.calls) == 300
    if order == "input":
        assert [line["line"] for line in lines] == list(range(1, 301))
    again = await desk.run("in.jsonl", *TWO)
    assert again.code == 0, again
    assert len(desk.server.calls) == 300
    assert desk.summary()["skipped"] == {"ok": 300}
