"""From a route to the provider that asks it."""

from __future__ import annotations

from ..dialects import Dialect
from ..ports import Provider
from .failures import Failures
from .http import Http
from .native import Native
from .quota import no_quota, quota_reader
from .registry import Route
from .wire import Wire


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
        from .litellm import LiteLLM

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
        shape=dialect.shape,
        headers={**dialect.headers, **route.headers},
        timeout=timeout,
        stall_timeout=stall_timeout,
        quota=no_quota if route.embedded else quota_reader(dialect),
    )
    return Native(http, wire_of(dialect, http.failures), name=route.name)


def wire_of(dialect: Dialect, failures: Failures) -> Wire:
    """The wire format of a dialect; only the one that is asked for is imported."""
    match dialect.wire:
        case "openai":
            from .openai import OpenAIWire

            return OpenAIWire(failures, dialect)
        case "openai-responses":
            from .openai import ResponsesWire

            return ResponsesWire(failures, dialect)
        case "anthropic":
            from .anthropic import AnthropicWire

            return AnthropicWire(failures, dialect)
        case "gemini":
            from .gemini import GeminiWire

            return GeminiWire(failures, dialect)
        case "litellm":
            raise ValueError("LiteLLM has no wire format of its own")
