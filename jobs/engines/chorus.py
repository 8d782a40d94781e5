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
    is told of that is the sum. A route is out from the first worker that gets no answer to the last
    one that has them again, and is out of the job when the first one says so.
    """

    def __init__(
        self, observe: Observer, now: Callable[[], float], starts: Mapping[int, int]
    ) -> None:
        self._observe = observe
        self._now = now
        self._starts = starts
        self._widths: dict[str, dict[int, int]] = {}
        self._out: dict[str, set[int]] = {}
        self._since: dict[str, float] = {}
        self._said: set[Noted | tuple[str, str]] = set()

    def heard(self, number: int, event: Event) -> None:
        """Worker ``number`` tells an event."""
        match event:
            case ConcurrencyChanged():
                self._resized(number, event)
            case BreakerOpened():
                out = self._out.setdefault(event.route, set())
                if not out:
                    self._since[event.route] = self._now()
                    self._observe(event)
                out.add(number)
            case BreakerClosed():
                self._answers(number, event.route)
            case RouteStopped():
                self._answers(number, event.route)
                self._once(("stopped", event.route), event)
            case Noted():  # each worker finds the same
                self._once(event, event)
            case CacheLost():  # of all that lose it the first one
                self._once(("cache", ""), event)
            case _:
                self._observe(event)

    def left(self, number: int) -> None:
        """The worker is gone; another one of this number begins anew."""
        for route in tuple(self._out):
            self._answers(number, route)
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

    def _answers(self, number: int, route: str) -> None:
        out = self._out.get(route)
        if out is None or number not in out:
            return
        out.discard(number)
        if not out:
            outage = self._now() - self._since[route]
            self._observe(BreakerClosed(route, round(outage, 3)))

    def _once(self, what: Noted | tuple[str, str], event: Event) -> None:
        if what not in self._said:
            self._said.add(what)
            self._observe(event)

    def __repr__(self) -> str:
        return f"<Chorus: out {self._out}, in flight {self._widths}>"
