"""What is set aside for one attempt, until it is known what that used up."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from ..lane import Lane
from ..model import Request, Usage
from .funds import Held
from .ledger import Amount
from .worstcase import WorstCase


class Purse(Protocol):
    """Who learns from what a booking's attempt used up, and settles it."""

    def settled(self, booking: Booking, usage: Usage, cost: float | None) -> None: ...


class Booking:
    """The worst case of one attempt, set aside while its context is open.

    ``held.sent`` says that it went out: one that has no end then counts at its worst.
    """

    __slots__ = ("_open", "_spending", "case", "held", "lane", "request", "worst")

    def __init__(
        self, spending: Purse, lane: Lane, request: Request, case: WorstCase, worst: Amount,
        held: Held,
    ) -> None:  # fmt: skip
        self._spending = spending
        self._open = True
        self.lane = lane
        self.request = request
        self.case = case
        self.worst = worst
        self.held = held

    def __enter__(self) -> Booking:
        return self

    def settle(self, usage: Usage | None, cost: float | None) -> None:
        """What it used up, as it was told; nothing else is known where that is None."""
        self._open = False
        if usage is None:
            self.held.doubt()
        else:
            self._spending.settled(self, usage, cost)

    def give_back(self) -> None:
        """It was refused before it was answered."""
        self._open = False
        self.held.give_back()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if not self._open:
            return
        self._open = False
        if self.held.sent:
            self.held.doubt()
        else:
            self.held.give_back()

    def __repr__(self) -> str:
        return f"<Booking of {self.worst}>"
