"""Who was let in during the last minute, and for how many tokens."""

from __future__ import annotations

import math

from .bucket import JITTER, MINUTE

GRAIN = 0.1
"""Seconds that share one entry; an entry counts until its youngest part is old enough."""

ENTRIES = math.ceil((MINUTE + JITTER) / GRAIN) + 1


class Ledger:
    """Tokens admitted in a sliding minute (61 s, for jitter), correctable afterwards.

    A ring of sums, 0.1 s each: its size does not depend on the number of requests. Times are the
    loop's, in seconds.
    """

    __slots__ = ("_entries", "_now", "limit", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._entries = [0] * ENTRIES
        self._now = 0

    def wait(self, amount: int, now: float) -> float:
        """Seconds until ``amount`` fits if nothing changes before; 0 when it fits now."""
        self._advance(now)
        amount = min(amount, self.limit)  # which may have shrunk; more fits only an empty minute
        excess = self.total + amount - self.limit
        if excess <= 0:
            return 0.0
        for tick in range(self._now - ENTRIES + 1, self._now + 1):
            excess -= self._entries[tick % ENTRIES]
            if excess <= 0:
                return max(GRAIN / 10, (tick + ENTRIES) * GRAIN - now)
        raise ValueError(f"the minute holds more than its entries: {self!r}")

    def within(self, now: float) -> int:
        """What was admitted in the last minute."""
        self._advance(now)
        return self.total

    def book(self, amount: int, now: float) -> int:
        """Count ``amount`` from now on; returns the key to correct it with."""
        self._advance(now)
        self._entries[self._now % ENTRIES] += amount
        self.total += amount
        return self._now

    def correct(self, key: int, difference: int) -> None:
        """Change what was booked under ``key``; nothing happens where that has left the minute."""
        if self._now - key < ENTRIES:
            self._entries[key % ENTRIES] += difference
            self.total += difference

    def _advance(self, now: float) -> None:
        tick = int(now / GRAIN)
        if tick <= self._now:
            return
        for passed in range(max(self._now + 1, tick + 1 - ENTRIES), tick + 1):
            self.total -= self._entries[passed % ENTRIES]
            self._entries[passed % ENTRIES] = 0
        self._now = tick

    def __repr__(self) -> str:
        return f"<Ledger: {self.total} of {self.limit}>"
