"""What rows cost together, and what is said of those that have no price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sampleresults import sample

from llmbatch.cli.costsummary import cost_lines
from llmbatch.jobs.config import JobConfig, PriceConfig
from llmbatch.jobs.events import JobStarted, RowFinished
from llmbatch.jobs.model import Metrics, Result, Usage
from llmbatch.jobs.prices.bill import REPORTED, Bill
from llmbatch.jobs.prices.book import PriceBook
from llmbatch.jobs.summary import Tally

CHEAP = PriceConfig(input=2, output=4, cached=0.5)
METRICS = Metrics("2026-11-22T10:31:07.123Z", 0, 0, None, None, None, 1, None, 1, [])


class Official:
    name, model, official = "openai", "gpt-4o-mini", True


def bill(**prices: PriceConfig) -> Bill:
    named = {name.replace("__", "/"): price for name, price in prices.items()}
    return Bill(PriceBook(JobConfig(prices=named)))


def row(model: str = "x/m", cost: float | None = None, **fields: object) -> Result:
    provider, _, name = model.partition("/")
    return sample(provider=provider, model=name, cost_usd=cost, metrics=METRICS, **fields)


def lines(*results: Result, book: PriceBook | None = None, fallbacks: tuple[str, ...] = ()) -> str:
    tally = Tally()
    tally.bill.prices = book
    tally(JobStarted(None, "o", "x/m", 1, None, None, fallbacks=fallbacks))
    for result in results:
        tally(RowFinished(result))
    return "\n".join(cost_lines(tally.summary(wall=1.0)))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_the_cost_is_the_sum_of_the_rows(costs: list[float]) -> None:
    whole = bill()
    for cost in costs:
        whole.add(row(cost=cost))
    assert whole.total == pytest.approx(sum(costs), abs=1e-9)


def test_usage_adds_up_and_what_nobody_counted_stays_out_of_it() -> None:
    one, other = Usage(1, 2, 3, 4), Usage(10, 20, 30, 40, 50, 60)
    assert one + one == Usage(2, 4, 6, 8)
    assert one + other == other + one == Usage(11, 22, 33, 44, 50, 60)
    assert other + other == Usage(20, 40, 60, 80, 100, 120)


def test_a_sum_is_free_of_the_noise_of_floats() -> None:
    whole = bill()
    for _ in range(3):
        whole.add(row(cost=0.1))
    assert whole.total == 0.3


def test_rows_without_a_price_are_counted_by_their_model_and_never_as_zero() -> None:
    whole = bill(x__m=CHEAP)
    for model in ("y/a", "y/a", "z/b/c"):
        whole.add(row(model))
    assert whole.total is None
    assert whole.unpriced == {"y/a": 2, "z/b/c": 1}
    whole.add(row("x/m", 0.5))
    assert whole.total == 0.5


def test_a_row_whose_first_route_has_no_price_is_told_by_that_route() -> None:
    whole = bill(x__m=CHEAP)
    whole.add(row("x/m", fallbacks=1), ["y/dear", "x/m"])
    assert whole.unpriced == {"y/dear": 1}


def test_an_answer_without_a_count_of_tokens_is_said_to_be_one() -> None:
    whole = bill(x__m=CHEAP)
    whole.add(row(usage=None))
    whole.add(row(usage=None, status="partial"))
    assert (whole.unmetered, whole.unpriced) == (2, {})


def test_rows_that_nobody_was_paid_for_need_no_price() -> None:
    whole = bill()
    whole.add(row(usage=None, status="error"))
    whole.add(sample(provider=None, model=None, status="invalid", usage=None, metrics=None))
    for provider in ("local", "ollama", "vllm", "llamacpp"):
        whole.add(row(f"{provider}/m"))
    assert (whole.total, whole.unpriced, whole.unmetered) == (None, {}, 0)


def test_cached_input_saves_the_difference_to_its_plain_price() -> None:
    whole = bill(x__m=CHEAP)
    whole.add(row(cost=1.0, usage=Usage(2_000_000, 0, cached_tokens=1_000_000)))
    assert whole.saved_total == 1.5


def test_it_is_known_by_whose_price_a_row_was_paid() -> None:
    book = PriceBook(JobConfig(prices={"x/m": CHEAP}), [Official()])
    whole = Bill(book)
    usage = Usage(1_000_000, 0)
    whole.add(row("x/m", 2.0, usage=usage))
    whole.add(row("y/reports", 3.0, usage=usage))
    whole.add(row("openai/gpt-4o-mini", 0.15, usage=usage))
    whole.add(row("openai/gpt-4o-mini", 0.11, usage=usage))
    (published,) = (each for each in whole.sources if each.startswith("genai-prices"))
    assert whole.sources == {"your prices": 1, published: 1, REPORTED: 2}


def test_the_lines_say_the_figure_where_it_is_from_and_what_it_leaves_out() -> None:
    book = PriceBook(JobConfig(prices={"x/m": CHEAP}))
    usage = Usage(1_000_000, 0, cached_tokens=100_000)
    said = lines(
        row(cost=1.85, usage=usage), row("y/m"), row("y/m"), row("z/n"), row(usage=None), book=book
    )
    assert said == (
        "cost       $1.85, by your prices\n"
        "saved      $0.1500 by 100,006 cached input tokens\n"
        "cost       unknown for 3 rows: no price for y/m, z/n; name it under prices:, or give "
        "--price-in and --price-out\n"
        "cost       unknown for 1 row: the answer did not say how many tokens it took"
    )


def test_both_sources_of_a_figure_are_named() -> None:
    book = PriceBook(JobConfig(prices={"x/m": CHEAP}))
    assert lines(row(cost=1), row(cost=1), row("y/m", 1), book=book).startswith(
        "cost       $3.00, by your prices and as the provider reports it"
    )


def test_no_more_than_three_models_without_a_price_are_named() -> None:
    said = lines(*[row(f"x/m{n}") for n in range(5)])
    assert "no price for x/m0, x/m1, x/m2 and 2 others; " in said


def test_it_is_said_how_published_prices_are_got_where_they_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "pip" not in lines(row("openai/m"))
    monkeypatch.setattr("llmbatch.cli.costsummary.installed", lambda: False)
    assert lines(row("openai/m")).endswith(
        "; published prices come with pip install 'llmbatch[prices]'"
    )
    assert "pip" not in lines(row("mine/m"))


def test_nothing_is_said_of_a_job_that_asked_nobody() -> None:
    assert lines() == ""


def test_an_answer_that_was_there_already_costs_nothing_and_needs_no_price() -> None:
    twin = structs.replace(METRICS, attempts=0, same_as="r1")
    free = structs.replace(row(cost=0.0), usage=Usage(), metrics=twin)
    asked = row(cost=None)
    assert "$" not in lines(asked, free)
    assert "unknown for 1 row:" in lines(asked, free)
    assert lines(free).startswith("cost       $0")
