"""What tests of telemetry share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from collector import Collector
from desk import Desk
from told import Told

from faultserver import FaultServer
from llmbatch.cli.logjson import EVERYWHERE


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of whoever runs the tests, and no trace of an earlier one."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "LLMBATCH_")) or name in ("TRACEPARENT", "TRACESTATE"):
            monkeypatch.delenv(name)
    yield
    EVERYWHERE.clear()


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as collector:
        yield collector


@pytest.fixture
def desk(tmp_path: Path, server: FaultServer) -> Desk:
    return Desk(tmp_path, server)


@pytest.fixture
def here(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.chdir(tmp_path)
    return Told(tmp_path, server)
