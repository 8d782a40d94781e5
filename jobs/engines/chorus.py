"""What several workers tell of the same thing, told once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..events import (
    BreakerClosed,
    BreakerOpened,
    CacheLost,
    ConcurrencyChanged,
    Event,
    Noted,
    RouteStopped,
)
from ..ports import Observer


class Chorus:
    """Workers are known by their numbers; ``now`` is a monotonic time in seconds.

    ``starts`` are how many requests each of them may have in flight before it finds out more: what
    is told of that is the sum. A route is out from the first worker that gets no answer to the
    first one that has them again, and is out of the job when the first one says so.
    """

    def __init__(
        self, observe: Observer, now: Callable[[], float], starts: Mapping[int, int]
    ) -> None:
        self._observe = observe
        self._now = now
        self._starts = starts
        self._widths: dict[str, dict[int, int]] = {}
        self._out_since: dict[str, float] = {}
        self._said: set[Noted | tuple[str, str]] = set()

    def heard(self, number: int, event: Event) -> None:
        """Worker ``number`` tells an event."""
        match event:
            case ConcurrencyChanged():
                self._resized(number, event)
            case BreakerOpened():
                if event.route not in self._out_since:
                    self._out_since[event.route] = self._now()
                    self._observe(event)
            case BreakerClosed():
                since = self._out_since.pop(event.route, None)
                if since is not None:
                    self._observe(BreakerClosed(event.route, round(self._now() - since, 3)))
            case RouteStopped():
                self._out_since.pop(event.route, None)
                self._once(("stopped", event.route), event)
            case Noted():  # each worker finds the same
                self._once(event, event)
            case CacheLost():  # of all that lose it the first one
                self._once(("cache", ""), event)
            case _:
                self._observe(event)

    def left(self, number: int) -> None:
        """The worker is gone; another one of this number begins anew."""
        for route, widths in self._widths.items():
            start = self._starts.get(number, widths[number])
            if widths[number] != start:
                self._resized(number, ConcurrencyChanged(route, 0, start, "begins anew"))

    def _resized(self, number: int, event: ConcurrencyChanged) -> None:
        widths = self._widths.setdefault(event.route, dict(self._starts))
        before = sum(widths.values())
        widths[number] = event.now
        now = sum(widths.values())
        self._observe(ConcurrencyChanged(event.route, before, now, event.reason))

    def _once(self, what: Noted | tuple[str, str], event: Event) -> None:
        if what not in self._said:
            self._said.add(what)
            self._observe(event)

    def __repr__(self) -> str:
        return f"<Chorus: out {list(self._out_since)}, in flight {self._widths}>"
