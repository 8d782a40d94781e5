"""A throughput as it was measured, and how exact that is."""

from __future__ import annotations

import math

DOUBT = 8
"""Answers too few to know how much latencies differ."""


FLOOR = 0.02
"""No measurement is taken to be more exact than this share of itself."""


class Sample:
    """Answers that came while the limit was ``limit``, and the time they took to come."""

    __slots__ = ("answers", "limit", "seconds", "squares", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.answers = 0.0
        self.seconds = 0.0
        self.total = 0.0
        self.squares = 0.0

    def add(self, other: Sample) -> None:
        self.answers += other.answers
        self.seconds += other.seconds
        self.total += other.total
        self.squares += other.squares

    def fade(self, share: float) -> None:
        """Let what was seen count for less."""
        self.answers *= share
        self.seconds *= share
        self.total *= share
        self.squares *= share

    @property
    def rate(self) -> float:
        """The logarithm of the throughput, in answers a second."""
        return math.log(max(self.answers, 0.1) / self.seconds)

    @property
    def variance(self) -> float:
        """Of :attr:`rate`: each slot gives answers at intervals that vary as the latencies do."""
        if self.answers < 2 or not self.total:
            return 1.0
        spread = max(0.0, self.squares * self.answers / self.total**2 - 1)
        return spread * (1 + DOUBT / self.answers) / self.answers + FLOOR**2

    def __repr__(self) -> str:
        return f"<Sample: {self.answers:.0f} answers in {self.seconds:.3g} s at {self.limit}>"
