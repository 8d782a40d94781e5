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
from llmbatch.jobs.providers.embeddings import EmbeddingsReader, several
from llmbatch.jobs.providers.failures import Failures


def read(body: Any, listed: bool = False) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return EmbeddingsReader(Failures("acme"), listed).whole(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_survive_exactly(vector: list[float]) -> None:
    delta = read({"data": [{"embedding": vector, "index": 0}]})
    assert json.loads(msgspec.json.encode(delta.value)) == vector


def test_a_list_of_inputs_gives_a_list_in_the_order_of_the_inputs() -> None:
    data = [{"embedding": [2.0], "index": 1}, {"embedding": [1.0], "index": 0}]
    assert read({"data": data}, listed=True).value == [[1.0], [2.0]]
    assert read({"data": data[1:]}, listed=True).value == [[1.0]]


def test_base64_is_kept_as_it_is() -> None:
    assert read({"data": [{"embedding": "AACAPw=="}]}).value == "AACAPw=="


def test_usage_counts_the_input() -> None:
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    delta = read({"data": [{"embedding": [1]}], "usage": usage})
    assert (delta.usage, delta.status) == (Usage(5, 0), "ok")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("a", False), (["a"], True), (["a", "b"], True), ([1, 2, 3], False), ([[1, 2], [3]], True)],
)
def test_a_list_of_tokens_is_one_input(asked: Any, answer: bool) -> None:
    assert several(asked) is answer


@pytest.mark.parametrize("body", [b"{", {}, {"data": []}, {"data": [{"embedding": {"a": 1}}]}, []])
def test_anything_else_is_malformed(body: Any) -> None:
    with pytest.raises(errors.MalformedResponse):
        read(body)


def test_an_error_with_status_200_is_raised() -> None:
    with pytest.raises(errors.Overloaded, match="busy"):
        read({"error": {"message": "busy", "code": 503}})
