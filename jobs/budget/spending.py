"""A budget that holds: what an attempt may use up at worst is set aside before it is sent."""

from __future__ import annotations

import math

from ..errors import NeverBounded, Unbounded, Unpriced
from ..lane import Lane
from ..model import Request, Usage
from ..ports import Seat
from ..prices.book import PriceBook
from ..prices.price import Price
from ..tokens import TokenCounter
from .booking import Booking
from .excess import Excess
from .funds import Funds
from .ledger import Amount, Caps, in_units
from .worstcase import WorstCase, worst_case


class Spending:
    """Knows what an attempt may use up at worst, and has that set aside by the ``funds``.

    One for each process that asks rows; what there is one of in a job is behind the funds.
    """

    __slots__ = ("_caps", "_counter", "_excess", "_funds", "_prices")

    def __init__(self, caps: Caps, prices: PriceBook, funds: Funds) -> None:
        self._caps = caps
        self._prices = prices
        self._funds = funds
        self._counter = TokenCounter()
        self._excess: dict[str, Excess] = {}

    async def book(self, lane: Lane, request: Request, seat: Seat) -> Booking:
        """Wait until the attempt is paid for; the caller opens what is returned, and settles it.

        Raises :class:`..errors.Unpriced` and :class:`..errors.Unbounded` at once, where nobody can
        say what it may use up, and :class:`..errors.NeverBounded` where that is so of the route's
        first rows all; what ``seat`` raises, where the job is ending.
        """
        price = None if self._caps.cost is None else self._price(lane, request)
        case = await self._case(lane, request)
        excess = self._excess.get(lane.label)
        if excess is None:
            self._learn(lane.label, excess := Excess())
        worst = excess.beside(case, price)
        held = await self._funds.set_aside(worst, seat)
        return Booking(self, lane, request, case, worst, held)

    async def _case(self, lane: Lane, request: Request) -> WorstCase:
        try:
            return worst_case(request, lane.provider.name, self._counter)
        except Unbounded as error:
            if lane.label in self._excess or not await self._funds.hopeless(lane.label):
                raise
            raise NeverBounded(str(error), provider=lane.provider.name) from None

    def _price(self, lane: Lane, request: Request) -> Price | None:
        """None where nobody asks for money."""
        price, name = lane.price_of(request.model), lane.provider.name
        if price is None and self._prices.billed(name):
            raise Unpriced(unpriced(self._prices, name, request.model), provider=name)
        return price

    def settled(self, booking: Booking, usage: Usage, cost: float | None) -> None:
        """An attempt told what it used up."""
        lane, money, markup = booking.lane, booking.worst.money, 1.0
        if cost is not None and math.isfinite(cost):
            money = in_units(max(0.0, cost))
            price = lane.price_of(booking.request.model)
            ought = 0.0 if price is None else price.worst(usage.input_tokens, usage.output_tokens)
            markup = cost / ought if cost > ought > 0 else 1.0
        known = self._excess[lane.label]
        more = known.beyond(booking.case, usage, markup)
        if more is not known:
            self._learn(lane.label, more)
        tokens = max(0, usage.input_tokens + usage.output_tokens)
        booking.held.settle(Amount(money, tokens))

    def _learn(self, lane: str, excess: Excess) -> None:
        self._excess[lane] = excess
        self._funds.learned(lane, excess)

    def widen(self, lane: str, excess: Excess) -> None:
        """Others have learned so much of a lane."""
        self._excess[lane] = self._excess.get(lane, excess).widest(excess)

    def __repr__(self) -> str:
        return f"<Spending from {self._funds!r}>"


def unpriced(prices: PriceBook, provider: str, model: str) -> str:
    """Why a budget can't hold for this model, in words for a user."""
    return f"--max-cost can't hold: {prices.unknown(provider, model)}"
