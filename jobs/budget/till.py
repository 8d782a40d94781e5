"""What there is one of in a job under a budget: what is used up, and the line of those who wait."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import nullcontext

from ..drain import Drain, Stop
from ..ports import Seat
from .excess import Excess
from .figures import Budget
from .ledger import NOTHING, UNIT, Amount, Caps, Ledger, dollars, in_units

HOPELESS = 10
"""Rows of a route that may turn out to have no worst case before any that has one."""


class Hold:
    """An amount that is set aside, or waits for that: ``turn`` then is done when it is its turn.

    Each of the three ends counts once; later ones are for nothing.
    """

    __slots__ = ("_till", "sent", "turn", "worst")

    def __init__(self, till: Till, worst: Amount) -> None:
        self._till = till
        self.worst = worst
        self.turn: asyncio.Future[None] | None = None
        self.sent = False

    def settle(self, real: Amount) -> None:
        """It turned out to be this much, which may be more."""
        self._till.settle(self, real)

    def doubt(self) -> None:
        """Nobody will tell how much it was: it counts at its worst."""
        self._till.doubt(self)

    def give_back(self) -> None:
        """Nothing of it was used up; or nobody waits for it any more."""
        self._till.give_back(self)

    def cut(self) -> None:
        """Nobody will hear how it ends."""
        if self.sent:
            self.doubt()
        else:
            self.give_back()

    def __repr__(self) -> str:
        return f"<Hold of {self.worst}, sent={self.sent}>"


class Till:
    """Sets aside the worst case of each attempt, first come, first served; one for a job.

    Who does not fit beside what is set aside waits until others have settled, and all that came
    later wait behind him. When he can't fit any more, the job is asked to end: what is under way
    then is finished. So a cap is used up to the worst case of one attempt.

    Where a later run may have to know what this one used up although it was killed, nothing is sent
    beyond what is written down as perhaps used up: see :meth:`write_down`.
    """

    __slots__ = (
        "_bounded",
        "_caps",
        "_drain",
        "_earlier",
        "_lasting",
        "_ledger",
        "_line",
        "_open",
        "_unbounded",
        "_wake",
        "_written",
    )

    def __init__(
        self, caps: Caps, drain: Drain, earlier: Amount = NOTHING, *, lasting: bool = True
    ) -> None:
        """``lasting`` says that a later run can go on with what this one leaves."""
        self._caps = caps
        self._drain = drain
        self._earlier = earlier
        self._lasting = lasting
        self._ledger = Ledger(caps, earlier)
        self._line: deque[Hold] = deque()
        self._open: set[Hold] = set()
        self._bounded: set[str] = set()
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
        self.look()

    def ask(self, worst: Amount) -> Hold:
        """Set it aside, or put it in line; who has to wait calls :meth:`look` next."""
        hold = Hold(self, worst)
        if self._line or not (self._ledger.fits(worst) and self._is_written(worst)):
            hold.turn = asyncio.get_running_loop().create_future()
            self._line.append(hold)
        else:
            self._give(hold)
        return hold

    async def set_aside(self, worst: Amount, seat: Seat) -> Hold:
        """Wait until there is so much; the row's place goes to another one meanwhile."""
        hold = self.ask(worst)
        if hold.turn is None:
            return hold
        seat.sending = False
        try:
            # Until it is written down takes a moment: too short to let others in for it.
            with nullcontext() if self._ledger.fits(worst) else seat:
                self.look()
                await hold.turn
        except BaseException:
            hold.give_back()
            raise
        return hold

    def learned(self, lane: str, excess: Excess) -> None:  # noqa: ARG002 - that is the asker's
        """A row of the lane has a worst case."""
        self._bounded.add(lane)

    async def hopeless(self, lane: str) -> bool:
        """A row of the lane has none: see :meth:`is_hopeless`."""
        return self.is_hopeless(lane)

    def is_hopeless(self, lane: str) -> bool:
        """Count a row that has no worst case; whether so many before any other were like that."""
        self._unbounded[lane] += 1
        return lane not in self._bounded and self._unbounded[lane] >= HOPELESS

    def look(self) -> None:
        """Let in from the line who fits; end the job where its head can't fit any more."""
        line, ledger = self._line, self._ledger
        while line and self._drain.stop is None:
            hold = line[0]
            if hold.turn is None or hold.turn.done():  # cancelled, and about to say so
                line.popleft()
            elif ledger.fits(hold.worst):
                if not self._is_written(hold.worst):
                    return
                self._give(line.popleft())
            elif ledger.could_fit(hold.worst):
                return
            else:
                self._drain.request(Stop("budget", self._reached(hold.worst)))

    def _give(self, hold: Hold) -> None:
        self._ledger.set_aside(hold.worst)
        self._open.add(hold)
        if hold.turn is not None:
            hold.turn.set_result(None)

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

    def settle(self, hold: Hold, real: Amount) -> None:
        """What was set aside turned out to be this much, which may be more."""
        if self._is_open(hold):
            self._ledger.settle(hold.worst, real)
            self.look()

    def doubt(self, hold: Hold) -> None:
        """Nobody will tell what it was: it counts at its worst."""
        if self._is_open(hold):
            self._ledger.doubt(hold.worst)
            self.look()

    def give_back(self, hold: Hold) -> None:
        """Nothing of it was used up, or it is not waited for any more."""
        if self._is_open(hold):
            self._ledger.give_back(hold.worst)
        elif hold in self._line:
            self._line.remove(hold)
        self.look()

    def _is_open(self, hold: Hold) -> bool:
        """Whether it was set aside until now."""
        if hold not in self._open:
            return False
        self._open.remove(hold)
        return True

    def cut(self) -> None:
        """Nobody will hear how the attempts end that are under way."""
        for hold in tuple(self._open):
            if hold.sent:
                hold.doubt()

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
        return f"<Till {self._ledger!r}, {len(self._line)} wait>"
