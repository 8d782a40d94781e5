"""What runs again, for each thing that may happen between two runs, whatever the output's form.

The plan has to say the same before it is done.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import command
from desk import Desk
from faultreplies import answer, error

NAMES = ("a", "b", "c")


def row(name: str, prompt: str | None = None) -> dict[str, str]:
    return {"id": name, "prompt": prompt or f"say {name}"}


ROWS = [row(name) for name in NAMES]
BASE = ("--max-tokens", "50", "--system", "Be brief.", "--retries", "0")
FORM = ("--schema", "said:str")


@dataclass
class Situation:
    """What is between two runs: rows and arguments of each, what runs again, what is kept."""

    again: Sequence[str]
    rows: Sequence[Any] = tuple(ROWS)
    args: Sequence[str] = BASE
    before: Sequence[Any] = tuple(ROWS)
    before_args: Sequence[str] = BASE
    failing: Sequence[str] = ()
    meanwhile: Callable[[Path], None] | None = None
    final: Sequence[str] = NAMES
    why: str = ""


def torn(journal: Path) -> None:
    """A crash in the middle of the last line."""
    data = journal.read_bytes()
    journal.write_bytes(data[:-20])


SITUATIONS = {
    "new": Situation(again=["say a", "say b", "say c"], before=()),
    "changed model": Situation(
        again=["say a", "say b", "say c"], args=(*BASE, "-m", "other"), why="model"
    ),
    "changed system prompt": Situation(
        again=["say a", "say b", "say c"],
        args=("--max-tokens", "50", "--system", "Be long.", "--retries", "0"),
        why="system",
    ),
    "changed row": Situation(
        again=["say it"], rows=[ROWS[0], row("b", "say it"), ROWS[2]], why="row"
    ),
    "removed row": Situation(again=[], rows=[ROWS[0], ROWS[2]]),
    "reordered": Situation(again=[], rows=ROWS[::-1], final=("c", "b", "a")),
    "appended": Situation(again=["say d"], rows=[*ROWS, row("d")], final=(*NAMES, "d")),
    "torn tail": Situation(again=["torn"], meanwhile=torn),
    "error rows": Situation(again=["say b"], failing=["say b"]),
    "other schema": Situation(
        again=["say a", "say b", "say c"],
        before_args=(*BASE, "--schema", "said:str"),
        args=(*BASE, "--schema", "said:str, why:str?"),
        why="schema",
    ),
}


def output_of(kind: str) -> tuple[str, str]:
    """The output's name, and the file that a resumed run reads."""
    return ("out.jsonl", "out.jsonl") if kind == "jsonl" else ("out.csv", "out.csv.jsonl")


def replies(desk: Desk, failing: Sequence[str]) -> None:
    def reply(call: Any) -> Any:
        if call.prompt in failing:
            return error(500)
        return answer(json.dumps({"said": call.prompt}))

    desk.server.replies = reply


async def run(desk: Desk, rows: Sequence[Any], args: Sequence[str], output: str) -> Any:
    desk.write(*rows)
    model = () if "-m" in args else ("-m", "m")
    return await desk.run(
        *("in.jsonl", "-o", output, "--base-url", desk.server.url, *model, *args, "--order"),
        "input",
        route=False,
    )


async def plan(desk: Desk, situation: Situation, output: str) -> dict[str, Any]:
    """What the next run would do."""
    desk.write(*situation.rows)
    model = () if "-m" in situation.args else ("-m", "m")
    done = await command(
        *("plan", "in.jsonl", "-o", output, "--base-url", desk.server.url, *model),
        *(*situation.args, "--json"),
        cwd=desk.folder,
    )
    assert done.code == 0, done
    planned: dict[str, Any] = json.loads(done.stdout)
    return planned


def ids(desk: Desk, output: str) -> list[str]:
    if output.endswith(".csv"):
        with (desk.folder / output).open(newline="") as file:
            return [line["id"] for line in csv.DictReader(file)]
    return [line["id"] for line in desk.lines(output)]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize("name", SITUATIONS)
async def test_what_runs_again(desk: Desk, name: str, kind: str) -> None:
    situation = SITUATIONS[name]
    output, journal = output_of(kind)
    last = ""
    if situation.before:
        replies(desk, situation.failing)
        done = await run(desk, situation.before, situation.before_args, output)
        assert done.code == (1 if situation.failing else 0), done
        assert ids(desk, output) == list(NAMES)
        last = json.loads((desk.folder / journal).read_bytes().splitlines()[-1])["id"]
    if situation.meanwhile is not None:
        situation.meanwhile(desk.folder / journal)
    expected = [f"say {last}" if prompt == "torn" else prompt for prompt in situation.again]
    desk.server.calls.clear()
    replies(desk, ())
    planned = await plan(desk, situation, output)
    assert desk.server.calls == []
    assert planned["rows"]["requests"] == len(expected), planned
    assert [why for change in planned["rows"]["changed"] for why in change["why"]] == (
        [situation.why] if situation.why else []
    )
    done = await run(desk, situation.rows, situation.args, output)
    assert done.code == 0, done
    assert sorted(call.prompt for call in desk.server.calls) == sorted(expected)
    assert sorted(ids(desk, output)) == sorted(situation.final)
    if name != "removed row":
        assert ids(desk, output) == list(situation.final)
