"""A chat on a terminal, with a scripted provider at its other end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import SCRIPT, environment
from ptyterminal import Terminal

from faultserver import FaultServer, in_thread


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultServer]:
    with in_thread() as server:
        yield server


@pytest.fixture
def server(shared: FaultServer) -> FaultServer:
    shared.calls.clear()
    shared.replies = None
    return shared


Open = Callable[..., Terminal]


def opener(server: FaultServer, folder: Path, stack: ExitStack) -> Open:
    def start(*args: str, columns: int = 80, rows: int = 24, **env: str) -> Terminal:
        more = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **env}
        base = () if "-m" in args else ("--base-url", server.url, "-m", "m")
        terminal = stack.enter_context(
            Terminal(
                *(SCRIPT, "chat", *base, "--max-wait", "0.01", *args),
                cwd=folder,
                env=environment(folder, more),
                columns=columns,
                rows=rows,
            )
        )
        terminal.shows("\n>")
        return terminal

    return start


@pytest.fixture
def chat(server: FaultServer, tmp_path: Path) -> Iterator[Open]:
    """Opens a chat, whose prompt is there."""
    with ExitStack() as stack:
        yield opener(server, tmp_path, stack)


@pytest.fixture(scope="module")
def lasting(shared: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with ExitStack() as stack:
        yield opener(shared, tmp_path_factory.mktemp("chat"), stack)("--no-history")


@pytest.fixture
def terminal(lasting: Terminal, server: FaultServer) -> Terminal:
    """A chat that several tests share, in which nothing was said yet."""
    lasting.resize(80, 24)
    mark = lasting.mark()
    lasting.type("/clear\r")
    lasting.until(lambda: "all forgotten" in lasting.since(mark), "all forgotten")
    return lasting
