"""What an attempt can use at most is more than it ever uses, and no more than is useful."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ask

from llmbatch.jobs.budget.worstcase import IMAGE, TEMPLATE, TOOL, WorstCase, worst_case
from llmbatch.jobs.errors import Unbounded
from llmbatch.jobs.model import Request
from llmbatch.jobs.tokens import TokenCounter

COUNTER = TokenCounter()


def chat(*contents: Any, model: str = "m", **more: Any) -> Request:
    messages = [{"role": "user", "content": content} for content in contents]
    return ask(endpoint="chat", input=None, messages=messages, model=model, **more)


def most(request: Request, provider: str = "lab") -> WorstCase:
    return worst_case(request, provider, COUNTER)


def limited(*contents: Any, **params: Any) -> Request:
    return chat(*contents, params={"max_tokens": 5, **params})


texts = st.text(st.characters(exclude_categories=[]), max_size=80)


@settings(deadline=None)  # vocabularies are read when first used
@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(["gpt-4o", "gpt-4", "qwen3.5-9b"]))
def test_no_vocabulary_has_more_tokens_for_a_chat(contents: list[str], model: str) -> None:
    """The bytes bound holds for the vocabularies that are here as for those that are not."""
    real = COUNTER.count(chat(*contents, model=model))
    known = most(chat(*contents, model=model, params={"max_tokens": 1})).input
    unknown = most(limited(*contents)).input
    assert real <= known <= unknown


def test_where_the_vocabulary_is_here_the_bound_is_near_the_count() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 100
    request = chat(text, model="gpt-4o", params={"max_tokens": 5})
    assert most(request).input < 1.06 * COUNTER.count(request) + 20
    assert most(limited(text)).input < len(text) + 100


@pytest.mark.parametrize(
    ("params", "longest"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 9, "max_tokens": 7}, 9),
        ({"max_output_tokens": 7}, 7),
        ({"generationConfig": {"maxOutputTokens": 11}}, 11),
        ({"max_tokens": 7, "best_of": 3}, 21),
    ],
)
def test_an_answer_is_as_long_as_the_request_allows(params: dict[str, Any], longest: int) -> None:
    assert most(chat("hi", params=params)).output == longest
    assert most(chat("hi", extra=params)).output == longest


def test_without_a_limit_it_is_as_long_as_the_model_can() -> None:
    assert most(chat("hi", model="gpt-3.5-turbo"), "openai").output == 4096
    assert most(chat("hi", model="claude-sonnet-4-5"), "anthropic").output == 4096
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1000}}
    known = most(chat("hi", model="claude-sonnet-4-5", params=thinking), "anthropic")
    assert known.output == 5096
    assert most(ask(endpoint="embeddings", input="hi")).output == 0


@pytest.mark.parametrize("params", [{}, {"max_tokens": 0}, {"max_tokens": -1}])
def test_where_nobody_knows_the_row_says_what_to_do(params: dict[str, Any]) -> None:
    with pytest.raises(Unbounded, match=r"an answer of lab/m can get is not known.*--max-tokens"):
        most(chat("hi", params=params))


def test_a_predicted_answer_may_be_billed_beside_the_real_one() -> None:
    prediction = {"type": "content", "content": "x" * 50}
    assert most(limited("hi", prediction=prediction)).output > 55


def test_tools_count_with_their_definitions_and_what_a_provider_adds() -> None:
    schema = {"type": "object", "properties": {"document": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "find", "parameters": schema}}
    plain = most(limited("hi")).input
    assert plain + TOOL + 60 < most(limited("hi", tools=[tool])).input < plain + TOOL + 200


def test_an_image_counts_as_the_largest_and_not_by_its_bytes() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 99_999}}
    found = most(limited([{"type": "text", "text": "what is this?"}, image])).input
    assert IMAGE < found < IMAGE + 2 * TEMPLATE


@pytest.mark.parametrize(
    "params",
    [
        {"tools": [{"type": "web_search"}]},
        {"previous_response_id": "resp_1"},
        {"web_search_options": {"search_context_size": "low"}},
    ],
)
def test_what_is_read_from_elsewhere_counts_as_the_whole_context(params: dict[str, Any]) -> None:
    known = chat("hi", model="gpt-4o", params={"max_tokens": 5, **params})
    assert most(known, "openai").input > 128_000
    with pytest.raises(Unbounded, match="will read for this row"):
        most(limited("hi", **params))


def test_a_document_that_is_named_and_not_there_counts_as_the_whole_context() -> None:
    part = {"type": "file", "file": {"file_id": "file-1"}}
    with pytest.raises(Unbounded, match=r"will read for this row \(file_id\)"):
        most(limited([part]))


def test_numbers_among_the_parameters_are_not_read() -> None:
    assert most(limited("hi", temperature=0.123456789, seed=10**12)) == most(limited("hi"))


def test_token_ids_are_a_token_each() -> None:
    request = ask(endpoint="embeddings", model="m", input=[100_000] * 50)
    assert most(request).input == TEMPLATE + 50
