"""Prices out of the package genai-prices: the ones that it was released with.

Nothing is fetched: the package's own update, which asks the network from a thread of its own, is
never started. Its import takes 0.3 s, so it happens with the first price that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from .price import Price, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

PROVIDERS: Mapping[str, str] = {
    "openai": "openai",
    "openai-responses": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "gemini": "google",
    "openrouter": "openrouter",
    "groq": "groq",
    "together": "together",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "xai": "x-ai",
}
"""The package's names of the providers that llmbatch knows."""

LITELLM: Mapping[str, str] = {
    **PROVIDERS,
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "databricks": "databricks",
    "fireworks_ai": "fireworks",
    "minimax": "minimax",
    "moonshot": "moonshotai",
    "novita": "novita",
    "ovhcloud": "ovhcloud",
    "perplexity": "perplexity",
    "together_ai": "together",
    "vertex_ai": "google",
    "voyage": "voyageai",
    "zai": "zai",
}
"""The same for the prefixes of LiteLLM's model names."""

_TOKENS = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "output_reasoning_mtok",
)


class Published(Struct, frozen=True):
    """A price, and until when it holds, as a POSIX timestamp: some change with the time of day."""

    price: Price
    until: float = math.inf


def installed() -> bool:
    """Whether the extra is there; says so without the cost of its import."""
    from importlib.util import find_spec

    return find_spec("genai_prices") is not None


def published(provider: str, model: str, now: float) -> Published | None:
    """The price of a model at its provider's own address; None where the package has none.

    ``provider`` is the name in llmbatch, ``now`` a POSIX timestamp.
    """
    place = _place(provider, model)
    if place is None:
        return None
    try:
        return _find(*place, datetime.fromtimestamp(now, UTC))
    except (ImportError, AttributeError, TypeError):  # not there, or of a shape yet to come
        return None


def _find(provider: str, model: str, at: datetime) -> Published | None:
    from genai_prices.data import providers

    company = next((known for known in providers if known.id == provider), None)
    found = company and company.find_model(model, all_providers=providers)
    return _read(found, at) if found else None


def _place(provider: str, model: str) -> tuple[str, str] | None:
    """The package's name of a provider, and the model's there."""
    if provider == "litellm":
        prefix, slash, name = model.partition("/")
        return (LITELLM[prefix], name) if slash and prefix in LITELLM else None
    return (PROVIDERS[provider], model) if provider in PROVIDERS else None


def _read(model: ModelInfo, at: datetime) -> Published | None:
    price = price_of(model.get_prices(at))
    if price is None:
        return None
    until = min(_changes(model, at), default=math.inf)
    after = None
    if until != math.inf:
        after = price_of(model.get_prices(datetime.fromtimestamp(until, UTC)))
    if after is not None:
        later = (after.rates, *(rates for _, rates in after.tiers))
        price = structs.replace(price, next=later)
    return Published(price, until)


def price_of(prices: ModelPrice) -> Price | None:
    """What the package says in numbers of ours; None where it has no price for text.

    In the package as here, a tier holds for the whole of a request with more input than its start.
    What can't be counted here (searches, pages, seconds of sound) is left out.
    """
    stated = {name: getattr(prices, name, None) for name in _TOKENS}
    if stated["input_mtok"] is None:
        return None
    starts = sorted({tier.start for each in stated.values() for tier in getattr(each, "tiers", ())})
    return Price(
        _rates(stated, 0),
        tiers=tuple((start, _rates(stated, start + 1)) for start in starts),
        request=float(getattr(prices, "requests_kcount", None) or 0) / 1000,
        source=_source(),
    )


def _rates(stated: Mapping[str, Any], tokens: int) -> Rates:
    """The rates of a request with so many input tokens."""

    def rate(name: str) -> float | None:
        value = stated[name]
        if value is None or isinstance(value, Decimal):
            return None if value is None else float(value)
        found = value.base
        for tier in value.tiers:
            if tokens > tier.start:
                found = tier.price
        return float(found)

    return Rates(
        input=rate("input_mtok") or 0.0,
        output=rate("output_mtok") or 0.0,  # an embedding has none
        cached=rate("cache_read_mtok"),
        cache_write=rate("cache_write_mtok"),
        cache_write_1h=rate("cache_write_1h_mtok"),
        reasoning=rate("output_reasoning_mtok"),
    )


def _changes(model: ModelInfo, at: datetime) -> Iterator[float]:
    """When, after ``at``, another of the model's prices may begin to hold: POSIX timestamps."""
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    for entry in model.prices if isinstance(model.prices, list) else ():
        match entry.constraint:
            case StartDateConstraint(start_date=day):
                begins = datetime.combine(day, time(), UTC)
                if begins > at:
                    yield begins.timestamp()
            case TimeOfDateConstraint(start_time=start, end_time=end):
                yield from (_next(hour, at) for hour in (start, end))


def _next(hour: time, at: datetime) -> float:
    today = datetime.combine(at.date(), hour if hour.tzinfo else hour.replace(tzinfo=UTC))
    while today <= at:
        today += timedelta(days=1)
    return today.timestamp()


def _source() -> str:
    from genai_prices import __version__

    return f"genai-prices {__version__}"
