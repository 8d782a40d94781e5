"""What went out in the last minute, noted cheaply for a limit that may yet become known."""

from __future__ import annotations

from collections import deque

from .bucket import JITTER, MINUTE

SECONDS = int(MINUTE + JITTER) + 1
"""Whole seconds that are a minute; the oldest counts until its youngest part is old enough."""

KEPT = 2 * SECONDS
"""Whole seconds that are kept: for who asks what the last minute was a minute ago."""


class Recent:
    """Amounts by the second; ``sent`` is the sum since the beginning. Times are the loop's."""

    __slots__ = ("_before", "_past", "_second", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self._second = -1
        self._before = 0  # what the sum was when this second began
        self._past: deque[tuple[int, int]] = deque(maxlen=KEPT)

    def note(self, now: float, amount: int = 1) -> int:
        """``amount`` goes out now; returns the new sum, which serves as a number in line."""
        if int(now) != self._second:
            self._turn(int(now))
        self.sent = number = self.sent + amount
        return number

    def within(self, now: float) -> int:
        """What went out in the last 61 s, or a little more."""
        return self.before(self.sent, now)

    def before(self, number: int, at: float) -> int:
        """What went out up to ``number``, which did so at ``at``, in the 61 s before that."""
        oldest = int(at) - SECONDS
        later = sum(amount for second, amount in self._past if second >= oldest)
        later += self.sent - self._before if self._second >= oldest else 0
        return number - (self.sent - later)

    def level(self, rate: float, now: float) -> float:
        """How full a bucket would be now that had taken all of it, and loses ``rate`` a second.

        Never more than it loses in 61 s: what was sent before that is forgotten.
        """
        level, last = 0.0, 0.0
        oldest = int(now) - SECONDS
        for second, amount in (*self._past, (self._second, self.sent - self._before)):
            if second >= oldest:
                at = min(second + 1.0, now)  # as late as it can have been
                level = max(0.0, level - rate * (at - last)) + amount
                last = at
        return min(max(0.0, level - rate * (now - last)), rate * (MINUTE + JITTER))

    def _turn(self, second: int) -> None:
        if self.sent > self._before:
            self._past.append((self._second, self.sent - self._before))
        self._second = second
        self._before = self.sent

    def __repr__(self) -> str:
        return f"<Recent: {self.sent} sent>"
