"""Moments of a run at which tests act: the n-th request, a step on the disk, a process's end.

watch = Watch(server)
await watch.requests(20)         # until the server has seen 20

environ = dying_at(folder, 3)    # the command kills itself at its third step in the folder
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from faultreplies import Call, Recipe, answer

from faultserver import FaultServer

PATIENCE = 60.0
"""Seconds after which what is waited for will not come."""

_DYING = """
import os, signal, sys

left = {steps}

def step(event, args):
    global left
    if event not in ("open", "os.rename", "os.remove", "os.truncate"):
        return
    if isinstance(args[0], (str, os.PathLike)):
        path = os.fspath(args[0])
        if {name!r} in path or path == os.getcwd():
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(step)
"""


class Watch:
    """Gives a server's answers by ``recipe``, and says how many requests it has seen."""

    def __init__(self, server: FaultServer, recipe: Recipe | None = None) -> None:
        self.server = server
        self.recipe = recipe or answer()
        self._more = asyncio.Event()
        server.replies = self

    def __call__(self, call: Call) -> Recipe:
        self._more.set()
        return self.recipe

    def __repr__(self) -> str:
        return f"Watch({self.server!r})"

    async def requests(self, count: int) -> None:
        """Wait until the server has seen so many requests."""
        async with asyncio.timeout(PATIENCE):
            while len(self.server.calls) < count:
                self._more.clear()
                await self._more.wait()


def dying_at(step: int, name: str, hook: Path) -> dict[str, str]:
    """An environment in which Python kills itself before its ``step``-th step (from 0).

    A step is to open, rename, remove or cut a file with ``name`` in its path, or to open the
    working folder (to sync it). ``hook`` is a folder elsewhere.
    """
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(_DYING.format(steps=step, name=name))
    return {"PYTHONPATH": str(hook), "PYTHONDONTWRITEBYTECODE": "1"}


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that are not collected yet (Linux)."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be collected does not (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again, for what nobody announces."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"did not come: {what}") from None
