"""What rows cost, added up; and which of them nobody can say it of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ..model import Result
from .book import PriceBook

REPORTED = "the provider's own figure"
"""Where a cost is from that came with the answer."""

DIGITS = 10
"""Behind the point of a sum in USD: without the noise of adding floats up."""


class Bill:
    """Sums over results, in USD. ``prices`` says what there is to say beside what stands in them.

    ``cost`` is None while no row has one. ``saved`` is what input out of the provider's cache would
    have cost more as plain input. ``sources`` counts rows by where their cost is from. ``unpriced``
    counts rows whose cost is not known, by the model that has no price; ``unmetered`` those whose
    answer came without a count of its tokens. Rows of a model on one's own machine are neither.
    """

    __slots__ = ("cost", "prices", "saved", "sources", "unmetered", "unpriced")

    def __init__(self, prices: PriceBook | None = None) -> None:
        self.prices = prices
        self.cost: float | None = None
        self.saved = 0.0
        self.sources: Counter[str] = Counter()
        self.unpriced: Counter[str] = Counter()
        self.unmetered = 0

    def add(self, result: Result, routes: Sequence[str] = ()) -> None:
        """Count a result in; ``routes`` are the labels of the job's, in the order of asking."""
        if result.cost_usd is not None:
            self.cost = (self.cost or 0.0) + result.cost_usd
        if result.provider is None:
            return
        if result.cost_usd is None:
            self._unknown(result, result.provider, routes)
        else:
            self._known(result, result.provider, result.cost_usd)

    @property
    def total(self) -> float | None:
        """USD of all rows of which it is known; None where it is of none."""
        return None if self.cost is None else round(self.cost, DIGITS)

    @property
    def saved_total(self) -> float:
        """USD that cached input saved."""
        return round(self.saved, DIGITS)

    def _known(self, result: Result, provider: str, cost: float) -> None:
        usage, metrics = result.usage, result.metrics
        book = self.prices
        price = None if book is None else book.of(provider, result.model or "")
        if price is None:
            self.sources[REPORTED] += 1
            return
        if usage is None:
            self.sources[price.source] += 1
            return
        if usage.cached_tokens:
            self.saved += price.saved(usage)
        once = metrics is not None and metrics.attempts == 1
        told = not price.own and once and not math.isclose(price.cost(usage), cost, abs_tol=1e-9)
        self.sources[REPORTED if told else price.source] += 1

    def _unknown(self, result: Result, provider: str, routes: Sequence[str]) -> None:
        if result.usage is None and result.status == "error":
            return  # nothing came that anybody would ask money for
        if self._has_no_price(provider, result.model or ""):
            self.unpriced[f"{provider}/{result.model}"] += 1
            return
        asked = (label.split("/", 1) for label in routes[: result.fallbacks])
        lacking = next((place for place in asked if self._has_no_price(*place)), None)
        if lacking is not None:
            self.unpriced["/".join(lacking)] += 1
        elif self.prices is None or self.prices.billed(provider):
            self.unmetered += 1

    def _has_no_price(self, provider: str, model: str = "") -> bool:
        book = self.prices
        return book is None or (book.billed(provider) and book.of(provider, model) is None)

    def __repr__(self) -> str:
        return f"<Bill {self.cost} USD, {sum(self.unpriced.values())} rows without a price>"
