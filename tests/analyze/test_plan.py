"""``analyze --plan``: chunks are really cut, what is done is known, and nothing is sent."""

from __future__ import annotations

import json
from typing import Any

from study import SMALL, Study, prose

PRICES = ("--price-in", "1", "--price-out", "2")


async def plan(study: Study, *args: str) -> dict[str, Any]:
    done = await study.read("--plan", "--json", *args)
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_chunks_are_those_of_the_analysis_and_folds_about(study: Study) -> None:
    study.document()
    before = await plan(study, *PRICES)
    assert study.server.calls == []
    assert [path.name for path in study.folder.iterdir()] == ["big.txt"]
    assert (await study.read(*PRICES)).code == 0
    assert before["chunks"]["total"] == len(study.chunks())
    assert before["chunks"]["requests"] >= len(study.server.calls)
    assert 0 < before["chunks"]["folds"] <= 2 * len(study.folds())
    after = await plan(study, *PRICES)
    chunks = after["chunks"]
    assert (chunks["done"], chunks["folds_done"]) == (chunks["total"], chunks["folds"])
    assert (chunks["requests"], after["cost"]["expected_usd"]) == (0, 0)


async def test_after_an_edit_only_what_changed_is_asked_and_the_plan_says_so(study: Study) -> None:
    study.document()
    assert (await study.read()).code == 0
    study.document(prose() + "\n\nIn year 9999 the harbour met the granite near the ledger.\n")
    before = len(study.server.calls)
    planned = await plan(study)
    assert (await study.read()).code == 0
    asked = len(study.server.calls) - before
    assert planned["chunks"]["requests"] == asked


async def test_another_task_asks_everything_again(study: Study) -> None:
    study.document()
    assert (await study.read()).code == 0
    found = await plan(study, "--task", "Name the rivers.")
    assert found["chunks"]["done"] == 0


async def test_it_reads_well_and_needs_no_key(study: Study) -> None:
    study.document()
    done = await study.run("big.txt", *SMALL, "--plan", "-m", "openai/gpt-4o-mini", route=False)
    assert done.code == 0, done
    assert "chunks" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


async def test_mistakes_are_those_of_an_analysis(study: Study) -> None:
    study.document()
    assert (await study.run("none.txt", "--plan")).code == 3
    assert (await study.read("--json")).code == 2
    assert (await study.read("--plan", "--overlap", "900")).code == 2
    assert study.server.calls == []
