"""Whose price counts: the user's own, then what is published, then none."""

from __future__ import annotations

import subprocess
import sys

import pytest
from msgspec import Struct

from llmbatch.jobs.config import JobConfig, PriceConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.prices import book as module
from llmbatch.jobs.prices.book import PriceBook
from llmbatch.jobs.prices.price import Price, Rates
from llmbatch.jobs.prices.published import Published
from llmbatch.jobs.providers.registry import locate

MINI = "gpt-4o-mini"


class Asked(Struct):
    name: str
    official: bool = True
    model: str = MINI


OPENAI = Asked("openai")


def rates(book: PriceBook, provider: str, model: str) -> tuple[float, float] | None:
    price = book.of(provider, model)
    return None if price is None else (price.rates.input, price.rates.output)


def test_an_entry_of_that_name_comes_first_then_the_longest_pattern() -> None:
    prices = {
        "openai/*": PriceConfig(input=1, output=1),
        "openai/gpt-4*": PriceConfig(input=2, output=2),
        f"openai/{MINI}": PriceConfig(input=3, output=3),
        "*": PriceConfig(input=4, output=4),
    }
    book = PriceBook(JobConfig(prices=prices, price_in=9, price_out=9), [OPENAI])
    assert rates(book, "openai", MINI) == (3, 3)
    assert rates(book, "openai", "gpt-4o") == (2, 2)
    assert rates(book, "openai", "o3") == (1, 1)
    assert rates(book, "local", "smollm2") == (4, 4)


def test_a_name_without_a_star_is_no_pattern() -> None:
    book = PriceBook(JobConfig(prices={"openai/gpt-4?": PriceConfig(input=1, output=1)}))
    assert book.of("openai", "gpt-4o") is None


def test_an_entry_comes_whole_with_its_cached_prices() -> None:
    entry = PriceConfig(input=1, output=2, cached=0.1, cache_write=1.25)
    price = PriceBook(JobConfig(prices={"x/y": entry})).of("x", "y")
    assert price == Price(Rates(1, 2, 0.1, 1.25), source="your prices", own=True)


def test_the_flags_come_after_the_entries_and_before_what_is_published() -> None:
    config = JobConfig(prices={"x/y": PriceConfig(input=1, output=1)}, price_in=0, price_out=5)
    book = PriceBook(config, [OPENAI])
    assert rates(book, "x", "y") == (1, 1)
    assert rates(book, "openai", MINI) == (0, 5)
    price = book.of("openai", MINI)
    assert price is not None
    assert (price.own, price.source) == (True, "--price-in and --price-out")


def test_a_published_price_is_the_last_and_not_the_users() -> None:
    price = PriceBook(JobConfig(), [OPENAI]).of("openai", MINI)
    assert price is not None
    assert (price.rates, price.own) == (Rates(0.15, 0.6, 0.075), False)


def test_no_price_is_none_and_never_zero() -> None:
    book = PriceBook(JobConfig(), [OPENAI, Asked("local"), Asked("ollama")])
    assert book.of("openai", "a-model-of-tomorrow") is None
    assert book.of("local", "smollm2") is None
    assert book.of("ollama", MINI) is None


def test_a_server_elsewhere_is_not_priced_as_the_provider() -> None:
    assert PriceBook(JobConfig(), [Asked("openai", official=False)]).of("openai", MINI) is None
    assert PriceBook(JobConfig()).of("openai", MINI) is None


@pytest.mark.parametrize(
    ("environ", "settings", "official"),
    [
        ({}, {"model": "openai/m"}, True),
        ({}, {"model": "openai/m", "base_url": "https://api.openai.com/v1/"}, True),
        ({}, {"model": "openai/m", "base_url": "http://localhost:1/v1"}, False),
        ({}, {"model": "openai/m", "base_url": "https://eu.api.openai.com/v1"}, False),
        ({"OPENAI_BASE_URL": "http://proxy/v1"}, {"model": "openai/m"}, False),
        ({}, {"model": "m", "base_url": "https://api.openai.com/v1"}, False),
        ({}, {"model": "openai/m", "providers": {"openai": {"rpm": 5}}}, True),
        ({}, {"model": "openai/m", "providers": {"openai": {"base_url": "http://a/v1"}}}, False),
        (
            {},
            {
                "model": "openrouter/m",
                "providers": {
                    "openrouter": {
                        "base_url": "https://openrouter.ai/api/v1",
                        "api": "openai-responses",
                    }
                },
            },
            False,
        ),
        ({}, {"model": "mine/m", "providers": {"mine": {"base_url": "http://a/v1"}}}, False),
        ({}, {"model": "anthropic/m"}, True),
        ({}, {"model": "gemini/m"}, True),
        ({}, {"model": "azure/m", "base_url": "https://x.openai.azure.com"}, True),
        ({}, {"model": "azure/m", "base_url": "https://openai.azure.com.example.org"}, False),
        ({}, {"model": "litellm/openai/m"}, True),
        ({}, {"model": "litellm/openai/m", "base_url": "http://a"}, False),
        ({}, {"model": "local/smollm2"}, False),
    ],
)
def test_a_route_is_official_at_the_providers_own_address_alone(
    environ: dict[str, str], settings: dict[str, object], official: bool
) -> None:
    (located,) = locate(_config(settings), environ)
    assert located.route.official is official


def _config(settings: dict[str, object]) -> JobConfig:
    from msgspec import convert

    return convert(settings, JobConfig)


@pytest.mark.parametrize("given", ["price_in", "price_out"])
def test_one_half_of_a_price_is_refused_with_what_to_do(given: str) -> None:
    other = {"price_in": "price_out", "price_out": "price_in"}[given]
    with pytest.raises(ConfigError) as caught:
        PriceBook(_config({given: 1.5}))
    assert str(caught.value) == (
        f"{given} is set, but not {other}; give both --price-in and --price-out "
        "(0 where tokens of that kind cost nothing)"
    )


def test_a_price_that_changes_with_the_time_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def look_up(provider: str, model: str, now: float) -> Published:
        asked.append(now)
        return Published(Price(Rates(now, 0)), until=100.0 if now < 100 else float("inf"))

    monkeypatch.setattr(module, "published", look_up)
    clock = [10.0]
    book = PriceBook(JobConfig(), [OPENAI], now=lambda: clock[0])
    for clock[0] in (10.0, 50.0, 99.9, 100.0, 5000.0):
        book.of("openai", MINI)
    assert asked == [10.0, 100.0]


def test_it_says_of_a_model_without_a_price_what_to_do() -> None:
    book = PriceBook(JobConfig(), [Asked("mine", official=False)])
    assert book.unknown("mine", "m") == (
        "no price for mine/m: name it under prices:, or give --price-in and --price-out"
    )


def test_it_says_so_where_published_prices_are_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "installed", lambda: False)
    book = PriceBook(JobConfig(), [OPENAI, Asked("ollama")])
    assert book.unknown("openai", MINI).endswith(": pip install 'llmbatch[prices]'")
    assert "pip" not in book.unknown("ollama", "m")
    assert "pip" not in book.unknown("another", "m")


def test_what_is_prepared_is_not_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look_up(provider: str, model: str, now: float) -> None:
        asked.append((provider, model))

    monkeypatch.setattr(module, "published", look_up)
    book = PriceBook(JobConfig(), [OPENAI, Asked("local", official=False)])
    book.prepare()
    assert asked == [("openai", MINI)]
    book.of("openai", MINI)
    assert len(asked) == 1


def test_a_price_that_the_user_names_imports_nothing() -> None:
    code = (
        "import sys\n"
        "from llmbatch.jobs.config import JobConfig\n"
        "from llmbatch.jobs.prices.book import PriceBook\n"
        "class Route: name, model, official = 'openai', 'm', True\n"
        "book = PriceBook(JobConfig(price_in=1, price_out=2), [Route])\n"
        "assert book.of('openai', 'gpt-4o-mini') and book.unknown('openai', 'x')\n"
        "assert 'genai_prices' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
