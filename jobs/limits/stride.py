"""Where a search for the best limit looks next: which way, how far, how soon."""

from __future__ import annotations

DOUBLE, LARGE, SMALL = 1.0, 0.5, 0.125
"""Powers of two by which a step multiplies or divides the limit: doubled, 41 %, 9 % more."""

REST, LONGEST_REST = 2, 32
"""Rounds between two trials: at first, and when trials keep finding nothing better."""

FAR = 1 << 30
"""A limit that nobody was refused at."""


class Stride:
    """``direction`` is 1 or -1, ``step`` a power of two, ``rest`` the rounds until the next step.

    A step that pays makes the next one larger. One that does not is halved until it is small:
    somewhere between here and there is the best. Then the other direction has its turn, and rests
    become longer. Steps towards a limit that was refused go half of the way.
    """

    __slots__ = ("_closing", "_wall", "direction", "rest", "step")

    def __init__(self) -> None:
        self.direction = 1
        self.step = DOUBLE
        self.rest = 1
        self._closing = False
        self._wall = FAR

    def target(self, limit: int, ceiling: int) -> int:
        """The limit to try next; ``limit`` itself where there is none in this direction."""
        if self.direction < 0:
            return max(1, min(limit - 1, round(limit / 2**self.step)))
        room = self._wall - limit
        if room > 1:
            target = max(limit + 1, round(limit * 2**self.step))
            return min(target, limit + room // 2, ceiling)
        self._wall = FAR  # much later it may be tried again
        self.rest = LONGEST_REST
        return limit

    def paid(self) -> None:
        self.rest = REST
        if self._closing:
            self._narrow()
        else:
            self.step = min(LARGE, 2 * self.step)

    def failed(self) -> None:
        if self.direction < 0:
            self.direction = 1  # fewer are slower: it may be that more are faster
        elif self.step > SMALL:
            self._narrow()
        else:
            self.turn()

    def unclear(self) -> None:
        """The step made no difference that could be told from noise."""
        if self._closing:
            self._narrow()
        elif self.step < LARGE:
            self.step *= 2
        else:
            self.turn()

    def overshot(self, *, at_once: bool) -> None:
        """Doubling has found its end; ``at_once``: the first one brought nothing already."""
        self.rest = REST
        if at_once:
            self.direction = -1
        else:
            self.step = LARGE
            self._closing = True

    def stopped(self) -> None:
        """There is nothing more in this direction."""
        self.step = SMALL
        self.rest = max(self.rest, REST)
        self.turn()

    def refused(self, limit: int) -> None:
        """The server refused ``limit``: come near it slowly."""
        self.direction, self.step = 1, SMALL
        self._closing = False
        self._wall = limit
        self._rest_longer()

    def alarmed(self, direction: int) -> None:
        """The throughput has changed by itself: look at once."""
        self.direction = direction
        self.step = DOUBLE
        self.rest = REST
        self._closing = False

    def turn(self) -> None:
        """Look the other way, later."""
        self.direction = -self.direction
        self._rest_longer()

    def _narrow(self) -> None:
        self.step = max(SMALL, self.step / 2)
        self._closing = self.step > SMALL

    def _rest_longer(self) -> None:
        self.rest = min(LONGEST_REST, 2 * max(self.rest, REST))

    def __repr__(self) -> str:
        return f"<Stride: {self.direction * self.step:+g}, after {self.rest} rounds>"
