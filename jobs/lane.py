"""One route at work: who answers, how much may be asked of him, and whether he answers at all."""

from __future__ import annotations

from .breaker import Breaker
from .errors import ProviderError
from .fitting import Fit
from .model import Usage
from .ports import Gate, Provider
from .prices.book import PriceBook
from .prices.price import Price


class Lane:
    """``label`` is the route as a person calls it, ``model`` the name that its server knows.

    ``dead`` is the error that took it out of the job for good. ``whole`` says that answers are
    asked for in one piece: as configured, or because streams were found not to work.
    ``streamed_at`` is when a stream was last whole, on the clock; None before the first.
    ``prices`` are those of the job.
    """

    __slots__ = (
        "breaker",
        "dead",
        "fit",
        "gate",
        "label",
        "model",
        "prices",
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
        self.prices = prices

    def price_of(self, model: str) -> Price | None:
        """The price of a model that a row asks of this route; None where nobody knows it."""
        return None if self.prices is None else self.prices.of(self.provider.name, model)

    def cost_of(self, model: str, usage: Usage | None, told: float | None) -> float | None:
        """USD of an attempt: by the user's own price, the provider's own figure, or what is known.

        None where nobody can say.
        """
        price = self.price_of(model)
        if price is None or usage is None or (told is not None and not price.own):
            return told
        return price.cost(usage)

    def __repr__(self) -> str:
        return f"<Lane {self.label}: {self.breaker!r}, {self.gate!r}>"
