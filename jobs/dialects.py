"""Providers that llmbatch knows by name: where they are, how they want their key, their quirks.

Data alone. How a wire format is spoken stands in :mod:`.providers`; a provider that speaks one of
those at its own address is one entry of :data:`KNOWN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from . import takes
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
    SDK's variable for it, ``tails`` are ends that do not belong there, and ``shape`` is how it is
    to look, in words for a user. ``key_env`` are the
    variables of the key, the first found counts; ``needs_key`` is False where it does without.
    ``header`` carries the key (``authorization`` as ``Bearer``), ``headers`` are sent with every
    request. ``path`` comes between base URL and the endpoint's own path, with ``{model}`` for the
    model's name; ``query`` is what follows a ``?``, and ``query_env`` names variables for it.

    ``endpoints`` are those it serves. ``takes`` are the request parameters that it knows, endpoint
    by endpoint, in OpenAI's words or its own; an endpoint that is not listed takes whatever comes.
    ``renames`` are its own words for OpenAI's. ``asks_usage`` says that the usage of a stream has
    to be asked for (``stream_options``). ``daily`` says that its limit headers count requests a
    day. ``schemas`` says that it takes a ``response_format`` with any ordinary JSON Schema,
    ``closed_schemas`` that it takes one of a strict subset: objects whose keys are all named.
    ``slashes`` says that its model names may hold a slash, so that ``openai/...`` in a row need not
    mean OpenAI.
    """

    wire: Wire = "openai"
    base_url: str | None = None
    url_env: str | None = None
    tails: tuple[str, ...] = _OPENAI_TAILS
    shape: str = "it ends in /v1"
    key_env: tuple[str, ...] = ()
    needs_key: bool = True
    header: str = "authorization"
    headers: Mapping[str, str] = {}
    path: str = ""
    query: Mapping[str, str] = {}
    query_env: Mapping[str, str] = {}
    endpoints: frozenset[Endpoint] = ALL
    takes: takes.Takes = {}
    renames: Mapping[str, str] = {}
    asks_usage: bool = True
    daily: bool = False
    schemas: bool = False
    closed_schemas: bool = False
    slashes: bool = False


ANY_SERVER = Dialect(slashes=True)
"""A server that is known by its address alone: OpenAI's wire format, and no assumption."""

_AZURE_OPENAI = Dialect(
    url_env="AZURE_OPENAI_ENDPOINT",
    tails=("/openai", "/openai/v1", "/openai/deployments", *_OPENAI_TAILS),
    shape="as https://NAME.openai.azure.com, without a path",
    key_env=("AZURE_OPENAI_API_KEY",),
    header="api-key",
    path="/openai/deployments/{model}",
    query={"api-version": "2024-10-21"},  # the last one with a date that is no preview
    query_env={"api-version": "OPENAI_API_VERSION"},
    endpoints=frozenset({"chat", "completions", "embeddings"}),
    takes=takes.AZURE,
    schemas=True,
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
        shape="without /v1",
        header="x-api-key",
        headers={"anthropic-version": "2023-06-01"},
        endpoints=frozenset({"chat"}),
        takes=takes.ANTHROPIC,
        slashes=True,
    ),
    "gemini": Dialect(
        wire="gemini",
        tails=_GEMINI_TAILS,
        shape="without /v1beta",
        header="x-goog-api-key",
        endpoints=frozenset({"chat"}),
        takes=takes.GEMINI,
        slashes=True,
    ),
}
"""What a server with a name of its own in the YAML speaks, by its ``api``."""

LITELLM = Dialect(
    wire="litellm",
    shape="as LiteLLM wants it",
    needs_key=False,
    endpoints=frozenset({"chat"}),
    takes=takes.LITELLM,
    slashes=True,
)
"""Whatever the package litellm knows; where a model is, and its key, are LiteLLM's own affair."""

_ONE_LIMIT = {"max_completion_tokens": "max_tokens"}

KNOWN: Mapping[str, Dialect] = {
    "openai": Dialect(
        base_url="https://api.openai.com/v1",
        url_env="OPENAI_BASE_URL",
        key_env=("OPENAI_API_KEY",),
        takes=takes.OPENAI,
        schemas=True,
    ),
    "openai-responses": Dialect(
        wire="openai-responses",
        base_url="https://api.openai.com/v1",
        url_env="OPENAI_BASE_URL",
        key_env=("OPENAI_API_KEY",),
        endpoints=frozenset({"chat", "responses"}),
        takes=takes.OPENAI_RESPONSES,
        schemas=True,
    ),
    "azure": _AZURE_OPENAI,
    "anthropic": Dialect(
        wire="anthropic",
        base_url="https://api.anthropic.com",
        url_env="ANTHROPIC_BASE_URL",
        key_env=("ANTHROPIC_API_KEY",),
        tails=_ANTHROPIC_TAILS,
        shape="without /v1",
        header="x-api-key",
        headers={"anthropic-version": "2023-06-01"},
        endpoints=frozenset({"chat"}),
        takes=takes.ANTHROPIC,
        closed_schemas=True,
    ),
    "gemini": Dialect(
        wire="gemini",
        base_url="https://generativelanguage.googleapis.com",
        url_env="GOOGLE_GEMINI_BASE_URL",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        tails=_GEMINI_TAILS,
        shape="without /v1beta",
        header="x-goog-api-key",
        endpoints=frozenset({"chat"}),
        takes=takes.GEMINI,
        closed_schemas=True,
    ),
    "openrouter": Dialect(
        base_url="https://openrouter.ai/api/v1", key_env=("OPENROUTER_API_KEY",), slashes=True
    ),
    "groq": Dialect(
        base_url="https://api.groq.com/openai/v1",
        key_env=("GROQ_API_KEY",),
        endpoints=frozenset({"chat", "responses"}),
        takes=takes.GROQ,
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
        takes=takes.MISTRAL,
        renames={**_ONE_LIMIT, "seed": "random_seed", "dimensions": "output_dimension"},
        asks_usage=False,  # it refuses stream_options, and sends the usage unasked
    ),
    "deepseek": Dialect(
        base_url="https://api.deepseek.com/v1",
        key_env=("DEEPSEEK_API_KEY",),
        endpoints=frozenset({"chat", "completions", "responses"}),
        takes=takes.DEEPSEEK,
        renames=_ONE_LIMIT,
    ),
    "xai": Dialect(base_url="https://api.x.ai/v1", key_env=("XAI_API_KEY",), takes=takes.XAI),
    "ollama": Dialect(
        base_url="http://localhost:11434/v1",
        key_env=("OLLAMA_API_KEY",),
        needs_key=False,
        renames=_ONE_LIMIT,
        schemas=True,
        slashes=True,
    ),
    "vllm": Dialect(
        base_url="http://localhost:8000/v1",
        key_env=("VLLM_API_KEY",),
        needs_key=False,
        schemas=True,
        slashes=True,
    ),
    "llamacpp": Dialect(
        base_url="http://localhost:8080/v1",
        key_env=("LLAMA_API_KEY",),
        needs_key=False,
        renames=_ONE_LIMIT,
        schemas=True,
        slashes=True,
    ),
    "litellm": LITELLM,
}
"""The next provider that speaks one of the wire formats is one entry here."""
