"""What the tokens of one request cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct

from ..model import Usage

MILLION = 1_000_000


class Rates(Struct, frozen=True):
    """USD for a million tokens.

    ``cached`` is for input out of the provider's cache, ``cache_write`` for input that it puts
    there; None is the rate of ``input``.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None


class Price(Struct, frozen=True):
    """The price of one model; ``tiers`` are rates for requests with more than so many input tokens.

    ``tiers`` are in ascending order; the last one that a request is above holds for all of it.
    ``source`` says where the price is from, in words for a user.
    """

    rates: Rates
    tiers: Sequence[tuple[int, Rates]] = ()
    source: str = ""

    def cost(self, usage: Usage) -> float:
        """USD for what a provider counted."""
        rates = self._at(usage.input_tokens)
        written = 0 if usage.cache_write_tokens is UNSET else usage.cache_write_tokens
        plain = max(0, usage.input_tokens - usage.cached_tokens - written)
        total = plain * rates.input + usage.output_tokens * rates.output
        total += usage.cached_tokens * _rate(rates.cached, rates)
        total += written * _rate(rates.cache_write, rates)
        return total / MILLION

    def worst(self, input_tokens: int, output_tokens: int) -> float:
        """USD at most for a request of so many input tokens whose answer has up to so many."""
        most = max(rates_worst(rates) for rates in self._reachable(input_tokens))
        longest = max(rates.output for rates in self._reachable(input_tokens))
        return (input_tokens * most + output_tokens * longest) / MILLION

    def saved(self, usage: Usage) -> float:
        """USD that the provider's cache saved: what its tokens would have cost as plain input."""
        rates = self._at(usage.input_tokens)
        return usage.cached_tokens * (rates.input - _rate(rates.cached, rates)) / MILLION

    def _at(self, input_tokens: int) -> Rates:
        found = self.rates
        for above, rates in self.tiers:
            if input_tokens > above:
                found = rates
        return found

    def _reachable(self, input_tokens: int) -> Sequence[Rates]:
        return (self.rates, *(rates for above, rates in self.tiers if input_tokens > above))


def rates_worst(rates: Rates) -> float:
    """The most that an input token can cost."""
    return max(rates.input, _rate(rates.cached, rates), _rate(rates.cache_write, rates))


def _rate(rate: float | None, rates: Rates) -> float:
    return rates.input if rate is None else rate
