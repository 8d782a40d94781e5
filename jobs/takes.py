"""The request parameters that each provider knows, in OpenAI's words or its own: data alone.

From each provider's API reference and the types of its own SDK, October 2026. What an endpoint
does not list here reaches the provider through ``extra_body`` only.
"""

from __future__ import annotations

from collections.abc import Mapping

from .model import Endpoint

Takes = Mapping[Endpoint, frozenset[str]]


def words(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


_COMMON = (
    "temperature top_p max_tokens max_completion_tokens stop n stream stream_options "
    "presence_penalty frequency_penalty response_format tools tool_choice"
)
_CACHE = "prompt_cache_key prompt_cache_options prompt_cache_retention"
_SHARED = "metadata moderation parallel_tool_calls safety_identifier service_tier store user"

RESPONSES = words(
    _CACHE,
    _SHARED,
    "background context_management conversation include instructions max_output_tokens "
    "max_tool_calls previous_response_id prompt reasoning stream stream_options temperature text "
    "tool_choice tools top_logprobs top_p truncation",
)
OPENAI: Takes = {
    "chat": words(
        _COMMON,
        _CACHE,
        _SHARED,
        "audio function_call functions logit_bias logprobs modalities prediction reasoning_effort "
        "seed top_logprobs verbosity web_search_options",
    ),
    "completions": words(
        "best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed "
        "stop stream stream_options suffix temperature top_p user"
    ),
    "embeddings": words("dimensions encoding_format user"),
    "responses": RESPONSES,
}
OPENAI_RESPONSES: Takes = {
    "chat": (RESPONSES - words("background prompt"))
    | words(
        "logprobs max_completion_tokens max_tokens n reasoning_effort response_format verbosity"
    ),
    "responses": RESPONSES,
}
AZURE: Takes = {
    "chat": OPENAI["chat"] | {"data_sources"},
    "completions": OPENAI["completions"],
    "embeddings": OPENAI["embeddings"] | {"input_type"},
}
GEMINI: Takes = {
    "chat": words(
        _COMMON,
        "cachedContent cached_content generationConfig generation_config logprobs "
        "max_output_tokens reasoning_effort safetySettings safety_settings seed service_tier "
        "thinkingConfig thinking_config toolConfig tool_config top_k top_logprobs",
    )
}
GROQ: Takes = {
    "chat": words(
        _COMMON,
        "citation_options compound_custom disable_tool_validation documents exclude_domains "
        "function_call functions include_domains include_reasoning parallel_tool_calls "
        "reasoning_effort reasoning_format search_settings seed service_tier user",
    )
}
MISTRAL: Takes = {
    "chat": words(
        _COMMON,
        "metadata parallel_tool_calls prediction prompt_cache_key prompt_mode random_seed "
        "reasoning_effort safe_prompt seed",
    )
    - {"stream_options"},
    "embeddings": words("dimensions encoding_format metadata output_dimension output_dtype"),
}
DEEPSEEK: Takes = {"chat": words(_COMMON, "logprobs reasoning_effort thinking top_logprobs")}
XAI: Takes = {
    "chat": words(
        _COMMON,
        "logprobs parallel_tool_calls prompt_cache_key reasoning_effort search_parameters seed "
        "service_tier top_logprobs user web_search_options",
    )
}

ANTHROPIC: Takes = {
    # OpenAI's words that are turned into its own, then its own.
    "chat": words(
        "max_tokens max_completion_tokens max_output_tokens temperature top_p stop tools",
        "tool_choice parallel_tool_calls response_format reasoning_effort user safety_identifier",
        "n stream stream_options",
        "top_k stop_sequences output_config thinking metadata service_tier cache_control container",
        "context_management diagnostics inference_geo mcp_servers speed",
    )
}
LITELLM: Takes = {
    # The arguments of acompletion that are parts of a request; it has four hundred more, such
    # as addresses and files with keys, which a row must not set.
    "chat": words(
        _COMMON,
        "audio function_call functions logit_bias logprobs modalities parallel_tool_calls "
        "prediction prompt_cache_key prompt_cache_retention reasoning_effort "
        "safety_identifier seed service_tier store thinking top_logprobs user verbosity "
        "web_search_options",
        "documents guardrailConfig min_p performanceConfig repetition_penalty safety_settings "
        "top_k",
    )
}
