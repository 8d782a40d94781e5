"""Providers that llmbatch knows by name: where they are, how they want their key, their quirks.

Data alone. How a wire format is spoken stands in :mod:`.providers`; a provider that speaks one of
those at its own address is one entry of :data:`KNOWN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from .model import Endpoint

Api = Literal["openai", "openai-responses", "azure", "anthropic", "gemini"]
"""What a server of one's own may speak; ``api`` in the YAML."""

Wire = Literal["openai", "openai-responses", "anthropic", "gemini", "litellm"]

ALL: frozenset[Endpoint] = frozenset({"chat", "completions", "embeddings", "responses"})

_ANTHROPIC_TAILS = ("/v1/messages", "/messages", "/v1")
_GEMINI_TAILS = ("/v1beta/openai", "/v1beta/models", "/v1/models", "/v1beta", "/v1alpha", "/v1")
_OPENAI_TAILS = ("/chat/completions", "/completions", "/embeddings", "/responses")


class Dialect(Struct, frozen=True, kw_only=True):
    """A provider as data.

    ``base_url`` is what its own SDK takes, None where everybody has an own one; ``url_env`` is the
    SDK's variable for it, and ``tails`` are ends that do not belong there. ``key_env`` are the
    variables of the key, the first found counts; ``needs_key`` is False where it does without.
    ``header`` carries the key (``authorization`` as ``Bearer``), ``headers`` are sent with every
    request. ``path`` comes between base URL and the endpoint's own path, with ``{model}`` for the
    model's name; ``query`` is what follows a ``?``, and ``query_env`` names variables for it.

    ``endpoints`` are those it serves. ``takes`` are the request parameters that it knows, endpoint
    by endpoint, in OpenAI's words or its own; an endpoint that is not listed takes whatever comes.
    ``renames`` are its own words for OpenAI's. ``asks_usage`` says that the usage of a stream has
    to be asked for (``stream_options``). ``daily`` says that its limit headers count requests a
    day. ``slashes`` says that its model names may hold a slash, so that ``openai/...`` in a row
    need not mean OpenAI.
    """

    wire: Wire = "openai"
    base_url: str | None = None
    url_env: str | None = None
    tails: tuple[str, ...] = _OPENAI_TAILS
    key_env: tuple[str, ...] = ()
    needs_key: bool = True
    header: str = "authorization"
    headers: Mapping[str, str] = {}
    path: str = ""
    query: Mapping[str, str] = {}
    query_env: Mapping[str, str] = {}
    endpoints: frozenset[Endpoint] = ALL
    takes: Mapping[Endpoint, frozenset[str]] = {}
    renames: Mapping[str, str] = {}
    asks_usage: bool = True
    daily: bool = False
    slashes: bool = False


ANY_SERVER = Dialect(slashes=True)
"""A server that is known by its address alone: OpenAI's wire format, and no assumption."""


def _words(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


# What each provider takes, from its API reference and the types of its own SDK, October 2026.
_COMMON = (
    "temperature top_p max_tokens max_completion_tokens stop n stream stream_options "
    "presence_penalty frequency_penalty response_format tools tool_choice"
)
_CACHE = "prompt_cache_key prompt_cache_options prompt_cache_retention"
_SHARED = "metadata moderation parallel_tool_calls safety_identifier service_tier store user"

_RESPONSES = _words(
    _CACHE,
    _SHARED,
    "background context_management conversation include instructions max_output_tokens "
    "max_tool_calls previous_response_id prompt reasoning stream stream_options temperature text "
    "tool_choice tools top_logprobs top_p truncation",
)
_OPENAI: Mapping[Endpoint, frozenset[str]] = {
    "chat": _words(
        _COMMON,
        _CACHE,
        _SHARED,
        "audio function_call functions logit_bias logprobs modalities prediction reasoning_effort "
        "seed top_logprobs verbosity web_search_options",
    ),
    "completions": _words(
        "best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed "
        "stop stream stream_options suffix temperature top_p user"
    ),
    "embeddings": _words("dimensions encoding_format user"),
    "responses": _RESPONSES,
}
_OPENAI_RESPONSES: Mapping[Endpoint, frozenset[str]] = {
    "chat": (_RESPONSES - _words("background prompt"))
    | _words(
        "logprobs max_completion_tokens max_tokens n reasoning_effort response_format verbosity"
    ),
    "responses": _RESPONSES,
}
_AZURE: Mapping[Endpoint, frozenset[str]] = {
    "chat": _OPENAI["chat"] | {"data_sources"},
    "completions": _OPENAI["completions"],
    "embeddings": _OPENAI["embeddings"] | {"input_type"},
}
_GROQ: Mapping[Endpoint, frozenset[str]] = {
    "chat": _words(
        _COMMON,
        "citation_options compound_custom disable_tool_validation documents exclude_domains "
        "function_call functions include_domains include_reasoning parallel_tool_calls "
        "reasoning_effort reasoning_format search_settings seed service_tier user",
    )
}
_MISTRAL: Mapping[Endpoint, frozenset[str]] = {
    "chat": _words(
        _COMMON,
        "metadata parallel_tool_calls prediction prompt_cache_key prompt_mode random_seed "
        "reasoning_effort safe_prompt seed",
    )
    - {"stream_options"},
    "embeddings": _words("dimensions encoding_format metadata output_dimension output_dtype"),
}
_DEEPSEEK: Mapping[Endpoint, frozenset[str]] = {
    "chat": _words(_COMMON, "logprobs reasoning_effort thinking top_logprobs")
}
_XAI: Mapping[Endpoint, frozenset[str]] = {
    "chat": _words(
        _COMMON,
        "logprobs parallel_tool_calls prompt_cache_key reasoning_effort search_parameters seed "
        "service_tier top_logprobs user web_search_options",
    )
}

_ANTHROPIC: Mapping[Endpoint, frozenset[str]] = {
    # OpenAI's words that are turned into its own, then its own.
    "chat": _words(
        "max_tokens max_completion_tokens max_output_tokens temperature top_p stop tools",
        "tool_choice parallel_tool_calls response_format reasoning_effort user safety_identifier",
        "n stream stream_options",
        "top_k stop_sequences output_config thinking metadata service_tier cache_control container",
        "context_management diagnostics inference_geo mcp_servers speed",
    )
}

_AZURE_OPENAI = Dialect(
    url_env="AZURE_OPENAI_ENDPOINT",
    tails=("/openai", "/openai/v1", "/openai/deployments", *_OPENAI_TAILS),
    key_env=("AZURE_OPENAI_API_KEY",),
    header="api-key",
    path="/openai/deployments/{model}",
    query={"api-version": "2024-10-21"},  # the last one with a date that is no preview
    query_env={"api-version": "OPENAI_API_VERSION"},
    endpoints=frozenset({"chat", "completions", "embeddings"}),
    takes=_AZURE,
)

APIS: Mapping[Api, Dialect] = {
    "openai": ANY_SERVER,
    "openai-responses": Dialect(
        wire="openai-responses", endpoints=frozenset({"chat", "responses"}), slashes=True
    ),
    "azure": _AZURE_OPENAI,
    "anthropic": Dialect(
        wire="anthropic",
        tails=_ANTHROPIC_TAILS,
        header="x-api-key",
        headers={"anthropic-version": "2023-06-01"},
        endpoints=frozenset({"chat"}),
        takes=_ANTHROPIC,
        slashes=True,
    ),
    "gemini": Dialect(
        wire="gemini",
        tails=_GEMINI_TAILS,
        header="x-goog-api-key",
        endpoints=frozenset({"chat"}),
        slashes=True,
    ),
}
"""What a server with a name of its own in the YAML speaks, by its ``api``."""

_ONE_LIMIT = {"max_completion_tokens": "max_tokens"}

KNOWN: Mapping[str, Dialect] = {
    "openai": Dialect(
        base_url="https://api.openai.com/v1",
        url_env="OPENAI_BASE_URL",
        key_env=("OPENAI_API_KEY",),
        takes=_OPENAI,
    ),
    "openai-responses": Dialect(
        wire="openai-responses",
        base_url="https://api.openai.com/v1",
        url_env="OPENAI_BASE_URL",
        key_env=("OPENAI_API_KEY",),
        endpoints=frozenset({"chat", "responses"}),
        takes=_OPENAI_RESPONSES,
    ),
    "azure": _AZURE_OPENAI,
    "anthropic": Dialect(
        wire="anthropic",
        base_url="https://api.anthropic.com",
        url_env="ANTHROPIC_BASE_URL",
        key_env=("ANTHROPIC_API_KEY",),
        tails=_ANTHROPIC_TAILS,
        header="x-api-key",
        headers={"anthropic-version": "2023-06-01"},
        endpoints=frozenset({"chat"}),
        takes=_ANTHROPIC,
    ),
    "gemini": Dialect(
        wire="gemini",
        base_url="https://generativelanguage.googleapis.com",
        url_env="GOOGLE_GEMINI_BASE_URL",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        tails=_GEMINI_TAILS,
        header="x-goog-api-key",
        endpoints=frozenset({"chat"}),
    ),
    "openrouter": Dialect(
        base_url="https://openrouter.ai/api/v1", key_env=("OPENROUTER_API_KEY",), slashes=True
    ),
    "groq": Dialect(
        base_url="https://api.groq.com/openai/v1",
        key_env=("GROQ_API_KEY",),
        endpoints=frozenset({"chat", "responses"}),
        takes=_GROQ,
        daily=True,
        slashes=True,
    ),
    "together": Dialect(
        base_url="https://api.together.ai/v1",
        url_env="TOGETHER_BASE_URL",
        key_env=("TOGETHER_API_KEY",),
        renames=_ONE_LIMIT,
        slashes=True,
    ),
    "mistral": Dialect(
        base_url="https://api.mistral.ai/v1",
        key_env=("MISTRAL_API_KEY",),
        endpoints=frozenset({"chat", "embeddings"}),
        takes=_MISTRAL,
        renames={**_ONE_LIMIT, "seed": "random_seed", "dimensions": "output_dimension"},
        asks_usage=False,  # it refuses stream_options, and sends the usage unasked
    ),
    "deepseek": Dialect(
        base_url="https://api.deepseek.com/v1",
        key_env=("DEEPSEEK_API_KEY",),
        endpoints=frozenset({"chat", "completions", "responses"}),
        takes=_DEEPSEEK,
        renames=_ONE_LIMIT,
    ),
    "xai": Dialect(base_url="https://api.x.ai/v1", key_env=("XAI_API_KEY",), takes=_XAI),
    "ollama": Dialect(
        base_url="http://localhost:11434/v1",
        key_env=("OLLAMA_API_KEY",),
        needs_key=False,
        renames=_ONE_LIMIT,
        slashes=True,
    ),
    "vllm": Dialect(
        base_url="http://localhost:8000/v1",
        key_env=("VLLM_API_KEY",),
        needs_key=False,
        slashes=True,
    ),
    "llamacpp": Dialect(
        base_url="http://localhost:8080/v1",
        key_env=("LLAMA_API_KEY",),
        needs_key=False,
        renames=_ONE_LIMIT,
        slashes=True,
    ),
    "litellm": Dialect(wire="litellm", slashes=True),
}
"""The next provider that speaks one of the wire formats is one entry here."""
