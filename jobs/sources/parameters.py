"""The request parameters that a row may carry, and their types, in one table.

Names from OpenAI's API reference (chat, completions, embeddings, responses), and the extras that
vLLM, llama.cpp and others agree on; and providers' own words, where no column of data is likely to
be called the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ..model import Endpoint
from .invalid import Invalid, excerpt


class Kind(Struct, frozen=True):
    """The JSON types that a parameter may have; ``items`` those of a list's elements."""

    words: str
    types: frozenset[type]
    items: type | None = None

    def check(self, name: str, value: object) -> None:
        """Raises :class:`Invalid` naming the parameter and the place within it."""
        if type(value) not in self.types:
            raise Invalid(f"{name} must be {self.words}, got {excerpt(value)}")
        if self.items is not None and type(value) is list:
            for n, item in enumerate(value):
                if type(item) is not self.items:
                    word = "an object" if self.items is dict else "a string"
                    raise Invalid(f"{name}[{n}] must be {word}, got {excerpt(item)}")


NUMBER = Kind("a number", frozenset({int, float}))
COUNT = Kind("a whole number", frozenset({int}))
FLAG = Kind("true or false", frozenset({bool}))
TEXT = Kind("a string", frozenset({str}))
OBJECT = Kind("an object", frozenset({dict}))
LIST = Kind("a list", frozenset({list}))
OBJECTS = Kind("a list of objects", frozenset({list}), items=dict)
STOP = Kind("a string or a list of strings", frozenset({str, list}), items=str)
CHOICE = Kind("a string or an object", frozenset({str, dict}))
TEXTS = Kind("a list of strings", frozenset({list}), items=str)
LOGPROBS = Kind("true, false or a whole number", frozenset({bool, int}))
ANY = Kind("anything", frozenset({bool, int, float, str, dict, list}))

_EVERYWHERE: tuple[tuple[Kind, str], ...] = (
    (NUMBER, "temperature top_p presence_penalty frequency_penalty"),
    (NUMBER, "top_a min_p typical_p repetition_penalty repeat_penalty length_penalty"),
    (COUNT, "max_tokens max_completion_tokens max_output_tokens min_tokens max_tool_calls"),
    (COUNT, "n seed top_k top_logprobs prompt_logprobs best_of truncate_prompt_tokens"),
    (FLAG, "store parallel_tool_calls ignore_eos skip_special_tokens cache_prompt"),
    (FLAG, "add_generation_prompt continue_final_message include_stop_str_in_output"),
    (TEXT, "user service_tier reasoning_effort verbosity safety_identifier"),
    (TEXT, "prompt_cache_key prompt_cache_retention grammar guided_regex guided_grammar"),
    (OBJECT, "response_format logit_bias prediction audio web_search_options"),
    (OBJECT, "thinking structured_outputs chat_template_kwargs"),
    (OBJECTS, "tools functions"),
    (LIST, "modalities stop_token_ids bad_words guided_choice"),
    (CHOICE, "tool_choice function_call guided_json"),
    (STOP, "stop"),
    (LOGPROBS, "logprobs"),
    (ANY, "stream stream_options"),
    (COUNT, "random_seed"),
    (FLAG, "safe_prompt include_reasoning disable_tool_validation"),
    (TEXT, "prompt_mode reasoning_format inference_geo cached_content cachedContent"),
    (OBJECT, "prompt_cache_options output_config cache_control compound_custom"),
    (OBJECT, "search_parameters search_settings generation_config generationConfig"),
    (OBJECT, "thinking_config thinkingConfig tool_config toolConfig"),
    (OBJECTS, "data_sources mcp_servers safety_settings safetySettings"),
    (TEXTS, "stop_sequences"),
)

# Words that are a parameter of one endpoint, and too common elsewhere to be taken for one.
_ONLY: Mapping[Endpoint, tuple[tuple[Kind, str], ...]] = {
    "chat": (),
    "completions": ((FLAG, "echo"), (TEXT, "suffix")),
    "embeddings": ((COUNT, "dimensions"), (TEXT, "encoding_format input_type")),
    "responses": (
        (TEXT, "instructions previous_response_id truncation"),
        (OBJECT, "text reasoning"),
        (LIST, "include context_management"),
        (CHOICE, "conversation"),
        (FLAG, "background"),
    ),
}

KNOWN: Mapping[Endpoint, Mapping[str, Kind]] = {
    endpoint: {name: kind for kind, names in (*_EVERYWHERE, *only) for name in names.split()}
    for endpoint, only in _ONLY.items()
}
"""The parameters of each endpoint."""

LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
"""Names of one and the same thing: the longest answer, in tokens."""

DECIDED = frozenset({"stream", "stream_options", "n"})
"""What the job decides: streaming, one answer a row."""

_NOT_EXTRA = ("model", "messages", "prompt", "input")
_NOTHING: Mapping[str, Any] = {}


def merged(
    base: Mapping[str, Any], own: Mapping[str, Any], extra: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The row's parameters laid over the job's; the row's token limit replaces any of the job's.

    ``extra`` is the row's ``extra_body``, which may hold that limit too.
    """
    if not base:
        return own
    if not (own or extra):
        return base
    if not (LIMITS.isdisjoint(own) and LIMITS.isdisjoint(extra)):
        base = {name: value for name, value in base.items() if name not in LIMITS}
    return {**base, **own}


def merged_extra(
    base: Mapping[str, Any], own: Mapping[str, Any], extra: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The row's ``extra_body`` laid over the job's, which yields to the row's parameters too."""
    if not base or not (own or extra):
        return base or extra
    limited = not (LIMITS.isdisjoint(own) and LIMITS.isdisjoint(extra))
    kept = {
        name: value
        for name, value in base.items()
        if name not in own and not (limited and name in LIMITS)
    }
    return {**kept, **extra}


def finish(params: dict[str, Any]) -> None:
    """Take out what the job decides: streaming, one answer a row."""
    if not DECIDED.isdisjoint(params):
        params.pop("stream", None)
        params.pop("stream_options", None)
        _one_answer(params.pop("n", None))


def extra_of(extra: object) -> Mapping[str, Any]:
    """What ``extra_body`` adds to the body, checked. ``stream_options`` may stand here alone."""
    if extra is None:
        return _NOTHING
    if type(extra) is not dict:
        raise Invalid(f"extra_body must be an object, got {excerpt(extra)}")
    for name in _NOT_EXTRA:
        if name in extra:
            raise Invalid(f"extra_body can't hold {name}: make it a key of the row")
    _one_answer(extra.get("n"))
    return {name: value for name, value in extra.items() if name not in ("stream", "n")}


def _one_answer(n: object) -> None:
    if n is not None and n != 1:
        raise Invalid(f"n must be 1, got {excerpt(n)}: one row is one answer")


def job_params(
    params: Mapping[str, Any], endpoint: Endpoint
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The parameters of the whole job, and its ``extra_body``, checked.

    Raises :class:`Invalid`.
    """
    known = KNOWN[endpoint]
    own = {name: value for name, value in params.items() if name != "extra_body"}
    for name, value in own.items():
        if name in known and value is not None:
            known[name].check(name, value)
    finish(own)
    return own, extra_of(params.get("extra_body"))
