"""Known request parameters are typed; the job's stand beneath the row's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmbatch.jobs.dialects import KNOWN as KNOWN_PROVIDERS
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.fitting import Fit
from llmbatch.jobs.model import Request
from llmbatch.jobs.sources.parameters import KNOWN
from llmbatch.jobs.sources.rows import RowDefaults, RowParser

RequestOf = Callable[..., Request]
ReasonOf = Callable[..., str]


def batch(extra: dict[str, Any]) -> dict[str, Any]:
    """The url and body of a batch line that asks what ``{"prompt": "x", "seed": 1}`` does."""
    body = {"messages": [{"role": "user", "content": "x"}], "seed": 1, **extra}
    return {"url": "/v1/chat/completions", "body": body}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("temperature", "hot", 'temperature must be a number, got "hot"'),
        ("temperature", True, "temperature must be a number, got true"),
        ("max_tokens", "64", 'max_tokens must be a whole number, got "64"'),
        ("max_tokens", 6.5, "max_tokens must be a whole number, got 6.5"),
        ("top_k", [], "top_k must be a whole number, got a list"),
        ("stop", 3, "stop must be a string or a list of strings, got 3"),
        ("stop", ["a", 3], "stop[1] must be a string, got 3"),
        ("tools", {}, "tools must be a list of objects, got an object"),
        ("tools", [{}, "t"], 'tools[1] must be an object, got "t"'),
        ("response_format", "json", 'response_format must be an object, got "json"'),
        ("store", "yes", 'store must be true or false, got "yes"'),
        ("user", 4, "user must be a string, got 4"),
        ("logprobs", "5", 'logprobs must be true, false or a whole number, got "5"'),
        ("tool_choice", 1, "tool_choice must be a string or an object, got 1"),
        ("seed", "x" * 200, 'seed must be a whole number, got "' + "x" * 59 + '…"'),
        ("n", "two", 'n must be a whole number, got "two"'),
        ("n", 3, "n must be 1, got 3: one row is one answer"),
        ("extra_body", [], "extra_body must be an object, got a list"),
        ("extra_body", {"n": 2}, "n must be 1, got 2: one row is one answer"),
        (
            "extra_body",
            {"messages": []},
            "extra_body can't hold messages: make it a key of the row",
        ),
    ],
)
def test_a_wrong_type_is_named_with_what_it_should_be(
    reason_of: ReasonOf, name: str, value: Any, reason: str
) -> None:
    assert reason_of({"prompt": "x", name: value}) == reason
    if name != "extra_body":
        line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
        body = {"messages": [{"role": "user", "content": "x"}], name: value}
        assert reason_of({**line, "body": body}) == reason


def test_every_parameter_takes_its_own_kind_and_no_other(
    request_of: RequestOf, reason_of: ReasonOf
) -> None:
    samples: list[Any] = [True, 1, 1.5, "s", {"a": 1}, [], [{"a": 1}], ["s"]]
    taken_out = {"stream", "stream_options", "n"}
    for endpoint, kinds in KNOWN.items():
        for name, kind in kinds.items():
            for value in samples:
                items_fit = (
                    kind.items is None
                    or type(value) is not list
                    or all(type(item) is kind.items for item in value)
                )
                if type(value) in kind.types and items_fit:
                    found = request_of({"prompt": "x", name: value}, endpoint=endpoint)
                    kept = {} if name in taken_out else {name: value}
                    assert found.params == kept
                    assert found.metadata == {}
                else:
                    assert name in reason_of({"prompt": "x", name: value}, endpoint=endpoint)


def test_the_row_outranks_the_job_and_null_is_as_good_as_missing(request_of: RequestOf) -> None:
    job = {"temperature": 0.5, "top_p": 0.9}
    row = {"prompt": "x", "temperature": 1, "top_p": None, "seed": 4}
    assert request_of(row, params=job).params == {"temperature": 1, "top_p": 0.9, "seed": 4}
    assert request_of("x", params=job).params == job


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_rows_token_limit_replaces_the_jobs_under_any_name(
    request_of: RequestOf, name: str
) -> None:
    found = request_of({"prompt": "x", name: 9}, params={"max_completion_tokens": 500, "seed": 1})
    assert found.params == {name: 9, "seed": 1}
    assert found.max_tokens == 9


def test_streaming_and_one_answer_are_the_jobs_business(request_of: RequestOf) -> None:
    row = {"prompt": "x", "stream": False, "stream_options": {"a": 1}, "n": 1}
    assert request_of(row).params == {}
    assert request_of(row).metadata == {}


def test_extra_body_is_kept_apart_and_counts_as_part_of_the_request(
    request_of: RequestOf,
) -> None:
    extra = {"provider": {"a": 1}, "seed": 2}
    found = request_of({"prompt": "x", "seed": 1, "extra_body": extra})
    assert (found.params, found.extra, found.metadata) == ({"seed": 1}, extra, {})
    same = request_of({"custom_id": "a", "method": "POST", **batch(extra)})
    assert found.fingerprint == same.fingerprint
    assert found.fingerprint != request_of({"prompt": "x", "seed": 2}).fingerprint
    assert request_of({"prompt": "x", "extra_body": None}).extra == {}


def test_the_jobs_extra_body_lies_under_all_that_the_row_says(request_of: RequestOf) -> None:
    job = {"seed": 1, "extra_body": {"a": 1, "top_k": 4, "max_tokens": 9}}
    for row, params, extra in (
        ({}, {"seed": 1}, {"a": 1, "top_k": 4, "max_tokens": 9}),
        ({"top_k": 5}, {"seed": 1, "top_k": 5}, {"a": 1, "max_tokens": 9}),
        ({"extra_body": {"a": 2}}, {"seed": 1}, {"a": 2, "top_k": 4, "max_tokens": 9}),
        (
            {"max_completion_tokens": 5},
            {"seed": 1, "max_completion_tokens": 5},
            {"a": 1, "top_k": 4},
        ),
    ):
        found = request_of({"prompt": "x", **row}, params=job)
        assert (found.params, found.extra) == (params, extra)
        plain = {key: value for key, value in job.items() if key != "extra_body"}
        whole = request_of({"prompt": "x", "extra_body": extra, **params}, params=plain)
        assert whole.fingerprint == found.fingerprint


def test_a_token_limit_in_the_rows_extra_body_replaces_the_jobs(request_of: RequestOf) -> None:
    row = {"prompt": "x", "extra_body": {"max_tokens": 7}}
    found = request_of(row, params={"max_completion_tokens": 500})
    assert (found.params, found.extra, found.max_tokens) == ({}, {"max_tokens": 7}, 7)


def test_how_an_answer_is_sent_is_not_for_extra_body_to_say(request_of: RequestOf) -> None:
    row = {"prompt": "x", "extra_body": {"stream": False, "n": 1, "stream_options": None}}
    found = request_of(row)
    assert found.extra == {"stream_options": None}
    assert found.fingerprint == request_of("x").fingerprint


# what the provider takes


def fit(name: str, *, drop: bool = False) -> Fit:
    return Fit(name, KNOWN_PROVIDERS[name], drop)


def test_a_parameter_that_the_provider_does_not_know_makes_the_row_invalid(
    reason_of: ReasonOf,
) -> None:
    for name, value, owner in (
        ("top_k", 5, "openai"),
        ("seed", 5, "deepseek"),
        ("logprobs", True, "groq"),
        ("thinking", {"type": "enabled"}, "mistral"),
        ("stop", "x", "openai-responses"),
        ("logit_bias", {}, "openai-responses"),
    ):
        assert reason_of({"prompt": "x", name: value}, fit=fit(owner)) == (
            f"{owner} does not know the parameter {name}: leave it out, let --drop-params do so, "
            "or put it into extra_body to send it all the same"
        )
    assert reason_of({"prompt": "x", "top_k": 5, "min_p": 1}, fit=fit("openai")).startswith(
        "openai does not know the parameters min_p, top_k: leave them out"
    )


def test_the_same_for_the_body_of_a_batch_line(reason_of: ReasonOf, request_of: RequestOf) -> None:
    row = {"custom_id": "a", "method": "POST", **batch({"made_up": 1})}
    assert "does not know the parameter made_up" in reason_of(row, fit=fit("openai"))
    assert request_of(row, fit=fit("openrouter")).params["made_up"] == 1


@pytest.mark.parametrize("name", ["openrouter", "together", "ollama", "vllm", "llamacpp"])
def test_servers_of_any_model_take_what_comes(request_of: RequestOf, name: str) -> None:
    assert request_of({"prompt": "x", "top_k": 5}, fit=fit(name)).params == {"top_k": 5}


def test_what_is_to_be_dropped_stays_until_it_is_sent(request_of: RequestOf) -> None:
    row = {"prompt": "x", "top_k": 5, "seed": 1}
    found = request_of(row, fit=fit("openai", drop=True))
    assert found.params == {"top_k": 5, "seed": 1}
    kept, dropped = fit("openai", drop=True)(found)
    assert (kept.params, dropped) == ({"seed": 1}, ["top_k"])


def test_extra_body_reaches_every_provider(request_of: RequestOf) -> None:
    extra = {"top_k": 5}
    assert request_of({"prompt": "x", "extra_body": extra}, fit=fit("openai")).extra == extra
    assert request_of("x", params={"extra_body": extra}, fit=fit("openai")).extra == extra


def test_a_parameter_of_the_job_that_the_provider_does_not_know_is_a_mistake_of_the_job() -> None:
    with pytest.raises(ConfigError, match=r"^request parameters: openai does not know the param"):
        RowParser(RowDefaults(model="m", params={"top_k": 5}, fit=fit("openai")))
    RowParser(RowDefaults(model="m", params={"top_k": 5}, fit=fit("openai", drop=True)))


def test_an_endpoint_that_the_provider_does_not_have(reason_of: ReasonOf) -> None:
    text = "mistral has no endpoint responses, only chat, embeddings"
    for drop in (False, True):
        with pytest.raises(ConfigError) as caught:
            RowParser(RowDefaults(model="m", endpoint="responses", fit=fit("mistral", drop=drop)))
        assert str(caught.value) == text
        row = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"input": "x"}}
        assert reason_of(row, fit=fit("mistral", drop=drop)) == text


def test_the_jobs_own_parameters_are_checked_and_cleaned(request_of: RequestOf) -> None:
    job = {"stream": True, "n": 1, "extra_body": {"a": 1}, "made_up": "x"}
    assert request_of("x", params=job).params == {"made_up": "x"}
    assert request_of("x", params=job).extra == {"a": 1}
    for params, reason in (
        ({"temperature": "hot"}, 'request parameters: temperature must be a number, got "hot"'),
        ({"n": 2}, "request parameters: n must be 1, got 2: one row is one answer"),
    ):
        with pytest.raises(ConfigError) as caught:
            RowParser(RowDefaults(model="m", params=params))
        assert str(caught.value) == reason
