"""Servers that judge a quota of requests in each of the ways that are in use; pure."""

from __future__ import annotations

from collections import deque

from llmbatch.jobs.model import Quota

MINUTE = 60.0


class TokenBucket:
    """Refills all the time; its reset is the time until it is full."""

    def __init__(self, limit: int, phase: float = 0.0) -> None:
        self.limit = limit
        self._left = float(limit)
        self._at = 0.0

    def take(self, now: float) -> bool:
        rate = self.limit / MINUTE
        self._left = min(self.limit, self._left + rate * (now - self._at))
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def quota(self, now: float) -> Quota:
        reset = (self.limit - self._left) / self.limit * MINUTE
        return Quota(rpm=self.limit, requests_left=int(self._left), requests_reset=reset)


class FixedWindow:
    """Counts from zero each minute, beginning ``phase`` seconds into the first."""

    def __init__(self, limit: int, phase: float = 0.0) -> None:
        self.limit = limit
        self._phase = phase
        self._window = -1
        self._used = 0

    def _turn(self, now: float) -> float:
        window, into = divmod(now + self._phase, MINUTE)
        if window != self._window:
            self._window, self._used = int(window), 0
        return MINUTE - into

    def take(self, now: float) -> bool:
        self._turn(now)
        if self._used >= self.limit:
            return False
        self._used += 1
        return True

    def quota(self, now: float) -> Quota:
        reset = self._turn(now)
        left = self.limit - self._used
        return Quota(rpm=self.limit, requests_left=left, requests_reset=reset)


class SlidingWindow:
    """Counts the last minute; its reset is the time until all of it has passed."""

    def __init__(self, limit: int, phase: float = 0.0) -> None:
        self.limit = limit
        self._times: deque[float] = deque()

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - MINUTE:
            self._times.popleft()

    def take(self, now: float) -> bool:
        self._forget(now)
        if len(self._times) >= self.limit:
            return False
        self._times.append(now)
        return True

    def quota(self, now: float) -> Quota:
        self._forget(now)
        reset = self._times[-1] + MINUTE - now if self._times else 0.0
        left = self.limit - len(self._times)
        return Quota(rpm=self.limit, requests_left=left, requests_reset=reset)
