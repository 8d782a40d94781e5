"""What is worth a line while a job runs: a route that fails, waits, learns its limits or stops."""

from __future__ import annotations

from collections.abc import Callable

from llmbatch.jobs.events import (
    BreakerClosed,
    BreakerOpened,
    CacheLost,
    Event,
    LimitLearned,
    Noted,
    RoutePaused,
    RouteStopped,
)

from .figures import duration, rate

LONG_PAUSE = 5.0
"""Seconds; shorter pauses that a server asks for are nothing to read about."""

SELDOM = 30.0
"""Seconds between two lines of the same kind about the same route."""


class Notices:
    """Says an event in words, or None where it is not worth a line. ``now`` in seconds."""

    __slots__ = ("_learned", "_now", "_out", "_said")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._said: dict[tuple[str, str], float] = {}
        self._learned: set[str] = set()
        self._out: set[str] = set()

    def __call__(self, event: Event) -> str | None:
        match event:
            case BreakerOpened(route, reason, cooldown):
                if self._too_soon(route, "out"):
                    return None
                self._out.add(route)
                wait = duration(cooldown)
                return f"{route} does not answer ({reason}): left alone, asked again in {wait}"
            case BreakerClosed(route, outage):
                if route not in self._out:
                    return None
                self._out.remove(route)
                return f"{route} answers again, after {duration(outage)}"
            case CacheLost(reason):
                return f"the cache failed, and the job goes on without it: {reason}"
            case Noted(text):
                return text
            case RouteStopped(route, reason):
                return f"{route} is out of this job: {reason}"
            case RoutePaused(route, seconds):
                if seconds <= LONG_PAUSE or self._too_soon(route, "paused"):
                    return None
                return f"{route} asks for a pause of {duration(seconds)}"
            case LimitLearned(route, rpm, tpm) if route not in self._learned:
                self._learned.add(route)
                return learned(route, rpm, tpm)
            case _:
                return None

    def _too_soon(self, route: str, kind: str) -> bool:
        now, last = self._now(), self._said.get((route, kind))
        if last is not None and now - last < SELDOM:
            return True
        self._said[route, kind] = now
        return False

    def __repr__(self) -> str:
        return f"<Notices: {len(self._out)} routes do not answer>"


def learned(route: str, rpm: float | None, tpm: float | None) -> str:
    limits = [
        f"{rate(limit)} {what}"
        for limit, what in ((rpm, "requests"), (tpm, "tokens"))
        if limit is not None
    ]
    return f"{route} allows {' and '.join(limits) or 'any number of requests'} a minute"
