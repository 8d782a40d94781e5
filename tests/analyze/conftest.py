"""What tests of a whole analysis share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from study import Study

from faultserver import FaultServer


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
def study(tmp_path: Path, server: FaultServer) -> Study:
    folder = tmp_path / "study"
    folder.mkdir()
    return Study(folder, server)
