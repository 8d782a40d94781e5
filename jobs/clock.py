"""The real clock; tests inject their own."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Monotonic seconds from the operating system."""

    __slots__ = ()

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)

    def __repr__(self) -> str:
        return "SystemClock()"
