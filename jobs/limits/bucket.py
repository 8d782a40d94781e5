"""Token buckets, the only place that knows aiolimiter.

What aiolimiter 1.3 does that callers must not meet: its waiters are ordered by amount, so that
large ones starve (here only the head of a line ever waits); a bucket of a whole minute lets two
minutes' worth pass in the first one (here buckets are small); an amount above the bucket's size
raises (callers take pieces); nothing can be given back (callers keep their own credit).
"""

from __future__ import annotations

import asyncio
import math

MINUTE = 60.0
JITTER = 1.0
"""Seconds by which the way to the server may squeeze or stretch the distance of two requests."""

BURST = 0.005
"""Size of a bucket as a share of the limit; it makes good 0.3 s in which the loop came late."""

SHORT = 0.01
"""Waits below this many seconds are rounded up to it: a few pass together instead of a timer each,
and timers of whole milliseconds (uvloop's) don't spin."""


class Bucket:
    """Lets ``burst`` pass at once and ``rate`` a second after that. One waiter at a time."""

    __slots__ = ("_due", "_limiter", "_short", "burst", "rate")

    def __init__(self, burst: float, rate: float) -> None:
        from aiolimiter import AsyncLimiter  # here: most jobs have no such limit, all would wait

        self.burst = burst
        self.rate = rate
        self._limiter = AsyncLimiter(burst, burst / rate)
        self._short = min(rate * SHORT, burst / 2)
        self._due = 0.0

    def owe(self, amount: float, now: float) -> None:
        """``amount`` has passed already: nothing more does until it would have been refilled."""
        self._due = now + amount / self.rate

    async def take(self, amount: float = 1) -> None:
        """Wait until ``amount`` may pass; at most ``burst``."""
        if self._due:
            wait = self._due - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            self._due = 0.0
        if amount <= self._short and not self._limiter.has_capacity(amount):
            await asyncio.sleep(SHORT)
        await self._limiter.acquire(amount)

    def take_now(self, amount: float = 1) -> bool:
        """Take ``amount`` if it may pass at once, as :meth:`take` would; whether it did."""
        if self._due or not self._limiter.has_capacity(amount):
            return False
        taking = self._limiter.acquire(amount)
        try:
            taking.send(None)  # there is room, so it has nothing to wait for
        except StopIteration:
            return True
        taking.close()
        return False

    def __repr__(self) -> str:
        return f"<Bucket: {self.burst:g}, then {self.rate:g}/s>"


def request_bucket(rpm: float) -> Bucket:
    """A bucket that keeps every sliding minute at the server within ``rpm`` requests."""
    return Bucket(*request_pace(rpm))


def request_pace(rpm: float) -> tuple[float, float]:
    """Burst and rate a second that keep every sliding minute at the server within ``rpm``.

    Of N = floor(rpm) at most burst + rate x 61 s < N + 1 pass in anything shorter than 61 s, so a
    minute holds with almost a second of jitter to spare; 97.9 % of N is used. A fraction above
    one is lost (1.5 a minute can't be more than 1 in each). Below 1 the distance of two requests
    is 60 / rpm + 1 s: of 0.5 rpm, 99.2 % is used.
    """
    if rpm < 1:
        return 1.0, 1 / (MINUTE / rpm + JITTER)
    whole = math.floor(rpm)
    burst = 1 + BURST * whole
    return burst, (whole + 1 - burst) / (MINUTE + JITTER)


def token_pace(tpm: float, grain: float) -> tuple[float, float]:
    """Burst and rate a second of the tokens, where a ledger of ``grain`` guards the minute."""
    return max(1.0, BURST * tpm), (1 - BURST) * tpm / (MINUTE + JITTER + grain)
