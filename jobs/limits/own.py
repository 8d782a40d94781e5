"""The budget that a process has for itself: token buckets in its own memory."""

from __future__ import annotations

from typing import Protocol

from .bucket import Bucket, request_bucket
from .budget import TokenBudget
from .recent import Recent

UNBOOKED = -1
"""The key of a request for which no tokens were booked when it went out."""


class Budget(Protocol):
    """What requests pay from, one after the other; of this process alone, or of many."""

    @property
    def free(self) -> bool:
        """Whether there is nothing to pay."""
        ...

    def limit(self, rpm: float | None, tpm: float | None, now: float) -> None:
        """The limits are others from now on; what went out in the last minute counts."""
        ...

    async def pay(self, tokens: int) -> tuple[int, int]:
        """Wait until a request of so many tokens may go; returns its key, and what was booked.

        Cancelled, it costs nothing.
        """
        ...

    def pay_now(self, tokens: int) -> tuple[int, int] | None:
        """As :meth:`pay` where there is nothing to wait for; None where there is, or may be.

        Only for who has nobody before him.
        """
        ...

    def settle(self, key: int, booked: int, real: int, now: float) -> None:
        """Replace what was booked by the tokens that were used."""
        ...

    def before(self, number: int, sent: float, now: float) -> tuple[int, int]:
        """Requests and tokens of the minute until request ``number`` was ``sent``.

        About, where it is not known; then those of the last minute.
        """
        ...


class OwnBudget:
    """Requests are noted in ``recent`` by whoever sends them; tokens are noted here as they are
    settled, as long as no limit is known. So a limit that becomes known finds its first minute."""

    __slots__ = ("_recent", "_requests", "_rpm", "_tokens", "_used")

    def __init__(self, recent: Recent) -> None:
        self._recent = recent
        self._used = Recent()
        self._rpm: float | None = None
        self._requests: Bucket | None = None
        self._tokens: TokenBudget | None = None

    @property
    def free(self) -> bool:
        return self._requests is None and self._tokens is None

    def limit(self, rpm: float | None, tpm: float | None, now: float) -> None:
        if rpm is not None and rpm != self._rpm:
            self._rpm = rpm
            self._requests = bucket = request_bucket(rpm)
            if level := self._recent.level(bucket.rate, now):
                bucket.owe(level, now)
        if tpm is not None:
            if self._tokens is None:
                self._tokens = TokenBudget(tpm)
                self._tokens.remember(self._used, now)
            elif tpm != self._tokens.tpm:
                self._tokens.resize(tpm)

    async def pay(self, tokens: int) -> tuple[int, int]:
        """Tokens come first, so that the request is counted in the moment in which it goes out."""
        budget, requests = self._tokens, self._requests
        if budget is None:
            if requests is not None:
                await requests.take()
            return UNBOOKED, 0
        booked = await budget.take(tokens)
        if requests is not None:
            try:
                await requests.take()
            except BaseException:
                budget.give_back(booked)
                raise
        return budget.book(booked), booked

    def pay_now(self, tokens: int) -> tuple[int, int] | None:
        budget, requests = self._tokens, self._requests
        booked = 0 if budget is None else budget.take_now(tokens)
        if booked is None:
            return None
        if requests is not None and not requests.take_now():
            if budget is not None:
                budget.give_back(booked)
            return None
        return (UNBOOKED, 0) if budget is None else (budget.book(booked), booked)

    def settle(self, key: int, booked: int, real: int, now: float) -> None:
        budget = self._tokens
        if budget is None:
            self._used.note(now, real)
        elif key == UNBOOKED:
            budget.settle(budget.book(0), 0, real)
        else:
            budget.settle(key, booked, real)

    def before(self, number: int, sent: float, now: float) -> tuple[int, int]:
        tokens = self._used.within(now) if self._tokens is None else self._tokens.within(now)
        return self._recent.before(number, sent), tokens

    def __repr__(self) -> str:
        return f"<OwnBudget: {self._requests!r}, {self._tokens!r}>"
