"""What an entry of ``providers:`` may leave out where the provider is known by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmbatch.jobs.config import ProviderConfig
from llmbatch.jobs.dialects import KNOWN
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings import load


def entry(folder: Path, name: str, *lines: str) -> ProviderConfig:
    text = "".join(f"    {line}\n" for line in lines)
    (folder / "llmbatch.yaml").write_text(f"providers:\n  {name}:\n{text}", encoding="utf-8")
    return load({}, environ={}, cwd=folder).config.providers[name]


@pytest.mark.parametrize("name", KNOWN)
def test_the_address_of_a_known_provider_may_be_left_out(tmp_path: Path, name: str) -> None:
    found = entry(tmp_path, name, "rpm: 5")
    assert (found.base_url, found.rpm) == (KNOWN[name].base_url, 5)


def test_a_key_of_its_own_is_not_overruled(tmp_path: Path) -> None:
    assert entry(tmp_path, "openai", "api_key_env: MINE").api_key_env == "MINE"
    assert entry(tmp_path, "openai", "api_key_env:").api_key_env is None
    assert entry(tmp_path, "openai", "rpm: 5").api_key_env == "OPENAI_API_KEY"


def test_another_address_does_not_get_the_providers_key(tmp_path: Path) -> None:
    assert entry(tmp_path, "openai", "base_url: http://a/v1").api_key_env is None


def test_any_other_server_needs_its_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"providers\.lab: base_url is missing"):
        entry(tmp_path, "lab", "api: anthropic")
