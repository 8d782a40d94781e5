"""The price of a model: the user's own first, then what is known."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Protocol

from ..config import JobConfig, PriceConfig
from ..errors import ConfigError
from .price import Price, Rates
from .published import PROVIDERS, Published, installed, published

UNBILLED = frozenset({"local", "ollama", "vllm", "llamacpp"})
"""Providers that run on a machine of the user's own, which nobody sends a bill for."""


class Place(Protocol):
    """What is to be known of a route: ``name`` and ``model`` as results show them, and whether it
    is ``official``: the provider of that name at its own address, whose published prices hold."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def official(self) -> bool: ...


class PriceBook:
    """Looks prices up for a job, each of them once. None is a price that nobody knows.

    ``routes`` are those that the job asks: what is published is true of an official one alone, so
    that without routes only the user's own prices count. ``now`` is the POSIX time. Raises
    ConfigError where one half of --price-in and --price-out is missing.
    """

    __slots__ = ("_config", "_found", "_now", "_official", "_places")

    def __init__(
        self,
        config: JobConfig,
        routes: Iterable[Place] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        if (config.price_in is None) != (config.price_out is None):
            has, lacks = ("in", "out") if config.price_out is None else ("out", "in")
            raise ConfigError(
                f"price_{has} is set, but not price_{lacks}; give both --price-in and --price-out "
                "(0 where tokens of that kind cost nothing)"
            )
        self._config = config
        routes = tuple(routes)
        self._places = [(route.name, route.model) for route in routes]
        self._official = frozenset(route.name for route in routes if route.official)
        self._now = now
        self._found: dict[tuple[str, str], tuple[Price | None, float]] = {}

    def prepare(self) -> None:
        """Look the routes' own models up now, so that no answer waits for an import."""
        for place in self._places:
            self.of(*place)

    def of(self, provider: str, model: str) -> Price | None:
        """``provider`` is a route's name as results show it, ``model`` what its server calls it.

        Cheap enough to be asked for each attempt; some prices change with the time of day.
        """
        place = (provider, model)
        price, until = self._found.get(place, (None, -math.inf))
        if until != math.inf and until <= self._now():
            price, until = self._found[place] = self._look_up(provider, model)
        return price

    def unknown(self, provider: str, model: str) -> str:
        """In words: this model has no price, and what to do."""
        told = f"no price for {provider}/{model}: name it under prices:, or give --price-in and "
        told += "--price-out"
        if provider in self._official and provider in (*PROVIDERS, "litellm") and not installed():
            told += ", or install prices that are published: pip install 'llmbatch[prices]'"
        return told

    def billed(self, provider: str) -> bool:
        """Whether somebody asks money for it; a model on a machine of one's own has no price."""
        return provider not in UNBILLED

    def _look_up(self, provider: str, model: str) -> tuple[Price | None, float]:
        config = self._config
        entry = _named(config.prices, f"{provider}/{model}")
        if entry is not None:
            rates = Rates(entry.input, entry.output, entry.cached, entry.cache_write)
            return Price(rates, source="your prices", own=True), math.inf
        if config.price_in is not None and config.price_out is not None:
            rates = Rates(config.price_in, config.price_out)
            return Price(rates, source="--price-in and --price-out", own=True), math.inf
        found: Published | None = None
        if provider in self._official:
            found = published(provider, model, self._now())
        return (None, math.inf) if found is None else (found.price, found.until)

    def __repr__(self) -> str:
        return f"<PriceBook: {len(self._found)} looked up>"


def _named(prices: Mapping[str, PriceConfig], label: str) -> PriceConfig | None:
    """The entry of that very name, else the longest pattern that it fits."""
    if label in prices:
        return prices[label]
    fitting = [name for name in prices if "*" in name and fnmatchcase(label, name)]
    return prices[max(fitting, key=len)] if fitting else None
