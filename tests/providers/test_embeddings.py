"""Embeddings: one body, exact numbers, the order of the inputs."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs import errors
from llmbatch.jobs.model import Usage
from llmbatch.jobs.providers.embeddings import EmbeddingsReader, count_of
from llmbatch.jobs.providers.failures import Failures


def read(body: Any, count: int | None = None) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return EmbeddingsReader(Failures("acme"), count).whole(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_survive_exactly(vector: list[float]) -> None:
    delta = read({"data": [{"embedding": vector, "index": 0}]})
    assert json.loads(msgspec.json.encode(delta.value)) == vector


def test_a_list_of_inputs_gives_a_list_in_the_order_of_the_inputs() -> None:
    data = [{"embedding": [2.0], "index": 1}, {"embedding": [1.0], "index": 0}]
    assert read({"data": data}, 2).value == [[1.0], [2.0]]
    assert read({"data": data[1:]}, 1).value == [[1.0]]


@pytest.mark.parametrize("count", [None, 1, 3])
def test_another_number_of_vectors_than_of_inputs_is_no_answer(count: int | None) -> None:
    data = [{"embedding": [2.0], "index": 0}, {"embedding": [1.0], "index": 1}]
    with pytest.raises(errors.MalformedResponse, match="2 embeddings for"):
        read({"data": data}, count)


@pytest.mark.parametrize("vector", [[], ""])
def test_an_empty_vector_is_no_answer(vector: Any) -> None:
    with pytest.raises(errors.MalformedResponse, match="empty"):
        read({"data": [{"embedding": vector}]})


def test_base64_is_kept_as_it_is() -> None:
    assert read({"data": [{"embedding": "AACAPw=="}]}).value == "AACAPw=="


def test_usage_counts_the_input() -> None:
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    delta = read({"data": [{"embedding": [1]}], "usage": usage})
    assert (delta.usage, delta.status) == (Usage(5, 0), "ok")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("a", None), (["a"], 1), (["a", "b"], 2), ([1, 2, 3], None), ([[1, 2], [3]], 2)],
)
def test_a_list_of_tokens_is_one_input(asked: Any, answer: int | None) -> None:
    assert count_of(asked) == answer


@pytest.mark.parametrize("body", [b"{", {}, {"data": []}, {"data": [{"embedding": {"a": 1}}]}, []])
def test_anything_else_is_malformed(body: Any) -> None:
    with pytest.raises(errors.MalformedResponse):
        read(body)


def test_an_error_with_status_200_is_raised() -> None:
    with pytest.raises(errors.Overloaded, match="busy"):
        read({"error": {"message": "busy", "code": 503}})
