"""What a job has used up of its budget, and what is set aside. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from msgspec import Struct

UNIT = 10**12
"""Parts of a USD that money is counted in, as whole numbers: sums of floats drift."""


class Amount(NamedTuple):
    """``money`` in parts of a USD (:data:`UNIT`), and tokens."""

    money: int
    tokens: int


NOTHING = Amount(0, 0)
_ENDLESS = 10**30
_MOST = 1e15
"""USD; an amount above it is taken for this one."""


class Caps(Struct, frozen=True):
    """USD and tokens that may be used up; None is no cap."""

    cost: float | None = None
    tokens: int | None = None


class Ledger:
    """What is used up, and what is set aside for attempts under way. Pure.

    ``used`` counts uncertain attempts at their worst; only what fits beside both is set aside, so
    that ``used`` stays within the caps as long as no attempt uses more than its worst case.
    """

    __slots__ = ("_caps", "aside", "known", "uncertain", "uncertain_count")

    def __init__(self, caps: Caps, earlier: Amount = NOTHING) -> None:
        self._caps = Amount(
            _ENDLESS if caps.cost is None else in_units(caps.cost),
            _ENDLESS if caps.tokens is None else caps.tokens,
        )
        self.known = earlier
        self.uncertain = NOTHING
        self.uncertain_count = 0
        self.aside = NOTHING

    def fits(self, worst: Amount) -> bool:
        """Whether it can be set aside now."""
        return self._within(worst, self.aside)

    def could_fit(self, worst: Amount) -> bool:
        """Whether it could be if everything that is under way turned out to be free."""
        return self._within(worst, NOTHING)

    def _within(self, worst: Amount, aside: Amount) -> bool:
        caps, known, uncertain = self._caps, self.known, self.uncertain
        return (
            worst.money + aside.money + known.money + uncertain.money <= caps.money
            and worst.tokens + aside.tokens + known.tokens + uncertain.tokens <= caps.tokens
        )

    def at_worst(self) -> Amount:
        """What will be used up if all that is under way takes its worst case."""
        return _sum(_sum(self.known, self.uncertain), self.aside)

    def set_aside(self, worst: Amount) -> None:
        self.aside = _sum(self.aside, worst)

    def give_back(self, worst: Amount) -> None:
        self.aside = Amount(self.aside.money - worst.money, self.aside.tokens - worst.tokens)

    def settle(self, worst: Amount, real: Amount) -> None:
        """What was set aside turned out to be this much, which may be more."""
        self.give_back(worst)
        self.known = _sum(self.known, real)

    def doubt(self, worst: Amount) -> None:
        """Nobody will tell what it was: it counts at its worst."""
        self.give_back(worst)
        self.uncertain = _sum(self.uncertain, worst)
        self.uncertain_count += 1

    def lease(self, worst: Amount) -> Amount:
        """How much to write down as perhaps used up, before an attempt is sent that may take
        ``worst``: room for as much again as is under way, or a fiftieth of the caps, so that it is
        not written for each of them. Never beyond the caps without need."""
        needed = _sum(self.at_worst(), worst)
        room = _sum(self.aside, worst)
        return Amount(
            *(
                max(need, min(need + max(more, cap // 50 if cap < _ENDLESS else 0), cap))
                for need, more, cap in zip(needed, room, self._caps, strict=True)
            )
        )

    def __repr__(self) -> str:
        return f"<Ledger {self.known} known, {self.uncertain} uncertain, {self.aside} aside>"


def _sum(one: Amount, other: Amount) -> Amount:
    return Amount(one.money + other.money, one.tokens + other.tokens)


def in_units(usd: float) -> int:
    """USD as the whole number that it is counted in."""
    return round(min(usd, _MOST) * UNIT)


def dollars(usd: float, *, up: bool = False) -> str:
    """``$1.00``, ``$0.034``: all that there is of a cap; ``up`` to two digits that are enough."""
    if not up:
        text = f"{usd:.12f}".rstrip("0")
        whole, _, rest = text.partition(".")
        return f"${int(whole):,}.{rest:0<2}"
    digits = 2 if usd >= 0.1 else min(12, 1 - math.floor(math.log10(usd or 1e-12)))
    return f"${math.ceil(round(usd * 10**digits, 6)) / 10**digits:,.{digits}f}"
