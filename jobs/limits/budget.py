"""Tokens a minute: reserve what a request will probably cost, settle what it did cost."""

from __future__ import annotations

import asyncio
import math

from .bucket import Bucket, token_pace
from .ledger import GRAIN, Ledger
from .recent import Recent

CREDIT = 0.25
"""The largest credit, as a share of the limit: 15 s worth."""

REVIEW = 0.25
"""Seconds after which a head of the line that waits for the minute to pass looks again."""


class TokenBudget:
    """Two limits in a row, for the head of the line only.

    A small bucket paces: each request pays its estimate into it, in pieces. When it settles, what
    it cost more or less than that becomes a debt or a credit of those who come next, so in the
    long run the tokens really used are what is paced (97.7 % of the limit).

    The ledger guards the minute: a request enters only when everything admitted in the last minute
    (real usage where it is known, else the estimate) and its own estimate are within the limit.
    So in no sliding minute of admissions is more than the limit used, except by as much as requests
    admitted in that minute turned out larger than estimated; and when they have settled,
    nobody enters until that is made good. Where answers are within their estimate, the limit
    holds strictly. How full a minute gets depends on how large single requests are: what is
    left of it must hold a whole one. One that is larger than the limit enters an empty minute.
    """

    __slots__ = ("_balance", "_bucket", "_ledger", "tpm")

    def __init__(self, tpm: float) -> None:
        self.tpm = tpm
        self._bucket = Bucket(*token_pace(tpm, GRAIN))
        self._ledger = Ledger(math.floor(tpm))
        self._balance = 0.0

    def resize(self, tpm: float) -> None:
        """The limit is another one from now on; what was used counts on."""
        self.tpm = tpm
        self._bucket = Bucket(*token_pace(tpm, GRAIN))
        self._ledger.limit = math.floor(tpm)

    def remember(self, used: Recent, now: float) -> None:
        """Count what went out in the last minute, before there was a budget."""
        self._ledger.book(used.within(now), now)
        self._add(-used.level(self._bucket.rate, now))

    def within(self, now: float) -> int:
        """Tokens of the last minute."""
        return self._ledger.within(now)

    async def take(self, amount: int) -> int:
        """Wait until ``amount`` may be spent; returns what of it the limit can hold.

        Cancelled, it costs nothing.
        """
        amount = min(amount, self._ledger.limit)
        owed = float(amount)
        try:
            while True:
                owed, self._balance = owed - self._balance, 0.0
                if owed <= 0:
                    break
                bucket = self._bucket
                piece = min(owed, bucket.burst / 2)
                await bucket.take(piece)
                owed -= piece
            self._add(-owed)
            owed = 0.0
            now = asyncio.get_running_loop().time
            while wait := self._ledger.wait(amount, now()):  # noqa: ASYNC110 - time is the event
                await asyncio.sleep(min(wait, REVIEW))
        except asyncio.CancelledError:
            self._add(amount - owed)
            raise
        return amount

    def take_now(self, amount: int) -> int | None:
        """As :meth:`take` where there is nothing to wait for, else None and nothing is spent."""
        amount = min(amount, self._ledger.limit)
        if self._ledger.wait(amount, asyncio.get_running_loop().time()):
            return None
        owed = amount - self._balance
        if owed <= 0:
            self._balance = -owed
            return amount
        bucket = self._bucket
        if owed > bucket.burst / 2 or not bucket.take_now(owed):
            return None
        self._balance = 0.0
        return amount

    def give_back(self, amount: int) -> None:
        """Undo a :meth:`take` that led to nothing."""
        self._add(amount)

    def book(self, amount: int) -> int:
        """The request goes out now; returns its key for :meth:`settle`."""
        return self._ledger.book(amount, asyncio.get_running_loop().time())

    def settle(self, key: int, booked: int, real: int) -> None:
        """Replace what was ``booked`` by the tokens that were used."""
        self._ledger.correct(key, real - booked)
        self._add(booked - real)

    def _add(self, tokens: float) -> None:
        self._balance = max(-self.tpm, min(self._balance + tokens, CREDIT * self.tpm))

    def __repr__(self) -> str:
        return f"<TokenBudget: {self.tpm:g} a minute, balance {self._balance:.0f}>"
