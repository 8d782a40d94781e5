"""Making last what a server has left, where somebody else uses it up as well."""

from __future__ import annotations

from .bucket import MINUTE

SCARCE = 0.1
"""The share of a limit below which what is left is spread, unless our own use and pace explain it:
then nobody else is there, and the pace alone keeps us within the limit."""

UNUSED = 0.02
"""The share of a limit that our own pace leaves to others: less than this is nobody."""

SIGHT = SCARCE * MINUTE
"""Seconds after which one more is sent in any case, to see what is left by then: a server that
refills all the time has as much again, one with fixed windows says at worst that there is none."""


class Spread:
    """The pace of requests, or of tokens, until the server's quota is full again. Seconds."""

    __slots__ = ("_next", "_pace", "_until")

    def __init__(self) -> None:
        self._pace = 0.0  # seconds for each unit; 0 is free
        self._next = 0.0
        self._until = 0.0

    def over(self, left: float, seconds: float, now: float) -> None:
        """``left`` more may go out in the next ``seconds``."""
        self._until = now + seconds
        if left > 0:
            self._pace = seconds / left
            self._next = max(now, min(self._next, now + min(SIGHT, self._pace)))
        else:
            self._pace = seconds
            self._next = now + SIGHT

    def clear(self) -> None:
        """There is enough."""
        self._pace = self._next = 0.0

    def spent(self, amount: float, now: float) -> None:
        """``amount`` goes out now."""
        if self._pace:
            self._next = now + min(SIGHT, amount * self._pace)

    def wait(self, now: float) -> float:
        """Seconds until the next may go out; 0 when it may now."""
        if not self._pace:
            return 0.0
        if now >= self._until:
            self.clear()
            return 0.0
        return max(0.0, min(self._next, self._until) - now)

    @property
    def free(self) -> bool:
        return not self._pace

    def __repr__(self) -> str:
        return f"<Spread: {self._pace:g} s each until {self._until:.3f}>"
