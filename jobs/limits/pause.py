"""A route that was told to wait: once for all, however many of its requests were refused."""

from __future__ import annotations

FIRST = 1.0
"""Seconds of a pause where the server names none; each further refusal doubles them."""

LONGEST = 60.0
"""The most seconds that doubling leads to."""

AGAIN = 0.05
"""Seconds of the second pause in a row, at least, whatever the server says; each further one is
twice as long, so that one which calls back too soon is not asked at its pace for ever."""

PROBE = 1.0
"""Seconds that the first after a pause is ahead of the others, unless its answer comes before."""


class Pause:
    """Numbers are those of requests in the order in which they went out; times are in seconds."""

    __slots__ = ("_fresh", "_in_a_row", "_last", "_next", "_probe", "_until")

    def __init__(self) -> None:
        self._until = 0.0
        self._next = FIRST
        self._in_a_row = 0
        self._last = 0  # the last that went out before the pause
        self._fresh = False  # nobody went out since the pause
        self._probe = 0  # the first that went out after it

    def refused(
        self, number: int, sent: int, retry_after: float | None, now: float
    ) -> float | None:
        """Request ``number`` was refused when ``sent`` had gone out; the seconds of a new pause.

        None where it went out before the pause that this refusal would have brought: it is the
        same one. A ``retry_after`` of 0 is no answer.
        """
        if number <= self._last:
            return None
        alone = number == self._probe
        self._last = sent
        self._fresh = True
        self._probe = 0
        seconds = self._next
        if retry_after is not None and retry_after > 0:
            least = AGAIN * 2.0 ** min(self._in_a_row - 1, 20) if self._in_a_row else 0.0
            seconds = max(retry_after, min(least, LONGEST))
        else:
            self._next = min(2 * self._next, LONGEST)
        self._in_a_row += 1
        # Its second ahead of the others ends with its refusal.
        self._until = now + seconds if alone else max(self._until, now + seconds)
        return seconds

    def left(self, now: float) -> float:
        """Seconds for which nobody goes out."""
        return max(0.0, self._until - now)

    def gone(self, number: int, now: float) -> None:
        """Request ``number`` goes out; alone at first where it is the first after a pause."""
        if self._fresh:
            self._fresh = False
            self._probe = number
            self._until = now + PROBE

    def answered(self, number: int) -> bool:
        """Request ``number`` was not refused; True where that lets the others out."""
        if number > self._last:
            self._next = FIRST
            self._in_a_row = 0
        if number != self._probe:
            return False
        self._probe = 0
        self._until = 0.0
        return True

    def __repr__(self) -> str:
        return f"<Pause: until {self._until:.3f}, then {self._next:g} s>"
