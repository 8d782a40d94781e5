"""A whole analysis, as far as it is the composition root's own: what it makes of odd answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faultreplies import answer
from study import RESULTS, Study

from faultserver import FaultServer

REPORT = ("-o", "report.md")


@pytest.fixture
async def study(tmp_path: Path) -> AsyncIterator[Study]:
    folder = tmp_path / "study"
    folder.mkdir()
    async with FaultServer() as server:
        yield Study(folder, server)


async def test_with_quotes_too_a_document_that_was_not_touched_costs_nothing(study: Study) -> None:
    study.document()
    assert (await study.read(*REPORT, "--quotes")).code == 0
    results = study.folder / RESULTS
    before = results.stat()
    done = await study.read(*REPORT, "--quotes")
    assert "nothing left to do" in done.last
    after = results.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("kind", ["merge", "report"])
async def test_a_fold_that_is_answered_with_nothing_is_asked_again_by_the_next_run(
    study: Study, kind: str
) -> None:
    study.document()
    study.model.fail(lambda ask: ask.kind == kind, answer(" \n"))
    done = await study.read(*REPORT)
    assert done.code == 1, done
    assert "failed: the answer is empty" in done.stderr
    study.model.mend()
    study.model.forget()
    done = await study.read(*REPORT)
    assert done.code == 0, done
    assert {ask.kind for ask in study.model.asks} == {kind, "report"}


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
SILENT = {
    "token limit": answer("", finish="length"),
    "called a tool": answer("", tool_calls=[CALL]),
    "thought": answer("", reasoning="Hm."),
}


@pytest.mark.parametrize("why", SILENT)
@pytest.mark.parametrize("fold", ["summary", "concat"])
async def test_a_chunk_that_got_no_answer_is_no_chunk_without_findings(
    study: Study, why: str, fold: str
) -> None:
    """A model that only thinks until its limit would make a report in which nothing was found."""
    study.document()
    study.model.fail(lambda ask: ask.kind == "map", SILENT[why])
    done = await study.read(*REPORT, "--fold", fold)
    assert done.code == 1, done
    assert "none was written: no chunk could be analysed" in done.stderr
    assert {row["error"]["type"] for row in study.chunks()} == {"empty_answer"}
    assert all(why in row["error"]["message"] for row in study.chunks())
    study.model.mend()
    assert (await study.read(*REPORT, "--fold", fold)).code == 0


async def test_white_space_that_needs_no_answer_makes_no_report_where_every_answer_failed(
    study: Study,
) -> None:
    study.document()
    (study.folder / "blank.txt").write_text(" \n" * 50)
    (study.folder / "report.md").write_text("an older report")
    study.model.fail(lambda ask: ask.kind == "map", answer("", finish="length"))
    done = await study.read("blank.txt", "--results", RESULTS, *REPORT)
    assert done.code == 1, done
    assert "none was written: no chunk could be analysed" in done.stderr
    assert (study.folder / "report.md").read_text() == "an older report"
