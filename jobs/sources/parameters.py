"""The request parameters that a row may carry, and their types, in one table.

Names from OpenAI's API reference (chat, completions, embeddings, responses), and the extras that
vLLM, llama.cpp and others agree on.
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

_NOT_EXTRA = ("model", "messages", "prompt", "input")


def merged(base: Mapping[str, Any], own: dict[str, Any]) -> Mapping[str, Any]:
    """The row's parameters laid over the job's; the row's token limit replaces any of the job's."""
    if not own:
        return base
    if not base:
        return own
    if not LIMITS.isdisjoint(own):
        base = {name: value for name, value in base.items() if name not in LIMITS}
    return {**base, **own}


def finish(params: dict[str, Any], extra: object = None) -> None:
    """Merge ``extra_body`` and take out what the job decides: streaming, one answer a row."""
    if extra is not None:
        if type(extra) is not dict:
            raise Invalid(f"extra_body must be an object, got {excerpt(extra)}")
        for name in _NOT_EXTRA:
            if name in extra:
                raise Invalid(f"extra_body can't hold {name}: make it a key of the row")
        params.update(extra)
    if params:
        params.pop("stream", None)
        params.pop("stream_options", None)
        n = params.pop("n", None)
        if n is not None and n != 1:
            raise Invalid(f"n must be 1, got {excerpt(n)}: one row is one answer")


def job_params(params: Mapping[str, Any], endpoint: Endpoint) -> Mapping[str, Any]:
    """The parameters of the whole job, checked. Raises :class:`Invalid`."""
    known = KNOWN[endpoint]
    own = {name: value for name, value in params.items() if name != "extra_body"}
    for name, value in own.items():
        if name in known and value is not None:
            known[name].check(name, value)
    finish(own, params.get("extra_body"))
    return own
