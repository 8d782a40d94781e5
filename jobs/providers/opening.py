"""From a route to the provider that asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..dialects import Dialect, Wire
from ..keys import Key
from . import wire
from .anthropic import AnthropicWire
from .failures import Failures
from .gemini import GeminiWire
from .http import Http
from .native import Native
from .openai import OpenAIWire, ResponsesWire
from .quota import no_quota
from .registry import Route


def open_provider(route: Route, *, timeout: float, stall_timeout: float) -> Native:
    """The provider of a route with a server; times in seconds. Nothing is connected yet.

    Raises :class:`..errors.ConfigError` for an address, proxy or header that can't work.
    """
    assert route.base_url is not None  # noqa: S101 - the embedded model's is filled in by now
    dialect = route.dialect
    http = Http(
        route.base_url,
        name=route.name,
        key=route.key,
        header=dialect.header,
        headers={**dialect.headers, **route.headers},
        timeout=timeout,
        stall_timeout=stall_timeout,
        quota=no_quota,
    )
    return Native(http, _WIRES[dialect.wire](http.failures, dialect), name=route.name)


_WIRES: Mapping[str, Callable[[Failures, Dialect], wire.Wire]] = {
    "openai": OpenAIWire,
    "openai-responses": ResponsesWire,
    "anthropic": AnthropicWire,
    "gemini": GeminiWire,
}
