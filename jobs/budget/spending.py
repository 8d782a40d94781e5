"""A budget that holds: what an attempt may use up at worst is set aside before it is sent."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable
from contextlib import nullcontext

from msgspec import Struct

from ..drain import Drain, Stop
from ..errors import NeverBounded, Unbounded, Unpriced
from ..lane import Lane
from ..model import Request, Usage
from ..ports import Seat
from ..prices.book import PriceBook
from ..prices.price import Price
from ..tokens import TokenCounter
from .booking import Booking
from .excess import Excess
from .figures import Budget
from .ledger import NOTHING, UNIT, Amount, Caps, Ledger, dollars, in_units
from .worstcase import WorstCase, worst_case

HOPELESS = 10
"""Rows of a route that may turn out to have no worst case before any that has one."""


class Spending:
    """Sets aside the worst case of each attempt, first come, first served; one for a job.

    Who does not fit beside what is set aside waits until others have settled, and all that came
    later wait behind him. When he can't fit any more, the job is asked to end: what is under way
    then is finished. So a cap is used up to the worst case of one attempt.

    Where a later run may have to know what this one used up although it was killed, nothing is sent
    beyond what is written down as perhaps used up: see :meth:`write_down`.
    """

    __slots__ = (
        "_caps",
        "_counter",
        "_drain",
        "_earlier",
        "_excess",
        "_lasting",
        "_ledger",
        "_line",
        "_open",
        "_prices",
        "_unbounded",
        "_wake",
        "_written",
    )

    def __init__(
        self,
        caps: Caps,
        prices: PriceBook,
        drain: Drain,
        earlier: Amount = NOTHING,
        *,
        lasting: bool = True,
    ) -> None:
        """``lasting`` says that a later run can go on with what this one leaves."""
        self._caps = caps
        self._prices = prices
        self._earlier = earlier
        self._ledger = Ledger(caps, earlier)
        self._drain = drain
        self._lasting = lasting
        self._counter = TokenCounter()
        self._line: deque[_Waiting] = deque()
        self._open: set[Booking] = set()
        self._excess: dict[str, Excess] = {}
        self._unbounded: Counter[str] = Counter()
        self._wake: Callable[[], None] | None = None
        self._written = NOTHING

    def write_down(self, wake: Callable[[], None]) -> None:
        """From now on send nothing beyond what is written; ``wake`` asks to write :attr:`lease`."""
        self._wake = wake

    @property
    def lease(self) -> Amount:
        """What is to be written down as perhaps used up."""
        return self._ledger.lease(self._line[0].worst if self._line else NOTHING)

    def written(self, lease: Amount) -> None:
        """So much is written down."""
        self._written = lease
        self._look()

    async def book(self, lane: Lane, request: Request, seat: Seat) -> Booking:
        """Wait until the attempt is paid for; the caller opens what is returned, and settles it.

        Raises :class:`..errors.Unpriced` and :class:`..errors.Unbounded` at once, where nobody can
        say what it may use up, and :class:`..errors.NeverBounded` where that is so of the route's
        first rows all; what ``seat`` raises, where the job is ending.
        """
        price = None if self._caps.cost is None else self._price(lane, request)
        case = self._case(lane, request)
        excess = self._excess.setdefault(lane.label, Excess())
        worst = excess.beside(case, price)
        if self._line or not (self._ledger.fits(worst) and self._is_written(worst)):
            await self._wait(worst, seat)
        else:
            self._ledger.set_aside(worst)
        booking = Booking(self, lane, request, case, worst)
        self._open.add(booking)
        return booking

    def _case(self, lane: Lane, request: Request) -> WorstCase:
        try:
            return worst_case(request, lane.provider.name, self._counter)
        except Unbounded as error:
            self._unbounded[lane.label] += 1
            if lane.label in self._excess or self._unbounded[lane.label] < HOPELESS:
                raise
            raise NeverBounded(str(error), provider=lane.provider.name) from None

    def _price(self, lane: Lane, request: Request) -> Price | None:
        """None where nobody asks for money."""
        price, name = lane.price_of(request.model), lane.provider.name
        if price is None and self._prices.billed(name):
            raise Unpriced(unpriced(self._prices, name, request.model), provider=name)
        return price

    async def _wait(self, worst: Amount, seat: Seat) -> None:
        waiting = _Waiting(asyncio.get_running_loop().create_future(), worst)
        # Until it is written down takes a moment: too short to let others in for it.
        with nullcontext() if self._ledger.fits(worst) else seat:
            self._line.append(waiting)
            try:
                self._look()
                await waiting.turn
            except BaseException:
                if waiting in self._line:
                    self._line.remove(waiting)
                elif not waiting.turn.cancelled():  # it was woken in the same moment
                    self._ledger.give_back(worst)
                self._look()
                raise

    def _look(self) -> None:
        """Let in from the line who fits; end the job where its head can't fit any more."""
        line, ledger = self._line, self._ledger
        while line and self._drain.stop is None:
            worst = line[0].worst
            if line[0].turn.done():  # cancelled, and about to say so
                line.popleft()
            elif ledger.fits(worst):
                if not self._is_written(worst):
                    return
                ledger.set_aside(worst)
                line.popleft().turn.set_result(None)
            elif ledger.could_fit(worst):
                return
            else:
                self._drain.request(Stop("budget", self._reached(worst)))

    def _is_written(self, worst: Amount) -> bool:
        """Whether a run that is killed would leave word of this attempt; asks for it if not."""
        if self._wake is None:
            return True
        used, written = self._ledger.at_worst(), self._written
        if (
            used.money + worst.money <= written.money
            and used.tokens + worst.tokens <= written.tokens
        ):
            return True
        self._wake()
        return False

    def _reached(self, worst: Amount) -> str:
        caps, ledger = self._caps, self._ledger
        money_left = caps.cost is None or (
            worst.money + ledger.known.money + ledger.uncertain.money <= in_units(caps.cost)
        )
        if caps.cost is not None and not money_left:
            cap, may = dollars(caps.cost), f"cost up to {dollars(worst.money / UNIT, up=True)}"
            flag, all_of_it = "--max-cost", worst.money > in_units(caps.cost)
        else:
            cap, may = f"{caps.tokens:,} tokens", f"use up to {worst.tokens:,}"
            flag, all_of_it = "--max-tokens-total", worst.tokens > (caps.tokens or 0)
        end = "is too small" if all_of_it else "is reached"
        again = " and run the same command again" if self._lasting else ""
        return f"the budget of {cap} {end}: the next row may {may}; raise {flag}{again}"

    def settled(self, booking: Booking, usage: Usage, cost: float | None) -> None:
        """An attempt told what it used up."""
        self._open.discard(booking)
        lane, request, worst = booking.lane, booking.request, booking.worst
        excess = self._excess[lane.label]
        excess.learn(booking.case, usage)
        if cost is None or not math.isfinite(cost):
            money = worst.money
        else:
            money = in_units(max(0.0, cost))
            price = lane.price_of(request.model)
            ought = 0.0 if price is None else price.worst(usage.input_tokens, usage.output_tokens)
            if cost > ought > 0:
                excess.markup = max(excess.markup, cost / ought)
        tokens = max(0, usage.input_tokens + usage.output_tokens)
        self._ledger.settle(worst, Amount(money, tokens))
        self._look()

    def doubted(self, booking: Booking) -> None:
        """An attempt was sent and ended without telling what it used up."""
        self._open.discard(booking)
        self._ledger.doubt(booking.worst)
        self._look()

    def returned(self, booking: Booking) -> None:
        """An attempt was never sent, or refused before it was answered."""
        self._open.discard(booking)
        self._ledger.give_back(booking.worst)
        self._look()

    def cut(self) -> None:
        """Nobody will hear how the attempts end that are under way."""
        for booking in tuple(self._open):
            if booking.sent:
                self.doubted(booking)

    @property
    def aside(self) -> Amount:
        """What is set aside for attempts under way."""
        return self._ledger.aside

    def figures(self) -> Budget:
        """As of now; what is under way counts for nothing yet."""
        ledger, caps = self._ledger, self._caps
        return Budget(
            max_cost=caps.cost,
            max_tokens=caps.tokens,
            spent_usd=ledger.known.money / UNIT,
            spent_tokens=ledger.known.tokens,
            earlier_usd=self._earlier.money / UNIT,
            earlier_tokens=self._earlier.tokens,
            uncertain=ledger.uncertain_count,
            uncertain_usd=ledger.uncertain.money / UNIT,
            uncertain_tokens=ledger.uncertain.tokens,
        )

    def __repr__(self) -> str:
        return f"<Spending {self._ledger!r}, {len(self._line)} wait>"


class _Waiting(Struct, eq=False):
    turn: asyncio.Future[None]
    worst: Amount


def unpriced(prices: PriceBook, provider: str, model: str) -> str:
    """Why a budget can't hold for this model, in words for a user."""
    return f"--max-cost can't hold: {prices.unknown(provider, model)}"
