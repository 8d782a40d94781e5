"""What to say of a model's name that leads to no provider."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from ..dialects import KNOWN
from ..errors import ConfigError

_HINTS = (
    (re.compile(r"gpt-|chatgpt-|o\d|text-embedding-"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "gemini"),
    (
        re.compile(r"(open-)?(mi[sx]tral|ministral|magistral|codestral|devstral|pixtral)-"),
        "mistral",
    ),
    (re.compile(r"smollm2$|.*\.gguf$"), "local"),
    (re.compile(r"deepseek-"), "deepseek"),
    (re.compile(r"grok-"), "xai"),
)
_LIKE_A_KEY = re.compile(r"([\w-]+/)?(sk-|gsk_|xai-|hf_|AIza)[A-Za-z0-9_-]{16,}")


def refuse_key(model: str) -> None:
    """Raises :class:`ConfigError` for what looks like a key in the place of a name."""
    if _LIKE_A_KEY.fullmatch(model):
        raise ConfigError(
            "model holds what looks like a key, which is not shown here; a key comes from a "
            "variable, such as OPENAI_API_KEY, and --model names who answers, as PROVIDER/NAME"
        )


def unknown(model: str, own: Iterable[str]) -> ConfigError:
    """``own`` are the providers of the YAML."""
    names = list(dict.fromkeys((*own, *KNOWN, "local")))
    listed = ", ".join(names)
    prefix, slash, rest = model.partition("/")
    if slash:
        near = difflib.get_close_matches(prefix, names, 1)
        hint = f"; did you mean {near[0]}/{rest}?" if near else "."
        return ConfigError(
            f'model "{model}": no provider is called {prefix}{hint} Known are {listed}; '
            "any other OpenAI-compatible server goes by --base-url URL"
        )
    owner = next((owner for pattern, owner in _HINTS if pattern.match(model)), None)
    hint = f"; did you mean {owner}/{model}?" if owner else "."
    return ConfigError(
        f'model "{model}" names no provider{hint} Write PROVIDER/NAME, with one of {listed}, '
        "or give --base-url URL of the server that knows it"
    )
