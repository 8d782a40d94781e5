"""A cache in a folder of its own, and what it said when it was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from llmbatch.jobs.cache.answers import Cache

Opened = Callable[..., AbstractAsyncContextManager[Cache]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def lost() -> list[str]:
    return []


@pytest.fixture
def opened(folder: Path, lost: list[str]) -> Opened:
    """The cache as a job has it; what was kept is on the disk when the context ends."""

    @asynccontextmanager
    async def open_it(limit: int = 50_000_000) -> AsyncIterator[Cache]:
        cache = Cache(folder, limit, lost.append)
        cache.start()
        try:
            yield cache
        finally:
            await cache.aclose()

    return open_it
