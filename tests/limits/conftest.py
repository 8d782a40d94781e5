"""What the tests of the gate share: requests of a known size."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmbatch.jobs.model import Endpoint, Request


def _ask(
    tokens: int = 1, *, max_tokens: int | None = None, endpoint: Endpoint = "completions"
) -> Request:
    return Request(
        id="q",
        line=1,
        path="-",
        endpoint=endpoint,
        model="gpt-4o",
        fingerprint="",
        input=range(tokens),  # token ids count one each
        params={} if max_tokens is None else {"max_tokens": max_tokens},
    )


@pytest.fixture(scope="session")
def ask() -> Callable[..., Request]:
    """Build a request of so many input tokens."""
    return _ask
