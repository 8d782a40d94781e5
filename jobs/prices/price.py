"""What the tokens of one request cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from ..model import Usage

MILLION = 1_000_000
DIGITS = 12
"""Behind the point, of USD: a millionth of what a token costs, without the noise of floats."""


class Rates(Struct, frozen=True):
    """USD for a million tokens.

    ``cached`` is for input out of the provider's cache, ``cache_write`` for input that it puts
    there; None is the rate of ``input``. ``cache_write_1h`` is for input that it keeps there for an
    hour, None is the rate of ``cache_write``. ``reasoning`` is for output that is thought, None is
    the rate of ``output``.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None

    @property
    def from_cache(self) -> float:
        return self.input if self.cached is None else self.cached

    @property
    def to_cache(self) -> float:
        return self.input if self.cache_write is None else self.cache_write

    @property
    def to_cache_1h(self) -> float:
        return self.to_cache if self.cache_write_1h is None else self.cache_write_1h

    @property
    def thought(self) -> float:
        return self.output if self.reasoning is None else self.reasoning


class Price(Struct, frozen=True):
    """The price of one model; ``tiers`` are rates for requests with more than so many input tokens.

    ``tiers`` are in ascending order; the last one that a request is above holds for all of it.
    ``request`` is USD for each request, beside its tokens. ``next`` are rates that may hold before
    a request has ended, where the price changes with the time. ``source`` says where the price is
    from, in words for a user; ``own`` says that it is the user, whose word counts more than the
    provider's own figure.
    """

    rates: Rates
    tiers: Sequence[tuple[int, Rates]] = ()
    request: float = 0.0
    next: Sequence[Rates] = ()
    source: str = ""
    own: bool = False

    def cost(self, usage: Usage) -> float:
        """USD for what a provider counted in one request."""
        rates = self._at(usage.input_tokens) if self.tiers else self.rates
        written, for_long = _told(usage.cache_write_tokens), _told(usage.cache_write_1h_tokens)
        plain = max(0, usage.input_tokens - usage.cached_tokens - written)
        total = plain * rates.input
        if usage.cached_tokens:
            total += usage.cached_tokens * rates.from_cache
        if written:
            total += max(0, written - for_long) * rates.to_cache + for_long * rates.to_cache_1h
        if rates.reasoning is None:
            total += usage.output_tokens * rates.output
        else:
            said = max(0, usage.output_tokens - usage.reasoning_tokens)
            total += said * rates.output + usage.reasoning_tokens * rates.reasoning
        return round(self.request + total / MILLION, DIGITS)

    def worst(self, input_tokens: int, output_tokens: int) -> float:
        """USD at most for a request of so many input tokens whose answer has up to so many."""
        reachable = self._reachable(input_tokens)
        most = max(rates_worst(rates) for rates in reachable)
        longest = max(max(rates.output, rates.thought) for rates in reachable)
        return self.request + (input_tokens * most + output_tokens * longest) / MILLION

    def saved(self, usage: Usage) -> float:
        """USD that the provider's cache saved: what its tokens would have cost as plain input."""
        rates = self._at(usage.input_tokens)
        saved = usage.cached_tokens * (rates.input - rates.from_cache)
        return round(saved / MILLION, DIGITS)

    def _at(self, input_tokens: int) -> Rates:
        found = self.rates
        for above, rates in self.tiers:
            if input_tokens > above:
                found = rates
        return found

    def _reachable(self, input_tokens: int) -> Sequence[Rates]:
        tiers = (rates for above, rates in self.tiers if input_tokens > above)
        return (self.rates, *tiers, *self.next)


def rates_worst(rates: Rates) -> float:
    """The most that an input token can cost."""
    return max(rates.input, rates.from_cache, rates.to_cache, rates.to_cache_1h)


def _told(count: int | UnsetType) -> int:
    return 0 if count is UNSET else count
