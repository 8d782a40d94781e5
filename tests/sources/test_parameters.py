"""Known request parameters are typed; the job's stand beneath the row's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.model import Request
from llmbatch.jobs.sources.parameters import KNOWN
from llmbatch.jobs.sources.rows import RowDefaults, RowParser

RequestOf = Callable[..., Request]
ReasonOf = Callable[..., str]


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


def test_extra_body_is_merged_in(request_of: RequestOf) -> None:
    found = request_of({"prompt": "x", "seed": 1, "extra_body": {"provider": {"a": 1}, "seed": 2}})
    assert found.params == {"seed": 2, "provider": {"a": 1}}
    assert found.metadata == {}


def test_the_jobs_own_parameters_are_checked_and_cleaned(request_of: RequestOf) -> None:
    job = {"stream": True, "n": 1, "extra_body": {"a": 1}, "made_up": "x"}
    assert request_of("x", params=job).params == {"a": 1, "made_up": "x"}
    for params, reason in (
        ({"temperature": "hot"}, 'request parameters: temperature must be a number, got "hot"'),
        ({"n": 2}, "request parameters: n must be 1, got 2: one row is one answer"),
    ):
        with pytest.raises(ConfigError) as caught:
            RowParser(RowDefaults(model="m", params=params))
        assert str(caught.value) == reason
