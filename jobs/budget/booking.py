"""What is set aside for one attempt, until it is known what that used up."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from ..lane import Lane
from ..model import Request, Usage
from .ledger import Amount
from .worstcase import WorstCase


class Purse(Protocol):
    """Where a booking's money is from, told once how its attempt ended."""

    def settled(self, booking: Booking, usage: Usage, cost: float | None) -> None: ...

    def doubted(self, booking: Booking) -> None: ...

    def returned(self, booking: Booking) -> None: ...


class Booking:
    """The worst case of one attempt, set aside while its context is open.

    ``sent`` says that it went out: one that has no end then counts at its worst.
    """

    __slots__ = ("_open", "_spending", "case", "lane", "request", "sent", "worst")

    def __init__(
        self, spending: Purse, lane: Lane, request: Request, case: WorstCase, worst: Amount
    ) -> None:
        self._spending = spending
        self._open = True
        self.lane = lane
        self.request = request
        self.case = case
        self.worst = worst
        self.sent = False

    def __enter__(self) -> Booking:
        return self

    def settle(self, usage: Usage | None, cost: float | None) -> None:
        """What it used up, as it was told; nothing else is known where that is None."""
        self._open = False
        if usage is None:
            self._spending.doubted(self)
        else:
            self._spending.settled(self, usage, cost)

    def give_back(self) -> None:
        """It was refused before it was answered."""
        self._open = False
        self._spending.returned(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if not self._open:
            return
        self._open = False
        if self.sent:
            self._spending.doubted(self)
        else:
            self._spending.returned(self)

    def __repr__(self) -> str:
        return f"<Booking of {self.worst}>"
