"""Tokens a minute: reserve what a request will probably cost, settle what it did cost."""

from __future__ import annotations

import asyncio
import math

from ..errors import TooLarge
from ..model import Request, Usage
from ..tokens import TokenCounter
from .bucket import BURST, JITTER, MINUTE, Bucket
from .ledger import GRAIN, Ledger

FIRST_GUESS = 256
"""Output tokens expected of a request that names no limit, before any has been settled."""

MEMORY = 100
"""About how many of the latest answers the expected length is the mean of."""

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
    left of it must hold a whole one.
    """

    __slots__ = ("_balance", "_bucket", "_counter", "_ledger", "_mean", "_settled", "tpm")

    def __init__(self, tpm: float, counter: TokenCounter) -> None:
        self.tpm = tpm
        self._counter = counter
        self._bucket = Bucket(max(1.0, BURST * tpm), (1 - BURST) * tpm / (MINUTE + JITTER + GRAIN))
        self._ledger = Ledger(math.floor(tpm))
        self._balance = 0.0
        self._mean = 0.0
        self._settled = 0

    def input_tokens(self, request: Request) -> int:
        """Count the input; raises TooLarge where the request alone is beyond a minute's budget."""
        tokens = self._counter.count(request)
        answer = _longest(request) or 0
        if tokens + answer > self.tpm:
            raise TooLarge(
                f"the request needs {tokens} input tokens"
                + (f" and up to {answer} output tokens" if answer else "")
                + f", more than --tpm {self.tpm:g} allows in a whole minute: "
                "shorten it, lower max_tokens, or raise --tpm"
            )
        return tokens

    def estimate(self, request: Request, input_tokens: int) -> int:
        """Input and expected output: the mean of settled answers, within ``max_tokens``."""
        longest = _longest(request)
        if not self._settled:
            expected = FIRST_GUESS if longest is None else longest
        else:
            expected = math.ceil(self._mean)
            if longest is not None:
                expected = min(expected, longest)
        return min(input_tokens + expected, self._ledger.limit)

    async def take(self, amount: int) -> None:
        """Wait until ``amount`` may be spent. Cancelled, it costs nothing."""
        owed = float(amount)
        try:
            while True:
                owed, self._balance = owed - self._balance, 0.0
                if owed <= 0:
                    break
                piece = min(owed, self._bucket.burst / 2)
                await self._bucket.take(piece)
                owed -= piece
            self._add(-owed)
            owed = 0.0
            now = asyncio.get_running_loop().time
            while wait := self._ledger.wait(amount, now()):  # noqa: ASYNC110 - time is the event
                await asyncio.sleep(min(wait, REVIEW))
        except asyncio.CancelledError:
            self._add(amount - owed)
            raise

    def give_back(self, amount: int) -> None:
        """Undo a :meth:`take` that led to nothing."""
        self._add(amount)

    def book(self, amount: int) -> int:
        """The request goes out now; returns its key for :meth:`settle`."""
        return self._ledger.book(amount, asyncio.get_running_loop().time())

    def settle(self, key: int, booked: int, usage: Usage) -> int:
        """Replace ``booked`` by the real usage; returns that."""
        real = usage.input_tokens + usage.output_tokens
        self._ledger.correct(key, real - booked)
        self._add(booked - real)
        self._settled += 1
        self._mean += (usage.output_tokens - self._mean) / min(self._settled, MEMORY)
        return real

    def _add(self, tokens: float) -> None:
        self._balance = max(-self.tpm, min(self._balance + tokens, CREDIT * self.tpm))

    def __repr__(self) -> str:
        return f"<TokenBudget: {self.tpm:g} a minute, balance {self._balance:.0f}>"


def _longest(request: Request) -> int | None:
    """The longest answer in tokens; None where it is not known."""
    if request.endpoint == "embeddings":
        return 0
    longest = request.max_tokens
    return None if longest is None else max(0, longest)
