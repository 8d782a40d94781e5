"""OpenAI's embeddings: one JSON body, never a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..model import Delta, Request
from .failures import Failures
from .reading import EventReader, Piece
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


def count_of(asked: Any) -> int | None:
    """How many inputs there are, so that the output is a list of vectors; None for a single one.

    A list of numbers is one input, already in tokens.
    """
    if not isinstance(asked, list | tuple) or (asked and isinstance(asked[0], int)):
        return None
    return len(asked)


class EmbeddingsReader(EventReader):
    """One answer to ``count`` inputs, as :func:`count_of` has it."""

    __slots__ = ("_count", "_failures", "done", "finished")

    def __init__(self, failures: Failures, count: int | None) -> None:
        self._failures = failures
        self._count = count
        self.finished = False
        self.done = False

    def __repr__(self) -> str:
        return f"EmbeddingsReader(count={self._count})"

    def read(self, events: Sequence[bytes], said: list[Piece]) -> None:  # noqa: ARG002 - Reader's
        """No server streams vectors."""
        if events:
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
        if len(vectors) != (self._count or 1):
            raise self._failures.malformed(
                f"the answer holds {len(vectors)} embeddings for {self._count or 1} inputs"
            )
        if not all(vectors):
            raise self._failures.malformed("the answer holds an empty embedding")
        usage, cost = usage_of(answer.usage)
        value = vectors[0] if self._count is None else vectors
        return Delta(value=value, status="ok", usage=usage, cost_usd=cost)
