"""How many tokens a model can read and write together, by its provider and its name. Data alone.

Figures of hosted models are those of LiteLLM's ``model_prices_and_context_window.json`` (release
1.110.2, ``max_input_tokens`` and ``max_output_tokens``), the smallest of a family where they
differ and where a name does not say which: a figure that is too small costs a few more requests,
one that is too large costs failed ones. Ollama's is that of its documentation ("Context length":
4k below 24 GB of video memory); it cuts a longer prompt without a word, so that only the user can
know better. What else a server of one's own was started with nobody can tell from a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .embedded.weights import CONTEXT as EMBEDDED

_Figures = tuple[tuple[str, int], ...]

_OPENAI: _Figures = (
    (r"gpt-3\.5-turbo-(instruct|0613|0301)", 4_096),
    (r"gpt-3\.5-turbo", 16_385),
    (r"gpt-4-32k", 32_768),
    (r"gpt-4-(turbo|1106|0125|vision)|gpt-4o|chatgpt-4o|gpt-audio", 128_000),
    (r"gpt-4\.1", 1_047_576),
    (r"gpt-4(-\d{4})?$|computer-use", 8_192),
    (r"o1-(mini|preview)", 128_000),
    (r"o[134](-|$)|codex-mini", 200_000),
    (r"gpt-5(\.\d)?-chat", 111_616),
    (r"gpt-5\.[45](-pro)?(-\d{4}|$)|gpt-5\.6(-(luna|sol|terra)|$)", 922_000),
    (r"gpt-6(\.\d)?-(astra|luna|sol|terra)", 922_000),
    (r"gpt-[5-9]", 272_000),
)
_ANTHROPIC: _Figures = (
    (
        r"claude-(opus|sonnet)-4-[678]|claude-(opus|sonnet|fable|mythos)-5|claude-haiku-5-5",
        1_000_000,
    ),
    (r"claude-(2\.0|instant)", 100_000),
    (r"claude-", 200_000),
)
_GEMINI: _Figures = (
    (r"gemini-.*(tts|image)", 8_192),
    (r"gemini-.*(computer-use|live|native-audio)", 128_000),
    (r"gemini-(robotics|omni)|gemma-3", 131_072),
    (r"gemma-4", 262_144),
    (r"gemini-(1\.5|2|3|4|flash|pro)", 1_048_576),
)
_MISTRAL: _Figures = (
    (r"mistral-large-4", 1_048_576),
    (r"mistral-(large-(3|2512|latest)|medium-(2604|3|latest)|small-(2603|latest))", 262_144),
    (r"magistral-(medium|small)-latest|ministral-(3-)?(8b|14b)-", 262_144),
    (r"devstral-(medium|small)-latest|codestral-mamba", 256_000),
    (r"ministral-", 131_072),
    (r"codestral-(2508|latest)|open-mistral-nemo|pixtral-large", 128_000),
    (r"mistral-(tiny|small|medium|large)|voxtral-", 32_000),
)
_DEEPSEEK: _Figures = (
    (r"deepseek-(flash|v4)", 1_000_000),
    (r"deepseek-v3\.2", 163_840),
    (r"deepseek-(chat|reasoner)", 131_072),
    (r"deepseek-coder", 128_000),
    (r"deepseek-(r1|v3)", 65_536),
)
_XAI: _Figures = (
    (r"grok-4\.(20|3)(?!\d)", 1_000_000),
    (r"grok-4\.\d|grok-build-latest", 500_000),
    (r"grok-(code|build)", 256_000),
)
_GROQ: _Figures = ((r"gpt-oss-|qwen3\.8-", 131_072), (r".*prompt-guard", 512))

_ANY: _Figures = (*_OPENAI, *_ANTHROPIC, *_GEMINI, *_MISTRAL, *_XAI)
"""What only its own makers serve, so that the name says it wherever it is asked for."""

_BY_PROVIDER: Mapping[str, _Figures] = {
    "openai": _OPENAI,
    "openai-responses": _OPENAI,
    "azure": ((r"gpt-3", 4_096), *_OPENAI),
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
    "mistral": _MISTRAL,
    "deepseek": _DEEPSEEK,
    "xai": _XAI,
    "groq": _GROQ,
    "openrouter": _ANY,
    "litellm": _ANY,
    "ollama": ((r"", 4_096),),
    "local": ((r"", EMBEDDED),),
}

_SHORT_ANSWERS: _Figures = (
    (r"gpt-3\.?5|gpt-4-(turbo|1106|0125|vision)|gpt-4o-2024-05-13", 4_096),
    (r"claude-(3-(haiku|opus|sonnet)|2|instant)|deepseek-coder", 4_096),
)

_LONGEST_ANSWERS: _Figures = (
    (r"gpt-3\.?5|gpt-4-(turbo|1106|0125|vision)|gpt-4o-2024-05-13", 4_096),
    (r"gpt-4o|chatgpt-4o|gpt-audio|gpt-5(\.\d)?-chat", 16_384),
    (r"gpt-4\.1", 32_768),
    (r"o[134](-|$)|codex-mini", 100_000),
    (r"gpt-5-pro", 272_000),
    (r"gpt-[56]", 128_000),
    (r"claude-(3-(haiku|opus|sonnet)|2|instant)", 4_096),
    (r"claude-", 128_000),
    (r"gemini-(1\.5|2|3|flash|pro)", 65_536),
    (r"voxtral-", 32_768),
    (r"mistral-large-4", 1_048_576),
    (r"(mi|magi|mini)stral-", 262_144),
)
"""The largest of a family, where that is less than its context."""


def context_of(provider: str, model: str) -> int | None:
    """Tokens of a prompt and its answer together; None where nothing is known.

    ``provider`` is a route's name as results show it, ``model`` what the server calls it.
    """
    provider, name = _split(provider, model)
    return _figure(_BY_PROVIDER.get(provider, ()), name)


def longest_answer(provider: str, model: str) -> int | None:
    """Tokens of the longest answer that an older model can be asked for; None: no such limit."""
    provider, name = _split(provider, model)
    return _figure(_SHORT_ANSWERS if provider in _BY_PROVIDER else (), name)


def most_of_an_answer(provider: str, model: str) -> int | None:
    """Tokens that no answer of the model is longer than; None where nothing is known.

    Ollama writes on beyond a context.
    """
    kind, name = _split(provider, model)
    if kind not in _BY_PROVIDER or kind == "ollama":
        return None
    return _figure(_LONGEST_ANSWERS, name) or context_of(provider, model)


def _split(provider: str, model: str) -> tuple[str, str]:
    """The provider and the bare name: what LiteLLM calls ``ollama/llama3`` is asked of Ollama."""
    path = model.lower().split("/")
    if provider == "litellm" and len(path) > 1 and path[0].split("_")[0] in _BY_PROVIDER:
        provider = path[0].split("_")[0]
    name = path[-1].removeprefix("ft:").rpartition("anthropic.")[2]  # Bedrock's names
    return provider, name


def _figure(figures: _Figures, name: str) -> int | None:
    return next((tokens for pattern, tokens in figures if re.match(pattern, name)), None)
