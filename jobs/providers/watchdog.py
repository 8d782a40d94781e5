"""Timeouts of many requests under one coarse timer.

A timer for each request, moved at each read, costs more than reading. Here a request in flight
only notes that something came, and one tick looks at all of them.
"""

from __future__ import annotations

import asyncio
from typing import Literal

Expiry = Literal["total", "stall"]

LONGEST_TICK = 1.0
"""Seconds between two looks; a timeout may come late by one of them, a stall by two."""

JUST_HEARD = -1.0


class Flight:
    """One request on its way, within one task.

    Only its own await is ever interrupted: ``waiting`` is true exactly then. ``silent_since`` is
    None before the first byte (a slow first token is no stall), then :data:`JUST_HEARD` after each
    read, then the time at which the watchdog first saw it wait.
    """

    __slots__ = ("_cancelling", "_task", "deadline", "expired", "silent_since", "waiting")

    def __init__(self, task: asyncio.Task[object], deadline: float) -> None:
        self._task = task
        self._cancelling = task.cancelling()
        self.deadline = deadline
        self.silent_since: float | None = None
        self.waiting = True
        self.expired: Expiry | None = None

    def __repr__(self) -> str:
        return f"Flight(waiting={self.waiting}, expired={self.expired})"

    def expire(self, why: Expiry) -> None:
        """Wake the task from its await; it then asks :meth:`took_back`."""
        self.expired = why
        self.waiting = False
        self._task.cancel()

    def took_back(self) -> Expiry | None:
        """Why the await was interrupted, if that was our doing and nobody else's as well."""
        if self.expired is None or self._task.uncancel() > self._cancelling:
            return None
        return self.expired


class Watchdog:
    """Looks after all flights of one route; times in seconds."""

    __slots__ = ("_due", "_flights", "_handle", "_loop", "_stall", "_tick", "_timeout")

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float, stall: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._stall = stall
        self._tick = min(LONGEST_TICK, timeout / 10, stall / 10)
        self._due = 0.0
        self._flights: set[Flight] = set()
        self._handle: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Watchdog({len(self._flights)} in flight, ticking={self._handle is not None})"

    def start(self) -> Flight:
        """A flight of the current task."""
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a request belongs to a task")
        flight = Flight(task, self._loop.time() + self._timeout)
        self._flights.add(flight)
        if self._handle is None:
            self._expect()
        return flight

    def end(self, flight: Flight) -> None:
        self._flights.discard(flight)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        self._handle = None
        if not self._flights:
            return
        now = self._loop.time()
        held_up = now - self._due > self._tick
        for flight in self._flights:
            if not flight.waiting:
                continue
            if now >= flight.deadline:
                flight.expire("total")
            elif flight.silent_since == JUST_HEARD or (held_up and flight.silent_since is not None):
                flight.silent_since = now  # while nobody could listen, nobody was silent
            elif flight.silent_since is not None and now - flight.silent_since >= self._stall:
                flight.expire("stall")
        self._expect()

    def _expect(self) -> None:
        self._due = self._loop.time() + self._tick
        self._handle = self._loop.call_later(self._tick, self._look)
