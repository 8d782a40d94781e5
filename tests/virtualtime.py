"""An event loop whose time jumps to the next timer, for tests that must not wait.

    def test_something_slow() -> None:
        run_virtual(main())          # a day of sleeping takes milliseconds

Every turn of the loop takes a nanosecond, so that a timer set for "now" again and again gets on.
For code that waits on timers and on its own futures alone: real sockets and threads have a time of
their own and would see every timeout pass at once. It starts a loop, so call it from a plain
(``def``) test.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = 1_700_000_000.0
TURN = 1e-9


class Deadlock(RuntimeError):
    """Everything waits, and no timer will ever wake it."""


class _Jump(selectors.BaseSelector):
    """Polls the real files, and instead of sleeping moves the time on."""

    def __init__(self) -> None:
        self.now = 0.0
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        self.now += TURN
        if ready:
            return ready
        if timeout is None:
            raise Deadlock("nothing is ready and no timer is set")
        self.now += max(0.0, timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time()`` starts at 0 s and jumps only when there is nothing else to do."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


class VirtualClock:
    """``ports.Clock`` on the running virtual loop; its wall clock starts at EPOCH."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return EPOCH + self.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def hold_up(seconds: float) -> None:
    """The running virtual loop does nothing for so long, as in a process that was stopped."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop._jump.now += seconds


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time; raises :class:`Deadlock` where it would hang."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
