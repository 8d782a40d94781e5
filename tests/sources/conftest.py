"""What the tests of the source share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.model import Rejected, Request, Row
from llmbatch.jobs.sources.rows import RowDefaults, RowParser


@pytest.fixture
def parse() -> Callable[..., Row]:
    """``parse(row, **defaults)``: the row, given as bytes or as a value, is line 7 of in.jsonl."""

    def parsed(row: Any, **defaults: Any) -> Row:
        line = row if isinstance(row, bytes) else json.dumps(row).encode()
        return RowParser(RowDefaults(**{"model": "m", **defaults})).parse(line, 7, "in.jsonl")

    return parsed


@pytest.fixture
def request_of(parse: Callable[..., Row]) -> Callable[..., Request]:
    """As ``parse``, for a row that must be good."""

    def good(row: Any, **defaults: Any) -> Request:
        found = parse(row, **defaults)
        assert isinstance(found, Request), found
        return found

    return good


@pytest.fixture
def reason_of(parse: Callable[..., Row]) -> Callable[..., str]:
    """As ``parse``, for a row that must be rejected: the reason."""

    def bad(row: Any, **defaults: Any) -> str:
        found = parse(row, **defaults)
        assert isinstance(found, Rejected), found
        assert found.error_type == "invalid_row"
        assert (found.line, found.path) == (7, "in.jsonl")
        return found.reason

    return bad


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``write(name, *rows)`` makes a file in the working directory and returns its name."""
    monkeypatch.chdir(tmp_path)

    def written(name: str, *rows: Any) -> str:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        Path(name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return name

    return written
