"""What a provider takes of a request, said before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from llmbatch.jobs.dialects import KNOWN, Dialect
from llmbatch.jobs.errors import BadRequest
from llmbatch.jobs.fitting import Fit
from llmbatch.jobs.model import Request

CLOSED = Dialect(endpoints=frozenset({"chat", "embeddings"}), takes={"chat": frozenset({"seed"})})


def request(endpoint: Any = "chat", **params: Any) -> Request:
    return Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint=endpoint,
        model="m",
        fingerprint="f",
        params=params,
        extra={"top_k": 1},
    )


def test_a_request_that_fits_is_handed_on_as_it_is() -> None:
    for asked in (request(seed=1), request(), request("embeddings", anything=1)):
        assert Fit("acme", CLOSED)(asked) == (asked, [])
        assert Fit("acme", CLOSED)(asked)[0] is asked


def test_a_stranger_is_refused_or_left_out() -> None:
    asked = request(seed=1, top_k=2, a=3)
    with pytest.raises(BadRequest, match="acme does not know the parameters a, top_k") as caught:
        Fit("acme", CLOSED)(asked)
    assert caught.value.provider == "acme"
    kept, dropped = Fit("acme", CLOSED, drop=True)(asked)
    assert (kept.params, kept.extra, dropped) == ({"seed": 1}, {"top_k": 1}, ["a", "top_k"])
    assert asked.params == {"seed": 1, "top_k": 2, "a": 3}


@pytest.mark.parametrize("drop", [True, False])
def test_an_endpoint_that_is_not_there_is_never_let_through(drop: bool) -> None:
    with pytest.raises(BadRequest, match="acme has no endpoint responses, only chat, embeddings"):
        Fit("acme", CLOSED, drop)(request("responses"))


@pytest.mark.parametrize("name", KNOWN)
def test_every_provider_takes_the_most_common_parameters(name: str) -> None:
    fit = Fit(name, KNOWN[name])
    common = {"temperature": 0, "top_p": 1, "max_tokens": 5, "tools": [], "tool_choice": "auto"}
    assert fit.problem("chat", {**common, "response_format": {"type": "text"}}) is None
