"""OpenAI's embeddings: one JSON body, never a stream."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from ..model import Delta, Request
from .failures import Failures
from .wire import payload, usage_of

PATH = "/embeddings"


class Item(Struct):
    embedding: list[float] | str
    index: int = 0


class Body(Struct):
    data: list[Item] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_decode = msgspec.json.Decoder(Body).decode


def body(request: Request) -> dict[str, Any]:
    """The body as JSON values."""
    values = payload(request, input=request.input)
    values.pop("stream", None)
    values.pop("stream_options", None)
    return values


def several(asked: Any) -> bool:
    """Whether the input is a list of inputs, so that the output is a list of vectors.

    A list of numbers is one input, already in tokens.
    """
    return isinstance(asked, list | tuple) and not (asked and isinstance(asked[0], int))


class EmbeddingsReader:
    """One answer; ``listed`` says whether more than one vector may be asked for."""

    __slots__ = ("_failures", "_listed", "done", "finished")

    def __init__(self, failures: Failures, listed: bool) -> None:
        self._failures = failures
        self._listed = listed
        self.finished = False
        self.done = False

    def __repr__(self) -> str:
        return f"EmbeddingsReader(listed={self._listed})"

    def add(self, data: bytes) -> Delta | None:  # noqa: ARG002 -- the protocol's signature
        """No server streams vectors."""
        raise self._failures.malformed("a stream came where one JSON body was expected")

    def end(self) -> Delta:
        raise self._failures.unfinished()

    def whole(self, data: bytes) -> Delta:
        """The vector, or the vectors in the order of the inputs; numbers exactly as sent."""
        try:
            answer = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = None
        if answer is None:
            raise self._failures.malformed("the answer is not a list of embeddings")
        if answer.error is not None:
            raise self._failures.reported(answer.error)
        if not answer.data:
            raise self._failures.malformed("the answer holds no embedding")
        vectors = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
        usage, cost = usage_of(answer.usage)
        value = vectors if self._listed else vectors[0]
        return Delta(value=value, status="ok", usage=usage, cost_usd=cost)
