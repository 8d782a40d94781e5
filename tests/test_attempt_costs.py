"""What a row cost: every attempt's tokens at the price of the route that was asked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from scripted import DONE, Ran, Scripted, Step, ask, words

from llmbatch.jobs.config import PriceConfig
from llmbatch.jobs.errors import BadRequest, ConnectionFailed, Overloaded, StreamBroken
from llmbatch.jobs.model import Delta, Result, Usage
from virtualtime import run_virtual

DEAR = PriceConfig(input=1_000_000, output=2_000_000, cached=500_000)
"""A dollar for a token in, two for one out, half a dollar for one out of the cache."""
CHEAP = PriceConfig(input=10_000, output=10_000)
CUT = StreamBroken("cut", http_status=200)


def used(into: int, out: int, cached: int = 0, cost: float | None = None) -> Delta:
    return Delta(usage=Usage(into, out, cached), cost_usd=cost)


def good(*deltas: Delta) -> Sequence[Step]:
    return [*words("hi"), DONE, *deltas]


def cost(*providers: Scripted, **prices: PriceConfig) -> float | None:
    named = {f"*/{model}": price for model, price in prices.items()}
    result: Result = run_virtual(Ran(*providers, prices=named).row(ask(model="m0")))
    return result.cost_usd


def test_the_tokens_of_an_answer_cost_what_its_route_takes() -> None:
    assert cost(Scripted(good(used(10, 3, cached=4))), m0=DEAR) == 6 + 4 * 0.5 + 3 * 2


def test_a_rows_own_model_has_its_own_price() -> None:
    ran = Ran(Scripted(good(used(10, 3))), prices={"scripted/m0": DEAR, "scripted/other": CHEAP})
    assert run_virtual(ran.row(ask(model="other"))).cost_usd == pytest.approx(0.13)


def test_the_providers_own_figure_is_taken_unless_the_user_named_a_price() -> None:
    answers = good(used(10, 3, cost=0.25))
    assert cost(Scripted(answers)) == 0.25
    assert cost(Scripted(answers), m0=DEAR) == 16


def test_without_a_price_the_cost_is_not_known() -> None:
    assert cost(Scripted(good(used(10, 3)))) is None


def test_without_usage_the_cost_is_not_known() -> None:
    assert cost(Scripted(good()), m0=DEAR) is None


@pytest.mark.parametrize("count", [(0, 0), (0, 3)])
def test_a_count_without_any_input_is_none(count: tuple[int, int]) -> None:
    """Nobody answers a prompt of no tokens: such a server does not count."""
    assert cost(Scripted(good(used(*count))), m0=DEAR) is None
    assert cost(Scripted(good(used(*count, cost=0.25)))) == 0.25


def test_what_a_broken_attempt_used_is_part_of_the_cost() -> None:
    broken: list[Step] = [*words("h"), used(10, 1), CUT]
    assert cost(Scripted(broken, good(used(10, 3))), m0=DEAR) == 12 + 16


def test_an_attempt_that_broke_off_without_usage_is_no_part_of_the_cost() -> None:
    assert cost(Scripted([*words("h"), CUT], good(used(10, 3))), m0=DEAR) == 16


def test_an_error_before_the_answer_costs_nothing() -> None:
    errors = [Overloaded("no", http_status=503)], [ConnectionFailed("gone")]
    assert cost(Scripted(*errors, good(used(10, 3))), m0=DEAR) == 16


def test_a_fallback_is_paid_at_its_own_price_beside_what_was_paid_before() -> None:
    first = Scripted([*words("h"), used(10, 1), BadRequest("no", http_status=400)], name="a")
    second = Scripted(good(used(10, 3)), name="b")
    assert cost(first, second, m0=DEAR, m1=CHEAP) == pytest.approx(12 + 0.13)


def test_no_sum_is_given_where_an_attempt_has_no_price() -> None:
    first = Scripted([*words("h"), used(10, 1), BadRequest("no", http_status=400)], name="a")
    assert cost(first, Scripted(good(used(10, 3)), name="b"), m1=CHEAP) is None


def test_a_row_that_failed_has_the_cost_of_what_it_used() -> None:
    assert cost(Scripted(always=[*words("h"), used(10, 1), CUT]), m0=DEAR) == 4 * 12
    assert cost(Scripted(always=[Overloaded("no", http_status=503)]), m0=DEAR) is None
