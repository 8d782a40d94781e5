"""From a route to the provider that asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..dialects import Dialect
from ..ports import Provider
from . import wire
from .anthropic import AnthropicWire
from .failures import Failures
from .gemini import GeminiWire
from .http import Http
from .litellm import LiteLLM
from .native import Native
from .openai import OpenAIWire, ResponsesWire
from .quota import no_quota, quota_reader
from .registry import Route


def open_provider(
    route: Route, *, timeout: float, stall_timeout: float, drop: bool = False
) -> Provider:
    """The provider of a route; times in seconds. Nothing is connected or imported for it yet.

    ``drop`` leaves out the parameters that LiteLLM finds a model not to know. Raises
    :class:`..errors.ConfigError` for an address, proxy or header that can't work, and for a missing
    package.
    """
    dialect = route.dialect
    if dialect.wire == "litellm":
        return LiteLLM(
            route.name,
            key=route.key,
            base_url=route.base_url,
            headers=route.headers,
            timeout=timeout,
            stall_timeout=stall_timeout,
            drop=drop,
        )
    assert route.base_url is not None  # noqa: S101 - the embedded model's is filled in by now
    http = Http(
        route.base_url,
        name=route.name,
        key=route.key,
        header=dialect.header,
        headers={**dialect.headers, **route.headers},
        timeout=timeout,
        stall_timeout=stall_timeout,
        quota=no_quota if route.embedded else quota_reader(dialect),
    )
    return Native(http, _WIRES[dialect.wire](http.failures, dialect), name=route.name)


_WIRES: Mapping[str, Callable[[Failures, Dialect], wire.Wire]] = {
    "openai": OpenAIWire,
    "openai-responses": ResponsesWire,
    "anthropic": AnthropicWire,
    "gemini": GeminiWire,
}
