"""What a worker sends while nothing has to be paid: counted, and told to who owns the limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..workers.limits import Sent

REPORT = 1.0
"""Seconds between two reports of what goes out unpaid; so much is unknown of a worker that dies."""

Send = Callable[[object], None]


class Outflow:
    """What goes out; in the place of :class:`.recent.Recent`, which the owner of the limits has.

    ``granted`` is the number of the request that goes out next, where it was paid for.
    """

    __slots__ = ("_lane", "_requests", "_send", "_timer", "_tokens", "granted", "round")

    def __init__(self, lane: int, send: Send) -> None:
        self._lane = lane
        self._send = send
        self._requests = self._tokens = 0
        self._timer: asyncio.TimerHandle | None = None
        self.granted = 0
        self.round = 0

    def note(self, now: float) -> int:  # noqa: ARG002 - it is told soon enough
        """A request goes out; its number, 0 where it is unpaid."""
        if self.granted:
            number, self.granted = self.granted, 0
            return number
        self._requests += 1
        self._report_soon()
        return 0

    def used(self, tokens: int) -> None:
        """So many were used up, and nobody counts them by request."""
        self._tokens += tokens
        self._report_soon()

    def report(self) -> None:
        """Tell what there was since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._send(Sent(self._lane, self._requests, self._tokens, self.round))
        self._requests = self._tokens = 0

    def _report_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REPORT, self.report)
