"""A whole analysis, as far as it is the composition root's own: what it makes of odd answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
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
