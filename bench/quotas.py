"""How servers count a quota of requests a minute, and how their headers tell of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Protocol

MINUTE = 60.0
OFFSET = 20.0
"""Seconds of a fixed window that are over when the first request comes."""

TOKENS = 2_000_000
"""Tokens a minute: so many that nobody is held by them."""


class Counter(Protocol):
    """A quota; refused requests are not counted. Moments and spans are in seconds."""

    def take(self, now: float, /) -> float:
        """0 where the request is let in, else how long until one will be."""

    def left(self, now: float, /) -> tuple[int, float]:
        """How many are left, and how long until the quota is whole again."""


class Bucket:
    """A token bucket that starts full and refills all the time."""

    def __init__(self, quota: int) -> None:
        self.quota = quota
        self.level = float(quota)
        self.at: float | None = None

    def take(self, now: float) -> float:
        gone = 0.0 if self.at is None else now - self.at
        self.level = min(self.quota, self.level + gone * self.quota / MINUTE)
        self.at = now
        if self.level < 1:
            return (1 - self.level) * MINUTE / self.quota
        self.level -= 1
        return 0.0

    def left(self, _now: float) -> tuple[int, float]:
        return int(self.level), (self.quota - self.level) * MINUTE / self.quota


class FixedWindow:
    """Counts from nothing again every minute of its own clock."""

    def __init__(self, quota: int) -> None:
        self.quota = quota
        self.used = 0
        self.ends: float | None = None

    def take(self, now: float) -> float:
        if self.ends is None:
            self.ends = now + MINUTE - OFFSET
        while now >= self.ends:
            self.ends += MINUTE
            self.used = 0
        if self.used >= self.quota:
            return self.ends - now
        self.used += 1
        return 0.0

    def left(self, now: float) -> tuple[int, float]:
        assert self.ends is not None
        return self.quota - self.used, self.ends - now


class SlidingWindow:
    """Counts the last 60 seconds."""

    def __init__(self, quota: int) -> None:
        self.quota = quota
        self.taken: deque[float] = deque()

    def take(self, now: float) -> float:
        while self.taken and now - self.taken[0] >= MINUTE:
            self.taken.popleft()
        if len(self.taken) >= self.quota:
            return self.taken[0] + MINUTE - now
        self.taken.append(now)
        return 0.0

    def left(self, now: float) -> tuple[int, float]:
        return self.quota - len(self.taken), self.taken[-1] + MINUTE - now


COUNTERS: Mapping[str, Callable[[int], Counter]] = {
    "bucket": Bucket,
    "fixed": FixedWindow,
    "sliding": SlidingWindow,
}

Headers = Callable[[int, int, float, float], bytes]
"""From the quota, what is left of it, the seconds until it is whole, and how long to wait."""


def openai(quota: int, left: int, whole_in: float, wait: float) -> bytes:
    """Resets are durations until everything is back, so no time to wait for."""
    said = {
        "x-ratelimit-limit-requests": quota,
        "x-ratelimit-remaining-requests": left,
        "x-ratelimit-reset-requests": _duration(whole_in),
        "x-ratelimit-limit-tokens": TOKENS,
        "x-ratelimit-remaining-tokens": TOKENS - 40,
        "x-ratelimit-reset-tokens": _duration(40 * MINUTE / TOKENS),
    }
    return _lines(said, wait)


def anthropic(quota: int, left: int, whole_in: float, wait: float) -> bytes:
    """Resets are times of day, whole seconds in UTC."""
    back = datetime.now(UTC) + timedelta(seconds=ceil(whole_in))
    said: dict[str, object] = {}
    for what, limit, remaining in (
        ("requests", quota, left),
        ("tokens", TOKENS, TOKENS),
        ("input-tokens", TOKENS // 2, TOKENS // 2),
        ("output-tokens", TOKENS // 2, TOKENS // 2),
    ):
        said[f"anthropic-ratelimit-{what}-limit"] = limit
        said[f"anthropic-ratelimit-{what}-remaining"] = remaining
        said[f"anthropic-ratelimit-{what}-reset"] = f"{back:%Y-%m-%dT%H:%M:%SZ}"
    return _lines(said, wait)


HEADERS: Mapping[str, Headers] = {"openai": openai, "anthropic": anthropic}


def _lines(said: Mapping[str, object], wait: float) -> bytes:
    lines = {**said, "retry-after": ceil(wait)} if wait else said
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()


def _duration(seconds: float) -> str:
    """As in ``12ms``, ``1.5s`` and ``6m0s``."""
    if seconds < 1:
        return f"{ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.3g}s" if minutes else f"{rest:.4g}s"
