"""How late the event loop comes to what is due: the one figure of whether it keeps up.

Everything of a job shares one loop, so what comes late here came late everywhere: a token's time,
a timeout, Ctrl-C. One timer is asked for every 50 ms, and it is noted how long after that it came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from msgspec import Struct

from .histogram import Histogram

EVERY = 0.05
"""Seconds between two looks; 20 in a second cost nothing that can be measured."""

BAD = 0.1
"""Seconds of a 99th percentile from which on times in the output are off by too much."""


class LoopLag(Struct, frozen=True):
    """In seconds, over the whole job."""

    p50_s: float
    p99_s: float
    max_s: float

    @property
    def bad(self) -> bool:
        return self.p99_s >= BAD


class LagMeter:
    """Measures while it is entered. ``now`` is a monotonic time in seconds.

    Of a job with workers :meth:`elsewhere` is told of theirs, and the worst of each figure stands.

    Looks that were due while the loop was held up count as well, each with its own delay: else one
    stop of a second would weigh as much as 50 ms without one.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._late = Histogram()
        self._longest = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._others: list[LoopLag] = []

    def elsewhere(self, lag: LoopLag) -> None:
        """What another process of the job measured, to its end."""
        self._others.append(lag)

    async def __aenter__(self) -> None:
        self._expect(asyncio.get_running_loop())

    async def __aexit__(self, *exc: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def figures(self) -> LoopLag | None:
        """So far; None before the first look."""
        found = [*self._others, *self._own()]
        if not found:
            return None
        return LoopLag(
            max(lag.p50_s for lag in found),
            max(lag.p99_s for lag in found),
            max(lag.max_s for lag in found),
        )

    def _own(self) -> list[LoopLag]:
        late, longest = self._late, self._longest
        p50, p99 = late.percentile(50), late.percentile(99)
        if p50 is None or p99 is None:
            return []
        return [LoopLag(*(round(min(value, longest), 6) for value in (p50, p99, longest)))]

    def _expect(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = self._now() + EVERY
        self._timer = loop.call_later(EVERY, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        late = max(0.0, self._now() - self._due)
        self._longest = max(self._longest, late)
        self._late.add(late)
        while (late := late - EVERY) > 0:
            self._late.add(late)
        self._expect(loop)

    def __repr__(self) -> str:
        return f"<LagMeter, {self._late.count} looks, at most {self._longest:.3f} s>"
