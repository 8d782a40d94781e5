"""What tests of watching share: a runtime folder of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desk import Desk, Here
from study import Study

from faultserver import FaultServer


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, server: FaultServer) -> Desk:
    return Desk(tmp_path, server)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Where jobs are published, for both sides."""
    (tmp_path / "xdg").mkdir(mode=0o700)
    return {"XDG_RUNTIME_DIR": str(tmp_path / "xdg")}


@pytest.fixture
def here(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.chdir(tmp_path)
    return Here(tmp_path, server)


@pytest.fixture
def study(tmp_path: Path, server: FaultServer) -> Study:
    folder = tmp_path / "study"
    folder.mkdir()
    return Study(folder, server)
