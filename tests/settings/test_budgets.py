"""Settings of a budget: numbers above nothing, wherever they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings import load


@pytest.mark.parametrize("name", ["max_cost", "max_tokens_total"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "lots"])
def test_a_budget_that_is_none_is_refused(tmp_path: Path, name: str, value: str) -> None:
    flag, variable = f"--{name.replace('_', '-')}", f"LLMBATCH_{name.upper()}"
    number = value if value.lstrip("-").isdigit() else value if value == "lots" else f".{value}"
    what = "must be a number" if value.isalpha() else "must be "
    (tmp_path / "llmbatch.yaml").write_text("{}")
    with pytest.raises(ConfigError, match=f'^{flag}: {what}.*, got "{value}"$'):
        load({name: value}, environ={}, cwd=tmp_path)
    with pytest.raises(ConfigError, match=f'^{variable}: {what}.*, got "{value}"$'):
        load({}, environ={variable: value}, cwd=tmp_path)
    (tmp_path / "llmbatch.yaml").write_text(f"{name}: {number}\n")
    with pytest.raises(ConfigError, match=rf"^llmbatch\.yaml:1: {name}: must be "):
        load({}, environ={}, cwd=tmp_path)


def test_a_number_of_tokens_is_whole(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'--max-tokens-total: .*"1\.5"'):
        load({"max_tokens_total": "1.5"}, environ={}, cwd=tmp_path)
