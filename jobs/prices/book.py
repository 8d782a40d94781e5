"""The price of a model: the user's own first, then what is known."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from ..config import JobConfig, PriceConfig
from .price import Price, Rates


class PriceBook:
    """Looks prices up for a job, each of them once. None is a price that nobody knows."""

    __slots__ = ("_config", "_found")

    def __init__(self, config: JobConfig) -> None:
        self._config = config
        self._found: dict[tuple[str, str], Price | None] = {}

    def of(self, provider: str, model: str) -> Price | None:
        """``provider`` is a route's name as results show it, ``model`` what its server calls it."""
        place = (provider, model)
        if place not in self._found:
            self._found[place] = self._look_up(provider, model)
        return self._found[place]

    def _look_up(self, provider: str, model: str) -> Price | None:
        config = self._config
        entry = _named(config.prices, f"{provider}/{model}")
        if entry is not None:
            rates = Rates(entry.input, entry.output, entry.cached, entry.cache_write)
            return Price(rates, source="prices")
        if config.price_in is not None and config.price_out is not None:
            return Price(Rates(config.price_in, config.price_out), source="--price-in, --price-out")
        return None

    def __repr__(self) -> str:
        return f"<PriceBook: {len(self._found)} looked up>"


def _named(prices: Mapping[str, PriceConfig], label: str) -> PriceConfig | None:
    """The entry of that very name, else the longest pattern that it fits."""
    if label in prices:
        return prices[label]
    fitting = [name for name in prices if "*" in name and fnmatchcase(label, name)]
    return prices[max(fitting, key=len)] if fitting else None
