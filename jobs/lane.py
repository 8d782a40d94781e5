"""One route at work: who answers, how much may be asked of him, and whether he answers at all."""

from __future__ import annotations

from .breaker import Breaker
from .errors import ProviderError
from .fitting import Fit
from .ports import Gate, Provider
from .prices.book import PriceBook
from .prices.price import Price


class Lane:
    """``label`` is the route as a person calls it, ``model`` the name that its server knows.

    ``dead`` is the error that took it out of the job for good. ``whole`` says that answers are
    asked for in one piece: as configured, or because streams were found not to work.
    ``streamed_at`` is when a stream was last whole, on the clock; None before the first.
    ``price`` is that of ``model``; None where nobody knows it.
    """

    __slots__ = (
        "_prices",
        "breaker",
        "dead",
        "fit",
        "gate",
        "label",
        "model",
        "price",
        "provider",
        "streamed_at",
        "whole",
    )

    def __init__(
        self,
        provider: Provider,
        gate: Gate,
        breaker: Breaker,
        fit: Fit,
        *,
        model: str,
        whole: bool = False,
        prices: PriceBook | None = None,
    ) -> None:
        self.provider = provider
        self.gate = gate
        self.breaker = breaker
        self.fit = fit
        self.model = model
        self.label = f"{provider.name}/{model}"
        self.whole = whole
        self.streamed_at: float | None = None
        self.dead: ProviderError | None = None
        self._prices = prices
        self.price = None if prices is None else prices.of(provider.name, model)

    def price_of(self, model: str) -> Price | None:
        """The price of a model that a row asks of this route."""
        if model == self.model or self._prices is None:
            return self.price
        return self._prices.of(self.provider.name, model)

    def __repr__(self) -> str:
        return f"<Lane {self.label}: {self.breaker!r}, {self.gate!r}>"
