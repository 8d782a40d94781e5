"""What a job was like since its start, at most 300 points of it, and in the last seconds."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

MOST = 300
"""Points; where there are more, every other one goes."""

LATELY = 10
"""Seconds over which a rate is a recent one."""


class Point(Struct, frozen=True, array_like=True):
    """``at_s`` is seconds since the start; but for ``in_flight`` these are sums until then."""

    at_s: float
    in_flight: int
    done: int
    failed: int
    output_tokens: int
    cost_usd: float | None


class Rates(Struct, frozen=True):
    """Over the last ``seconds``; money by the hour."""

    rows_per_s: float
    output_tokens_per_s: float
    usd_per_h: float | None
    seconds: float


class Timeline:
    """Told a point a second."""

    def __init__(self) -> None:
        self.every = 1
        self.points: list[Point] = []
        self._lately: deque[tuple[Point, int]] = deque(maxlen=LATELY + 1)
        self._added = 0

    def add(self, point: Point, earlier: int = 0) -> None:
        """The next second's; so many of its rows were done by ``earlier`` runs."""
        self._lately.append((point, earlier))
        if self._added % self.every == 0:
            self.points.append(point)
            if len(self.points) >= MOST:
                del self.points[1::2]
                self.every *= 2
        self._added += 1

    def with_now(self, now: Point) -> list[Point]:
        """All points, and one for this moment."""
        return [*self.points, now]

    def rates(self, now: Point, earlier: int = 0) -> Rates:
        """What this run did since the oldest point that is not too old."""
        fresh = (kept for kept in self._lately if now.at_s - kept[0].at_s <= LATELY + 1)
        start, before = next(fresh, (now, earlier))
        seconds = now.at_s - start.at_s
        if seconds <= 0:
            return Rates(0.0, 0.0, None, 0.0)
        dollars = None
        if now.cost_usd is not None:
            dollars = round((now.cost_usd - (start.cost_usd or 0.0)) / seconds * 3600, 9)
        return Rates(
            round(max(0, now.done - start.done - (earlier - before)) / seconds, 2),
            round((now.output_tokens - start.output_tokens) / seconds, 2),
            dollars,
            round(seconds, 2),
        )

    def __repr__(self) -> str:
        return f"<Timeline of {len(self.points)} points, one each {self.every} s>"
