"""What the tests of the gate share: requests of a known size, and gates that need few words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from llmbatch.jobs.events import Event
from llmbatch.jobs.limits import open_gate
from llmbatch.jobs.limits.gate import RouteGate
from llmbatch.jobs.model import Endpoint, Request
from llmbatch.jobs.tokens import TokenCounter


def _ask(
    tokens: int = 1,
    *,
    max_tokens: int | None = None,
    endpoint: Endpoint = "completions",
    model: str = "gpt-4o",
) -> Request:
    return Request(
        id="q",
        line=1,
        path="-",
        endpoint=endpoint,
        model=model,
        fingerprint="",
        input=range(tokens),  # token ids count one each
        params={} if max_tokens is None else {"max_tokens": max_tokens},
    )


@pytest.fixture(scope="session")
def ask() -> Callable[..., Request]:
    """Build a request of so many input tokens."""
    return _ask


def _gate_of(
    concurrency: int | Literal["auto"] = 64,
    rpm: float | None = None,
    tpm: float | None = None,
    *,
    ceiling: int = 256,
    shared: Path | None = None,
    events: list[Event] | None = None,
) -> RouteGate:
    return open_gate(
        route="p/m",
        concurrency=concurrency,
        ceiling=ceiling,
        rpm=rpm,
        tpm=tpm,
        counter=TokenCounter(),
        shared=shared,
        observe=(lambda event: None) if events is None else events.append,
    )


@pytest.fixture(scope="session")
def gate_of() -> Callable[..., RouteGate]:
    """Open a gate with these limits; what it reports is added to ``events``."""
    return _gate_of
