"""What a job is: one frozen value, built from defaults, YAML, environment and flags.

This module holds types and plain data; :mod:`.settings` lays the layers over each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from .model import Endpoint

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]
Rate = Annotated[float, Meta(gt=0)]


class ProviderConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of ``providers:``: an OpenAI-compatible server with a name of its own.

    The key comes from the first of ``api_key_env`` (a variable's name), ``api_key_file`` (a path)
    and ``api_key_cmd`` (a command whose standard output it is); none of them is no key.
    ``rpm``, ``tpm`` and ``concurrency`` are this route's limits where the job names none.
    """

    base_url: str
    api_key_env: str | None = None
    api_key_file: str | None = None
    api_key_cmd: str | None = None
    headers: Mapping[str, str] = {}
    rpm: Rate | None = None
    tpm: Rate | None = None
    concurrency: Count | None = None

    def __repr__(self) -> str:
        return f"ProviderConfig({self.base_url!r})"  # headers and commands may hold secrets


class JobConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that `llmbatch run` can be told.

    ``rpm`` and ``tpm`` are requests and tokens a minute; times are in seconds; ``concurrency`` None
    is the route's own default. ``max_failed`` is a count (``"3"``) or a share (``"5%"``) of failed
    rows that still ends with exit code 0.
    """

    # what goes in
    inputs: tuple[str, ...] = ()
    template: str | None = None
    system: str | None = None
    limit: Count | None = None
    strict: bool = False
    # who answers
    model: str | None = None
    base_url: str | None = None
    endpoint: Endpoint = "chat"
    params: Mapping[str, Any] = {}
    stream: bool = True
    providers: Mapping[str, ProviderConfig] = {}
    # how fast, and how patient
    rpm: Rate | None = None
    tpm: Rate | None = None
    concurrency: Count | None = None
    retries: Natural = 5
    max_wait: Seconds = 120.0
    timeout: Seconds = 600.0
    stall_timeout: Seconds = 30.0
    grace: Annotated[float, Meta(ge=0)] = 10.0
    # what comes out
    output: str | None = None
    format: Literal["jsonl", "openai-batch"] = "jsonl"
    order: Literal["finish", "input"] = "finish"
    fresh: bool = False
    force: bool = False
    max_failed: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?%?$")] = "0"
    summary: str | None = None
    quiet: bool = False


class Known(Struct, frozen=True):
    """A provider that is data alone: it speaks OpenAI's wire format at its own address.

    ``key_env`` None means that no key is needed. ``slashes`` says that its own model names may
    hold a slash, so that ``openai/...`` in a row need not mean OpenAI. ``url_env`` is a variable
    that the provider's SDK takes the address from.
    """

    base_url: str
    key_env: str | None
    slashes: bool = False
    url_env: str | None = None


KNOWN: Mapping[str, Known] = {
    "openai": Known("https://api.openai.com/v1", "OPENAI_API_KEY", url_env="OPENAI_BASE_URL"),
    "openrouter": Known("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", slashes=True),
    "groq": Known("https://api.groq.com/openai/v1", "GROQ_API_KEY", slashes=True),
    "together": Known("https://api.together.ai/v1", "TOGETHER_API_KEY", slashes=True),
    "deepseek": Known("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "xai": Known("https://api.x.ai/v1", "XAI_API_KEY"),
    "ollama": Known("http://localhost:11434/v1", None, slashes=True),
}
"""The next OpenAI-compatible provider is one line here."""
