"""A worker's side of limits that another process owns: whoever wants to go out asks there."""

from __future__ import annotations

import asyncio
import pickle
from typing import Protocol

from ..model import Quota, Request, Usage
from ..ports import TurnedAway
from ..workers.limits import (
    Accepted,
    Heard,
    Limits,
    Paid,
    Pay,
    Refused,
    Settled,
    Unpaid,
    Waived,
)
from .forecast import Estimating, Forecast, longest_of
from .learned import MODELS
from .outflow import Outflow, Send
from .pacer import Trip
from .slots import Slots

ABREAST = 64
"""Requests of a lane that may be asked for at once: a busy loop looks for answers every few
milliseconds, and thousands a second have to get through."""

LATE = 0.5
"""Seconds after which a grant is no good any more: together with others it would come to the server
at once. A minute's limit has room for so much (:data:`.bucket.JITTER`) and the way there."""

NEAR = 0.5
"""The share of a server's limit that is left where it is of interest to who owns the limits."""

HELD = 0.05
"""Seconds of waiting for an answer which are not the way there and back."""


class Away(Trip, Protocol):
    """A :class:`.pacer.Trip` whose input tokens are counted, or below 0."""

    request: Request
    input: int


class LeasedPacer:
    """In the place of :class:`.pacer.Pacer`: asks the one who has it, in order of arrival.

    A grant is used at once or given back. Where a limit becomes known, or a pause, whoever is told
    by the server stops here and now, and all others as soon as they hear of it.
    """

    __slots__ = (
        "_asked", "_calm", "_forecast", "_held", "_lane", "_named", "_owes", "_paused_at", "_send",
        "_slots", "_state", "_ticket", "_unsure", "_waiting", "paused", "recent",
    )  # fmt: skip

    def __init__(self, lane: int, slots: Slots, send: Send) -> None:
        self._lane = lane
        self._slots = slots
        self._send = send
        self._asked: float | None = None
        self._forecast: Forecast | None = None
        self._state = Limits(lane, open=False)
        self._calm = True
        self._held = False
        self._named: dict[str, tuple[float | None, float | None]] = {}
        self._ticket = 0
        self._waiting: dict[int, tuple[asyncio.Future[Paid], float]] = {}
        self._paused_at = 0.0
        self._unsure = False  # a refusal was told, and not yet what follows from it
        self._owes = False  # nothing was answered since the pause
        self.paused = False  # at any time
        self.recent = Outflow(lane, send)
        slots.abreast = ABREAST
        slots.set_open(False)  # until it is said how things stand

    def limit(self, tpm: float | None, forecast: Forecast | None) -> None:
        """The user's own limit of tokens; what else there is will be said."""
        self._asked = tpm
        self._forecast = forecast

    def input_of(self, request: Request) -> int:
        """As :meth:`.pacer.Pacer.input_of`."""
        if self._asked is None:
            return -1
        assert self._forecast is not None  # noqa: S101 - comes with the limit
        return self._forecast.checked(request, self._asked)

    def go_now(self, trip: Trip) -> bool:  # noqa: ARG002
        """Never: another process has to be asked."""
        return False

    async def go(self, trip: Away) -> None:
        """Return when the request may go out; cancelled, it costs nothing.

        Raises :class:`..ports.TurnedAway` where it is not wanted any more, and what the budget does
        where it fails.
        """
        if trip.input < 0 and self._forecast is not None:
            trip.input = self._forecast.count(trip.request)
        now = asyncio.get_running_loop().time
        while True:
            paid = await self._ask(trip, now())
            good = paid.pauses == self._state.pauses and not self._unsure
            if good and now() - paid.at < LATE:
                break
            self._send(Waived(self._lane, paid.ticket, paid.key, paid.booked))
        self._calm = paid.calm
        self._held = self._held or paid.waited
        trip.key, trip.reserved, trip.mark = paid.key, paid.booked, paid.mark
        self.recent.granted = paid.number  # nothing comes between this and its going out

    async def _ask(self, trip: Away, now: float) -> Paid:
        self._ticket = ticket = self._ticket + 1
        answer: asyncio.Future[Paid] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = answer, now
        self._send(Pay(self._lane, ticket, max(0, trip.input), longest_of(trip.request)))
        try:
            return await answer
        except asyncio.CancelledError:
            if self._waiting.pop(ticket, None) is not None:
                self._send(Waived(self._lane, ticket, 0, 0))
            elif answer.done() and not answer.cancelled() and not answer.exception():
                paid = answer.result()  # which came in the same moment
                self._send(Waived(self._lane, ticket, paid.key, paid.booked))
            raise

    def turn_away(self) -> None:
        """Nobody who waits is wanted any more."""
        waiting, self._waiting = self._waiting, {}
        for ticket, (answer, _) in waiting.items():
            self._send(Waived(self._lane, ticket, 0, 0))
            if not answer.done():
                answer.set_exception(TurnedAway())

    def refused(self, trip: Trip, retry_after: float | None, now: float) -> float | None:
        """See :class:`..ports.Permit`; how long the pause is, only its owner knows."""
        if trip.sent < self._paused_at:
            return None
        self._pause(now)
        self._unsure = True
        self._slots.set_open(False)
        self._send(Refused(self._lane, trip.number, trip.sent, retry_after))
        return retry_after or 0.0

    def answered(self, trip: Trip, now: float) -> None:  # noqa: ARG002 - as the other pacer's
        """A request was answered as it should be."""
        if self._owes and trip.number and trip.sent >= self._paused_at:
            self._owes = False
            self._send(Accepted(self._lane, trip.number))

    def hear(self, trip: Trip, model: str, quota: Quota, now: float) -> None:  # noqa: ARG002
        """See :class:`..ports.Permit`; what is news, or scarce, is passed on."""
        if quota.rpm is None and quota.tpm is None:
            return
        if self._is_news(model, quota) or not self._calm or _scarce(quota):
            self._send(Heard(self._lane, trip.number, trip.sent, trip.mark, model, quota))

    def used(self, trip: Trip, usage: Usage, now: float) -> None:  # noqa: ARG002
        """What a request cost; replaces what was booked for it."""
        real = usage.input_tokens + usage.output_tokens
        if self._state.settles:
            tokens = usage.input_tokens, usage.output_tokens
            self._send(Settled(self._lane, trip.key, trip.reserved, *tokens))
        else:
            self.recent.used(real)
        trip.reserved = real

    def held(self, now: float) -> bool:
        """Whether anybody had to wait since the last call of this."""
        held, self._held = self._held, False
        first = next(iter(self._waiting.values()), None)
        return held or (first is not None and now - first[1] > HELD)

    def take(self, message: Limits | Paid | Unpaid) -> None:
        """What the owner of the limits says."""
        if isinstance(message, Limits):
            self._stand(message)
            return
        answer, _ = self._waiting.pop(message.ticket, (None, 0.0))
        if answer is None or answer.done():
            if isinstance(message, Paid):  # nobody waits for it any more
                self._send(Waived(self._lane, message.ticket, message.key, message.booked))
        elif isinstance(message, Paid):
            answer.set_result(message)
        else:
            answer.set_exception(pickle.loads(message.error))  # noqa: S301 - our own process

    def _stand(self, state: Limits) -> None:
        """How things are from now on."""
        before, self._state = self._state, state
        self._unsure = False
        if state.pauses != before.pauses:
            self._pause(asyncio.get_running_loop().time())
        if state.tpm is not None and self._forecast is None:
            self._forecast = Forecast(Estimating())
        self._slots.set_open(state.open)
        if state.round != before.round:
            self.recent.round = state.round
            self.recent.report()

    def _pause(self, now: float) -> None:
        self._paused_at = now
        self._owes = self.paused = True

    def _is_news(self, model: str, quota: Quota) -> bool:
        named = self._named
        if model not in named and len(named) >= MODELS:
            model = ""
        said = (quota.rpm, quota.tpm)
        if named.get(model) == said:
            return False
        named[model] = said
        return True

    def __repr__(self) -> str:
        return f"<LeasedPacer: {self._state!r}, {len(self._waiting)} waiting>"


class Leasing:
    """The limits of all lanes of a worker."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pacers: dict[int, LeasedPacer] = {}

    def pacer(self, lane: int, slots: Slots) -> LeasedPacer:
        """That of ``lane``, which is opened."""
        pacer = self._pacers[lane] = LeasedPacer(lane, slots, self._send)
        return pacer

    def take(self, message: Limits | Paid | Unpaid) -> None:
        """What the owner of the limits says."""
        self._pacers[message.lane].take(message)

    def __repr__(self) -> str:
        return f"<Leasing {self._pacers!r}>"


def _scarce(quota: Quota) -> bool:
    requests = (quota.rpm, quota.requests_left)
    tokens = (quota.tpm, quota.tokens_left)
    return any(
        limit and left is not None and left < NEAR * limit for limit, left in (requests, tokens)
    )
