"""Our reading of the package's prices against its own arithmetic, model by model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices import Usage as Counted
from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TimeOfDateConstraint,
)
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.dialects import KNOWN
from llmbatch.jobs.model import Usage
from llmbatch.jobs.prices.book import UNBILLED
from llmbatch.jobs.prices.price import Price
from llmbatch.jobs.prices.published import LITELLM, PROVIDERS, price_of, published

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
IDS = {provider.id for provider in providers}
MEASURED = {
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
}


def models() -> Iterator[tuple[Provider, ModelInfo]]:
    for provider in providers:
        if provider.id in set(LITELLM.values()):
            for model in provider.models:
                yield provider, model


def tokens_alone(prices: ModelPrice) -> bool:
    stated = {name for name, value in vars(prices).items() if value is not None}
    return "input_mtok" in stated and stated <= MEASURED | {
        "web_searches_kcount",  # none of these are counted in the tests
        "storage_searches_kcount",
    }


PRICED = [
    (provider, model, model.get_prices(NOW))
    for provider, model in models()
    if tokens_alone(model.get_prices(NOW))
]


def theirs(prices: ModelPrice, usage: Usage) -> float:
    counted = Counted(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens or 0,
        cache_write_1h_tokens=usage.cache_write_1h_tokens or 0,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    return float(prices.calc_price(counted)["total_price"])


def ours(prices: ModelPrice) -> Price:
    price = price_of(prices)
    assert price is not None
    return price


USAGES = [
    Usage(1000, 200),
    Usage(150_001, 2000, cached_tokens=100_000, reasoning_tokens=500, cache_write_tokens=20_000),
    Usage(1_000_000, 64_000, cached_tokens=1, cache_write_tokens=900_000),
]


@pytest.mark.parametrize("usage", USAGES, ids=lambda usage: f"{usage.input_tokens} in")
def test_every_model_costs_what_the_package_says(usage: Usage) -> None:
    assert len(PRICED) > 1000
    for provider, model, prices in PRICED:
        expected = theirs(prices, usage)
        assert ours(prices).cost(usage) == pytest.approx(expected, abs=1e-11), (provider.id, model)


def test_a_tier_begins_above_its_start_and_holds_for_the_whole_request() -> None:
    tiered = [(model, prices) for _, model, prices in PRICED if ours(prices).tiers]
    assert len(tiered) > 50
    for model, prices in tiered:
        for start, _ in ours(prices).tiers:
            for into in (start, start + 1):
                usage = Usage(into, 100, cached_tokens=into // 2)
                expected = theirs(prices, usage)
                assert ours(prices).cost(usage) == pytest.approx(expected, abs=1e-11), model.id


@given(st.integers(0, len(PRICED) - 1), st.data())
def test_any_usage_costs_what_the_package_says(at: int, data: st.DataObject) -> None:
    prices = PRICED[at][2]
    into, out = data.draw(st.integers(0, 3_000_000)), data.draw(st.integers(0, 200_000))
    cached = data.draw(st.integers(0, into))
    written = data.draw(st.integers(0, into - cached))
    thought, for_long = data.draw(st.integers(0, out)), data.draw(st.integers(0, written))
    usage = Usage(into, out, cached, thought, written, for_long)
    assert ours(prices).cost(usage) == pytest.approx(theirs(prices, usage), rel=1e-9, abs=1e-11)


def test_what_has_no_price_for_text_has_no_price() -> None:
    assert price_of(ModelPrice()) is None
    assert price_of(ModelPrice(input_mchars=Decimal(15))) is None


def test_the_price_of_a_request_is_part_of_its_cost() -> None:
    found = published("litellm", "perplexity/sonar", NOW.timestamp())
    assert found is not None
    assert found.price.request == 0.012
    assert found.price.cost(Usage(1_000_000, 0)) == 1.012


def test_each_provider_that_sends_a_bill_is_one_that_the_package_knows() -> None:
    assert set(PROVIDERS) == set(KNOWN) - UNBILLED - {"litellm"}
    assert set(LITELLM.values()) <= IDS


@pytest.mark.parametrize(
    ("provider", "model", "same_as"),
    [
        ("openai-responses", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("azure", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("litellm", "openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("litellm", "gemini/gemini-2.5-flash", ("gemini", "gemini-2.5-flash")),
        ("litellm", "xai/grok-4", ("xai", "grok-4")),
        ("openai", "GPT-4o-mini", ("openai", "gpt-4o-mini")),
    ],
)
def test_names_of_ours_lead_to_the_packages(
    provider: str, model: str, same_as: tuple[str, str]
) -> None:
    found = published(provider, model, NOW.timestamp())
    assert found is not None
    assert found == published(*same_as, NOW.timestamp())
    assert found.price.source.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai-compatible", "gpt-4o-mini"),
        ("local", "smollm2"),
        ("ollama", "gpt-oss:20b"),
        ("vllm", "gpt-4o-mini"),
        ("mine", "gpt-4o-mini"),
        ("litellm", "gpt-4o-mini"),
        ("litellm", "openai_like/gpt-4o-mini"),
        ("litellm", "ollama/llama3"),
        ("openai", "gpt-4o-mini-nobody-knows"),
        ("openai", ""),
    ],
)
def test_nothing_is_guessed(provider: str, model: str) -> None:
    assert published(provider, model, NOW.timestamp()) is None


def changing(*prices: ConditionalPrice, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ModelInfo(id="m", match=ClauseEquals("m"), prices=list(prices))
    one = Provider(id="deepseek", name="", api_pattern="", models=[model])
    monkeypatch.setattr("genai_prices.data.providers", [one])


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def input_at(moment: str) -> tuple[float, float]:
    found = published("deepseek", "m", at(moment))
    assert found is not None
    return found.price.rates.input, found.until


def test_a_price_by_the_time_of_day_says_until_when_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changing(
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))),
        ConditionalPrice(
            TimeOfDateConstraint(time(22), time(2)), prices=ModelPrice(input_mtok=Decimal(2))
        ),
        monkeypatch=monkeypatch,
    )
    assert input_at("2026-11-26T12:00") == (1, at("2026-11-26T22:00"))
    assert input_at("2026-11-26T22:00") == (2, at("2026-11-27T02:00"))
    assert input_at("2026-11-27T01:59") == (2, at("2026-11-27T02:00"))
    assert input_at("2026-11-27T02:00") == (1, at("2026-11-27T22:00"))


def test_the_worst_of_a_request_is_that_of_the_dearer_side_of_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changing(
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(5))),
        ConditionalPrice(
            TimeOfDateConstraint(time(22), time(2)),
            prices=ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(4)),
        ),
        monkeypatch=monkeypatch,
    )
    for moment in ("2026-11-26T21:59", "2026-11-27T01:59"):
        found = published("deepseek", "m", at(moment))
        assert found is not None
        assert found.price.worst(1_000_000, 1_000_000) == 2 + 5


def test_a_price_that_begins_some_day_holds_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    changing(
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))),
        ConditionalPrice(
            StartDateConstraint(date(2027, 1, 1)), prices=ModelPrice(input_mtok=Decimal(2))
        ),
        monkeypatch=monkeypatch,
    )
    assert input_at("2026-12-31T23:59") == (1, at("2027-01-01T00:00"))
    assert input_at("2027-01-01T00:00") == (2, float("inf"))


def test_without_the_extra_there_is_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    assert published("openai", "gpt-4o-mini", NOW.timestamp()) is None


def test_a_package_of_another_shape_has_no_price_and_breaks_no_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Later:
        id = "openai"

        def find_model(self, name: str) -> None:
            raise AssertionError("it takes other arguments")

    monkeypatch.setattr("genai_prices.data.providers", [Later()])
    assert published("openai", "gpt-4o-mini", NOW.timestamp()) is None
    monkeypatch.setattr("genai_prices.data.providers", None)
    assert published("openai", "gpt-4o-mini", NOW.timestamp()) is None


def test_a_price_needs_no_network_no_thread_and_no_warning() -> None:
    code = (
        "import socket, threading, time\n"
        "def refuse(*args, **kw): raise SystemExit('asked the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from llmbatch.jobs.prices.published import published\n"
        "assert published('openai', 'gpt-4o-mini', time.time())\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_asking_whether_it_is_there_does_not_import_it() -> None:
    code = (
        "import sys\n"
        "from llmbatch.jobs.prices.published import installed\n"
        "assert installed()\n"
        "assert 'genai_prices.data' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
