"""Every provider that the contract tests are run for. A new one is one line here."""

from __future__ import annotations

from collections.abc import Sequence

from .anthropic import Anthropic
from .gemini import Gemini
from .hosted import XAI, Azure, DeepSeek, Groq, Mistral, OpenRouter, Together
from .openai import Completions, OpenAI
from .responses import Responses
from .servers import VLLM, AnyServer, LlamaCpp, Ollama, VLLMCompletions
from .shapes import Shape

SHAPES: Sequence[Shape] = (
    OpenAI(),
    Completions(),
    Responses("openai responses", "openai", "responses"),
    Responses("chat through responses", "openai-responses", "chat"),
    Anthropic(),
    Gemini(),
    Azure(),
    OpenRouter(),
    Groq(),
    Mistral(),
    DeepSeek(),
    XAI(),
    Together(),
    Ollama(),
    VLLM(),
    VLLMCompletions(),
    LlamaCpp(),
    AnyServer(),
)
