"""What one request costs, by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from llmbatch.jobs.model import Usage
from llmbatch.jobs.prices.price import Price, Rates

tokens = st.integers(0, 2_000_000)
rate = st.floats(0, 500, allow_nan=False)
rates = st.builds(
    Rates, rate, rate, st.none() | rate, st.none() | rate, st.none() | rate, st.none() | rate
)
prices = st.builds(
    Price,
    rates,
    tiers=st.lists(st.tuples(tokens, rates), max_size=3, unique_by=lambda tier: tier[0]).map(
        lambda tiers: tuple(sorted(tiers, key=lambda tier: tier[0]))
    ),
    request=st.floats(0, 1),
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    into = draw(tokens)
    cached = draw(st.integers(0, into))
    written = draw(st.integers(0, into - cached))
    out = draw(tokens)
    thought, for_long = draw(st.integers(0, out)), draw(st.integers(0, written))
    return Usage(into, out, cached, thought, written, for_long)


def test_cached_and_written_input_have_prices_of_their_own() -> None:
    price = Price(Rates(3, 15, cached=0.3, cache_write=3.75))
    usage = Usage(1_000_000, 100_000, cached_tokens=600_000, cache_write_tokens=300_000)
    assert price.cost(usage) == 0.3 + 0.18 + 1.125 + 1.5
    assert price.saved(usage) == 0.6 * (3 - 0.3)


def test_what_is_kept_for_an_hour_has_a_price_of_its_own() -> None:
    price = Price(Rates(1, 0, cache_write=1.25, cache_write_1h=2))
    usage = Usage(1_000_000, cache_write_tokens=800_000, cache_write_1h_tokens=600_000)
    assert price.cost(usage) == 0.2 + 0.25 + 1.2
    assert Price(Rates(1, 0, cache_write=1.25)).cost(usage) == 0.2 + 1.0
    assert price.worst(1_000_000, 0) == 2


def test_without_a_price_of_its_own_cached_input_costs_what_input_does() -> None:
    price = Price(Rates(2, 0))
    assert price.cost(Usage(500_000, 0, cached_tokens=400_000, cache_write_tokens=9)) == 1.0
    assert price.saved(Usage(500_000, 0, cached_tokens=400_000)) == 0.0


def test_thoughts_have_a_price_of_their_own_where_there_is_one() -> None:
    usage = Usage(0, 1_000_000, reasoning_tokens=400_000)
    assert Price(Rates(0, 10)).cost(usage) == 10
    assert Price(Rates(0, 10, reasoning=1)).cost(usage) == 6.4


@pytest.mark.parametrize(
    ("tokens_in", "cost"), [(200_000, 0.2), (200_001, 0.400002), (1_000_001, 3.000003)]
)
def test_a_tier_holds_for_all_of_a_request_with_more_input(tokens_in: int, cost: float) -> None:
    price = Price(Rates(1, 0), tiers=((200_000, Rates(2, 0)), (1_000_000, Rates(3, 0))))
    assert price.cost(Usage(tokens_in)) == cost


def test_a_cost_is_free_of_the_noise_of_floats() -> None:
    assert repr(Price(Rates(0.1, 0.2)).cost(Usage(1, 1))) == "3e-07"


@given(prices, usages())
def test_no_request_costs_more_than_the_worst_that_was_said_of_it(
    price: Price, usage: Usage
) -> None:
    worst = price.worst(usage.input_tokens, usage.output_tokens)
    assert 0 <= price.cost(usage) <= worst * (1 + 1e-9) + 1e-11


@given(prices, usages(), tokens, tokens)
def test_the_worst_grows_with_what_is_allowed(
    price: Price, usage: Usage, more_in: int, more_out: int
) -> None:
    low = price.worst(usage.input_tokens, usage.output_tokens)
    assert price.worst(usage.input_tokens + more_in, usage.output_tokens + more_out) >= low - 1e-9


@given(prices, usages())
def test_what_the_cache_saved_is_what_the_same_would_have_cost_more_without_it(
    price: Price, usage: Usage
) -> None:
    plain = structs.replace(usage, cached_tokens=0)
    assert price.saved(usage) == pytest.approx(price.cost(plain) - price.cost(usage), abs=1e-8)
