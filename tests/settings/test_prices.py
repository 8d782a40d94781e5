"""``prices:`` and its flags: where they may stand, and what a mistake in one says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.config import PriceConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings import Settings, load

WHERE = "llmbatch.yaml:3: prices.openai/gpt-4.1"


def loaded(
    folder: Path,
    yaml: str = "",
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    profile: str | None = None,
) -> Settings:
    (folder / "llmbatch.yaml").write_text(yaml)
    return load(flags or {}, environ=environ or {}, cwd=folder, profile=profile)


def entry(lines: str) -> str:
    return f"prices:\n  openai/*: {{input: 1, output: 2}}\n  openai/gpt-4.1: {lines}\n"


def test_an_entry_has_two_prices_and_may_have_two_more(tmp_path: Path) -> None:
    yaml = entry("{input: 2, output: 8.5, cached: 0.5, cache_write: 2.5}")
    settings = loaded(tmp_path, yaml)
    assert settings.config.prices == {
        "openai/*": PriceConfig(input=1, output=2),
        "openai/gpt-4.1": PriceConfig(input=2, output=8.5, cached=0.5, cache_write=2.5),
    }
    assert settings.origins["prices.openai/gpt-4.1.cached"] == "llmbatch.yaml:3"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("{input: 2, outputs: 8}", ".outputs: unknown key; did you mean output?"),
        ("{input: 2}", ": output missing: USD for a million tokens"),
        ("", ": input and output missing: USD for a million tokens"),
        ("{cached: 1}", ": input and output missing: USD for a million tokens"),
        ("{input: -2, output: 8}", ".input: must be 0 or more, got -2"),
        ("{input: 2, output: .nan}", ".output: must be a number, got nan"),
        ("{input: 2, output: .inf}", ".output: must be a number, got inf"),
        ("{input: 2, output: cheap}", '.output: must be a number, got "cheap"'),
        ("{input: $2, output: 8}", '.input: must be a number, got "$2"'),
        ("{input: true, output: 8}", ".input: must be a number, got true"),
        ("{input: [2], output: 8}", ".input: must be a number, got a list"),
        ("3", ": must be a mapping, with name: value lines below"),
    ],
)
def test_a_mistake_names_its_line_and_key(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, entry(lines))
    assert str(caught.value) == WHERE + message


def test_a_price_of_nothing_is_a_price(tmp_path: Path) -> None:
    prices = loaded(tmp_path, entry("{input: 0, output: 0}")).config.prices
    assert prices["openai/gpt-4.1"] == PriceConfig(input=0, output=0)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    yaml = entry("{input: 1, output: 1}") + "  openai/gpt-4.1: {input: 2, output: 2}\n"
    with pytest.raises(ConfigError, match=r"llmbatch.yaml:4: .*openai/gpt-4\.1"):
        loaded(tmp_path, yaml)


def test_a_profiles_entries_are_laid_over_field_by_field(tmp_path: Path) -> None:
    yaml = entry("{input: 2, output: 8, cached: 1}") + (
        "profiles:\n  half:\n    prices:\n      openai/gpt-4.1: {input: 1, output: 4}\n"
        "      mine/m: {input: 3, output: 3}\n"
    )
    settings = loaded(tmp_path, yaml, profile="half")
    assert settings.config.prices["openai/gpt-4.1"] == PriceConfig(input=1, output=4, cached=1)
    assert settings.config.prices["mine/m"] == PriceConfig(input=3, output=3)
    assert set(settings.config.prices) == {"openai/*", "openai/gpt-4.1", "mine/m"}
    origin = settings.origins["prices.openai/gpt-4.1.input"]
    assert origin == "llmbatch.yaml:7 (profile half)"


def test_flags_come_before_variables_and_those_before_the_file(tmp_path: Path) -> None:
    environ = {"LLMBATCH_PRICE_IN": "2", "LLMBATCH_PRICE_OUT": "3"}
    settings = loaded(tmp_path, "price_in: 1\nprice_out: 1\n", {"price_in": "4.5"}, environ)
    assert (settings.config.price_in, settings.config.price_out) == (4.5, 3)
    assert settings.origins["price_in"] == "--price-in"
    assert settings.origins["price_out"] == "LLMBATCH_PRICE_OUT"


@pytest.mark.parametrize("value", ["-1", "nan", "free", "1e400"])
def test_a_flag_that_is_no_price_is_refused_by_its_name(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, flags={"price_out": value})
    assert str(caught.value).startswith("--price-out: must be ")
