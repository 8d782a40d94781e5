"""What is known of models' contexts: never more than they have."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.contexts import context_of, longest_answer, most_of_an_answer
from llmbatch.jobs.embedded.weights import CONTEXT

PROVIDERS = ("openai", "anthropic", "gemini", "mistral", "deepseek", "xai", "groq", "azure")


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "gpt-4o-mini", 128_000),
        ("openai", "gpt-4", 8_192),
        ("openai", "gpt-4.1-nano", 1_047_576),
        ("openai", "ft:gpt-4o-2024-08-06:acme::1", 128_000),
        ("openai", "o3", 200_000),
        ("openai", "gpt-5-mini", 272_000),
        ("azure", "gpt-35-turbo", 4_096),
        ("anthropic", "claude-sonnet-4-5", 200_000),
        ("anthropic", "claude-opus-4-6", 1_000_000),
        ("gemini", "gemini-2.5-flash", 1_048_576),
        ("mistral", "mistral-large-latest", 262_144),
        ("deepseek", "deepseek-chat", 131_072),
        ("groq", "openai/gpt-oss-120b", 131_072),
        ("openrouter", "anthropic/claude-3.5-sonnet", 200_000),
        ("litellm", "bedrock/us.anthropic.claude-3-haiku-20240307-v1:0", 200_000),
        ("litellm", "ollama_chat/gpt-oss-20b", 4_096),
        ("ollama", "llama3.1:70b", 4_096),
        ("local", "smollm2", CONTEXT),
        ("local", "/models/Qwen.gguf", CONTEXT),
    ],
)
def test_a_model_is_known_by_its_provider_and_name(provider: str, model: str, tokens: int) -> None:
    assert context_of(provider, model) == tokens


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "davinci-002"),
        ("openai-compatible", "gpt-4o"),
        ("vllm", "meta-llama/Llama-3.1-8B-Instruct"),
        ("mine", "gpt-4o"),
        ("openrouter", "meta-llama/llama-3.1-8b-instruct"),
        ("litellm", "together_ai/qwen-2"),
        ("azure", "our-deployment"),
        ("", ""),
    ],
)
def test_of_others_nothing_is_said(provider: str, model: str) -> None:
    assert context_of(provider, model) is None


def test_older_models_have_a_limit_of_their_answers() -> None:
    assert longest_answer("openai", "gpt-4-turbo") == 4_096
    assert longest_answer("anthropic", "claude-3-haiku-20240307") == 4_096
    assert longest_answer("openai", "gpt-4o-mini") is None
    assert longest_answer("mine", "gpt-4-turbo") is None


def litellms_figures() -> dict[str, Any]:
    found = find_spec("litellm")
    if found is None or found.origin is None:
        pytest.skip("LiteLLM's figures are not here: pip install litellm")
    path = Path(found.origin).with_name("model_prices_and_context_window_backup.json")
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def test_no_answer_is_longer_than_what_a_budget_counts_with() -> None:
    known = 0
    for name, entry in litellms_figures().items():
        provider, most = entry.get("litellm_provider"), entry.get("max_output_tokens")
        if provider not in PROVIDERS or entry.get("mode") not in ("chat", "responses") or not most:
            continue
        ours = most_of_an_answer(provider, name.removeprefix(f"{provider}/"))
        known += ours is not None
        assert ours is None or ours >= most, f"{name} answers in {most}, not {ours}"
    assert known > 100
    assert most_of_an_answer("openai", "gpt-4o-mini") == 16_384
    assert most_of_an_answer("ollama", "llama3") is None


def test_no_figure_is_above_litellms() -> None:
    known = 0
    for name, entry in litellms_figures().items():
        provider, most = entry.get("litellm_provider"), entry.get("max_input_tokens")
        if provider not in PROVIDERS or entry.get("mode") != "chat" or not most:
            continue
        model = name.removeprefix(f"{provider}/")
        ours = context_of(provider, model)
        known += ours is not None
        assert ours is None or ours <= most, f"{name} has {most}, not {ours}"
        answer = entry.get("max_output_tokens")
        if answer and answer < 8_192 and ours:
            default = min(ours // 8, longest_answer(provider, model) or 8_192)
            assert default <= answer, f"{name} answers in {answer} at most"
    assert known > 100
