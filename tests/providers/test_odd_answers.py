"""Answers of shapes that nobody foresaw fail their own row alone: one error of this project."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from faultreplies import Recipe, error, inserted
from hypothesis import given, settings
from hypothesis import strategies as st
from sampleresults import sample

from faultserver import FaultServer
from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.model import Delta, Request, Usage
from llmbatch.jobs.providers.native import Native
from llmbatch.jobs.providers.wire import usage_of
from llmbatch.jobs.records import ENCODERS, read

Ask = Callable[..., Request]
Collect = Callable[..., Any]
Connect = Callable[..., Native]


def filled(text: str, value: str) -> str:
    return text.replace("?", value)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def tool(call: str) -> Recipe:
    """A stream with a tool call in its middle, given as JSON text."""
    chunk = filled('{"choices": [{"index": 0, "delta": {"tool_calls": [?]}}]}', call)
    return inserted(chunk.encode(), then_end=False)


async def test_a_chunk_that_is_nested_too_deep_fails_its_row_alone(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect
) -> None:
    server.replies = tool(filled('{"index": 0, "x": ?}', nested(20_000)))
    with pytest.raises(errors.MalformedResponse, match=r"can't be read \(RecursionError\)"):
        await collect(connect(), ask())


@pytest.mark.parametrize("endpoint", ["chat", "completions", "embeddings", "responses"])
@pytest.mark.parametrize(
    "body",
    [
        '{"status": "completed", "output": 5}',
        '{"status": "completed", "output": [{"content": 5}]}',
        '{"type": {}, "status": "completed"}',
        '{"choices": [{"finish_reason": "stop", "message": 5}], "usage": {"prompt_tokens": 1e999}}',
        filled('{"error": {"message": ?}}', nested(20_000)),
        filled('{"data": [{"embedding": ?}]}', nested(20_000)),
        nested(20_000),
    ],
    ids=["output", "content", "type", "usage", "error", "vector", "alone"],
)
async def test_a_body_of_any_shape_is_an_answer_or_an_error_of_this_project(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, endpoint: str, body: str
) -> None:
    server.replies = error(200, body=body)
    with suppress(errors.ProviderError):
        await collect(connect(), ask("p", endpoint), whole=True)


@pytest.mark.parametrize("call", ['"f"', "5", "null", '["f"]'])
async def test_a_tool_call_whose_function_is_no_object_is_kept_without_it(
    server: FaultServer, connect: Connect, ask: Ask, collect: Collect, call: str
) -> None:
    server.replies = tool(filled('{"index": 0, "id": "c", "function": ?}', call))
    answer = Answer(0.0)
    for delta in await collect(connect(), ask()):
        answer.add(delta, 0.0)
    assert (answer.status, answer.tool_calls) == ("ok", [{"id": "c", "type": "function"}])
    assert answer.size > 0


@given(st.integers(850, 1100), st.booleans())
@settings(max_examples=40, deadline=None)
def test_whatever_depth_can_be_read_can_be_counted_and_written(
    levels: int, surrogate: bool
) -> None:
    odd = '"\\ud800"' if surrogate else "0"
    text = filled('{"index": 0, "x": ?, "y": ', nested(levels)) + odd + "}"
    try:
        call = json.loads(text)
    except RecursionError:
        return
    answer = Answer(0.0)
    answer.add(Delta(tool_calls=[call]), 0.0)
    assert answer.size == 1
    for encode in ENCODERS.values():
        line = encode(sample(tool_calls=[call]))
        assert line.endswith(b"\n")
        assert nested(levels).encode() in line
        if levels < 900:
            assert read(line) is not None


@pytest.mark.parametrize(
    ("value", "usage", "cost"),
    [
        ({"prompt_tokens": float("nan"), "completion_tokens": 3}, Usage(0, 3), None),
        ({"prompt_tokens": float("inf"), "completion_tokens": -3}, Usage(0, 0), None),
        ({"prompt_tokens": 10**400, "cost": 10**400}, None, None),
        ({"prompt_tokens": True, "cost": float("nan")}, None, None),
        ({"prompt_tokens": 2.0, "cost": 1}, Usage(2, 0), 1.0),
        ({"prompt_tokens": 2, "cost": -1}, Usage(2, 0), None),
        ({"prompt_tokens": 2, "cost": 0}, Usage(2, 0), 0.0),
    ],
)
def test_a_usage_that_is_no_count_is_none(
    value: Any, usage: Usage | None, cost: float | None
) -> None:
    assert usage_of(value) == (usage, cost)


ANYTHING = st.recursive(
    st.sampled_from([None, True, 0, 1.5, "", "a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["token", "logprob", "top_logprobs", "tokens", "function", "arguments"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["chat", "completions", "responses"]),
    st.lists(ANYTHING, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(["index", "id", "function"]), ANYTHING), max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_whatever_a_server_says_besides_text_can_be_written(
    endpoint: Any, logprobs: list[Any], calls: list[dict[str, Any]]
) -> None:
    answer = Answer(0.0)
    answer.add(Delta(tool_calls=calls, logprobs=logprobs), 0.0)
    said = sample(tool_calls=answer.tool_calls, logprobs=answer.logprobs, endpoint=endpoint)
    for encode in ENCODERS.values():
        stored = read(encode(said))
        assert stored is not None
        assert (stored.id, stored.status) == ("q1", "ok")
