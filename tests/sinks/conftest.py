"""A user without rights, and child processes that write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHILD = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {path!r}
from sampleresults import request, sample
from llmbatch.jobs.sinks.opening import open_output
{body}
"""

Spawn = Callable[[str, str], "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a Python child that runs ``body`` with ``output`` set to a path."""
    children: list[subprocess.Popen[str]] = []
    tests = str(Path(__file__).parents[1])

    def start(body: str, output: str) -> subprocess.Popen[str]:
        code = CHILD.format(path=[tests], body=f"output = {output!r}\n{body}")
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def as_nobody() -> Callable[[], object]:
    """A context without the superuser's rights, in which files are opened as others see them."""

    @contextmanager
    def drop() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return drop
