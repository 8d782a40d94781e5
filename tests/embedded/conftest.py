"""Made-up weights, and stand-ins for the child process and its parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from embeddedparent import PARENT, Parent
from wheelhouse import CONTENT, Wheelhouse, weights_of

from llmbatch.jobs.embedded import server
from llmbatch.jobs.embedded.weights import Weights


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(tmp_path)


@pytest.fixture
def content() -> bytes:
    return CONTENT


@pytest.fixture
def toy() -> Weights:
    return weights_of(CONTENT)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs other code in the child's place."""

    def use(code: str) -> None:
        path = tmp_path / "stand_in.py"
        path.write_text(code)
        monkeypatch.setattr(server, "_CHILD", path)

    return use


@pytest.fixture
async def parent(smollm2: Path) -> AsyncIterator[Parent]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(smollm2)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    yield Parent(process)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


@pytest.fixture
def watch() -> Iterator[Callable[[int], Callable[[float], bool]]]:
    """Watches a process that is not our child; the answer tells whether it ended in time."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("needs pidfd (Linux)")
    handles: list[tuple[int, int]] = []

    def follow(pid: int) -> Callable[[float], bool]:
        handle = os.pidfd_open(pid)
        handles.append((pid, handle))
        return lambda seconds: bool(select.select([handle], [], [], seconds)[0])

    yield follow
    for _, handle in handles:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)
