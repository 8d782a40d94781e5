"""What the head of the line still waits for: pauses, what the server has left, the budget."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from ..events import LimitLearned, LimitWaited, RoutePaused
from ..model import Quota, Request, Usage
from ..ports import Observer
from ..pulse import LimitUse
from .bucket import MINUTE
from .forecast import Estimating, Forecast
from .learned import Learned
from .own import UNBOOKED, Budget
from .pause import Pause
from .recent import Recent
from .spread import SCARCE, UNUSED, Spread

NOTICEABLE = 0.001
"""A shorter wait, in seconds, is not worth an event."""


class Left(NamedTuple):
    """What a server says of one of its limits; ``reset`` in seconds."""

    limit: float
    left: int
    reset: float | None


class Trip(Protocol):
    """One request on its way through the gate.

    ``number`` is its place in the order of going out, ``sent`` the time (seconds), ``mark`` the sum
    of all tokens booked until then. ``reserved`` are the tokens booked for it, under ``key``.
    """

    number: int
    sent: float
    mark: int
    reserved: int
    key: int

    def cost(self, forecast: Forecast) -> int:
        """The tokens that it will probably take."""
        ...


class Door(Protocol):
    """Told whether there is nothing to wait for; else each one comes to :meth:`Pacer.go`."""

    def set_open(self, value: bool) -> None: ...


class Pacer:
    """The limits of one route, and everything that holds a request which has its slot.

    ``rpm`` and ``tpm`` are the limits in force, a minute: the user's, else what the server named.
    ``recent`` are the requests that went out, ``booked`` the tokens of all of them. ``calm``: there
    is no pause, and nothing to be spread.
    """

    __slots__ = (
        "_asked", "_bell", "_budget", "_door", "_forecast", "_held", "_learned", "_observe",
        "_pause", "_route", "_since", "_spreads", "_turn", "booked", "calm", "paused", "recent",
        "rpm", "tpm",
    )  # fmt: skip

    def __init__(
        self, route: str, door: Door, recent: Recent, budget: Budget, observe: Observer
    ) -> None:
        self._route = route
        self._door = door
        self._budget = budget
        self._observe = observe
        self.recent = recent
        self.rpm: float | None = None
        self.tpm: float | None = None
        self._asked: tuple[float | None, float | None] = (None, None)
        self._forecast: Forecast | None = None
        self._learned = Learned()
        self._pause = Pause()
        self.paused = False  # at any time
        self._spreads = (Spread(), Spread())  # of requests, of tokens
        self.booked = 0
        self._turn = asyncio.Lock()  # wakes in order of arrival, and lets nobody overtake
        self._bell: asyncio.Future[None] | None = None
        self.calm = True
        self._since: float | None = None
        self._held = False
        self._door.set_open(budget.free)

    def limit(self, rpm: float | None, tpm: float | None, forecast: Forecast | None) -> None:
        """The user's limits; None leaves it to the server to name one."""
        self._asked = self.rpm, self.tpm = rpm, tpm
        self._forecast = forecast
        self._budget.limit(rpm, tpm, 0.0)
        self._door.set_open(self._budget.free)

    def input_of(self, request: Request) -> int:
        """Input tokens, where the user gave a limit: then one that is too large fails at once."""
        tpm = self._asked[1]
        if tpm is None:
            return -1
        assert self._forecast is not None  # noqa: S101 - comes with the limit
        return self._forecast.checked(request, tpm)

    async def go(self, trip: Trip) -> None:
        """Return when the request may go out. In order of arrival; cancelled, it costs nothing."""
        async with self._turn:
            now = asyncio.get_running_loop().time
            self._since = begun = now()
            try:
                while True:
                    while not self.calm and (wait := self._quiet(now())) > 0:
                        await self._nap(wait)
                    await self._pay(trip)
                    if self.calm or not self._pause.left(now()):
                        break
                    # Paused while it waited to pay: then it goes out later than it was counted.
                    self._budget.settle(trip.key, trip.reserved, 0, now())
                    trip.key, trip.reserved = UNBOOKED, 0
            finally:
                self._since = None
                gone = now()
                if gone - begun > NOTICEABLE:
                    self._held = True
                    self._observe(LimitWaited(self._route, gone - begun))
            trip.mark = self.booked = self.booked + trip.reserved
            if not self.calm:
                self._gone(trip, gone)

    def go_now(self, trip: Trip) -> bool:
        """As :meth:`go` where there is nothing to wait for; whether there was not.

        Only for who has nobody before him.
        """
        if not self.calm:
            return False
        forecast = self._forecast
        paid = self._budget.pay_now(0 if forecast is None else trip.cost(forecast))
        if paid is None:
            return False
        trip.key, trip.reserved = paid
        trip.mark = self.booked = self.booked + trip.reserved
        return True

    def turn_away(self) -> None:
        """The one who is on his way sees for himself when he gets there."""

    def refused(self, trip: Trip, retry_after: float | None, now: float) -> float | None:
        """See :class:`..ports.Permit`."""
        seconds = self._pause.refused(trip.number, self.recent.sent, retry_after, now)
        if seconds is not None:
            self.paused = True
            self.calm = False
            self._door.set_open(False)
            self._ring()  # who waits behind a probe waits for something else now
            self._observe(RoutePaused(self._route, seconds))
        return seconds

    def answered(self, trip: Trip, now: float) -> None:
        """A request was answered as it should be."""
        if self._pause.answered(trip.number):
            self._ring()
            self._review(now)

    def hear(self, trip: Trip, model: str, quota: Quota, now: float) -> None:
        """See :class:`..ports.Permit`."""
        if self._learned.hear(model, quota):
            self._learn(now)
        if quota.rpm is not None and quota.requests_left is not None:
            left = Left(quota.rpm, quota.requests_left, quota.requests_reset)
            self._weigh(0, left, self.rpm, self.recent.sent - trip.number, trip, now)
        if quota.tpm is not None and quota.tokens_left is not None:
            left = Left(quota.tpm, quota.tokens_left, quota.tokens_reset)
            self._weigh(1, left, self.tpm, self.booked - trip.mark, trip, now)

    def used(self, trip: Trip, usage: Usage, now: float) -> None:
        """What a request cost; replaces what was booked for it."""
        real = usage.input_tokens + usage.output_tokens
        self._budget.settle(trip.key, trip.reserved, real, now)
        trip.reserved = real
        if self._forecast is not None:
            self._forecast.learn(usage)

    def use(self, now: float) -> LimitUse:
        """The limits in force, and what of them the last minute took."""
        lately = self._budget.before(self.recent.sent, now, now)
        return LimitUse.of(self._route, (self.rpm, self.tpm), lately)

    def held(self, now: float) -> bool:
        """Whether anybody had to wait since the last call of this."""
        held, self._held = self._held, False
        return held or (self._since is not None and now - self._since > NOTICEABLE)

    def _learn(self, now: float) -> None:
        """Put in force what the server named, where the user named nothing."""
        rpm = self._asked[0] or self._learned.rpm
        tpm = self._asked[1] or self._learned.tpm
        if (rpm, tpm) == (self.rpm, self.tpm):
            return
        self.rpm, self.tpm = rpm, tpm
        if tpm is not None and self._forecast is None:
            self._forecast = Forecast(Estimating())
        self._budget.limit(rpm, tpm, now)
        self._door.set_open(False)
        self._observe(LimitLearned(self._route, rpm, tpm))

    def _weigh(
        self, kind: int, said: Left, ours: float | None, after: int, trip: Trip, now: float
    ) -> None:
        """Spread what is left of requests (0) or tokens (1), where it is little.

        ``after`` is what went out since: the server had not seen it yet.
        """
        spread = self._spreads[kind]
        left = said.left - after
        if left < SCARCE * said.limit:
            own = self._budget.before(trip.number, trip.sent, now)[kind]
            alone = ours is not None and ours <= said.limit
            if not alone or said.limit - said.left > own + UNUSED * said.limit:
                self.calm = False
                spread.over(left, MINUTE if said.reset is None else said.reset, now)
                self._ring()
                return
        if not spread.free:
            spread.clear()
            self._ring()

    async def _pay(self, trip: Trip) -> None:
        forecast = self._forecast
        cost = 0 if forecast is None else trip.cost(forecast)
        trip.key, trip.reserved = await self._budget.pay(cost)

    def _gone(self, trip: Trip, now: float) -> None:
        requests, tokens = self._spreads
        requests.spent(1, now)
        tokens.spent(trip.reserved, now)
        self._pause.gone(self.recent.sent + 1, now)
        self._review(now)

    def _quiet(self, now: float) -> float:
        """Seconds for which nobody goes out, whatever the budget says."""
        requests, tokens = self._spreads
        return max(self._pause.left(now), requests.wait(now), tokens.wait(now))

    def _review(self, now: float) -> None:
        """See whether there is nothing to wait for any more but the budget, or nothing at all."""
        self.calm = not self._pause.left(now) and all(spread.free for spread in self._spreads)
        if self.calm and self._budget.free:
            self._door.set_open(True)

    async def _nap(self, seconds: float) -> None:
        """Sleep, or until what we wait for has changed."""
        loop = asyncio.get_running_loop()
        self._bell = bell = loop.create_future()
        timer = loop.call_later(seconds, self._ring)
        try:
            await bell
        finally:
            timer.cancel()
            self._bell = None

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    def __repr__(self) -> str:
        return f"<Pacer: rpm {self.rpm}, tpm {self.tpm}, {self._pause!r}>"
