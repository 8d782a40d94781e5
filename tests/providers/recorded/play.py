"""How a recording is played, without a socket."""

from __future__ import annotations

from collections.abc import Iterable

from llmbatch.jobs.answer import Answer
from llmbatch.jobs.dialects import ANY_SERVER, KNOWN, Dialect
from llmbatch.jobs.model import Delta, Request
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.opening import wire_of
from llmbatch.jobs.providers.reading import Piece, gathered
from llmbatch.jobs.providers.wire import Prepared

from .shapes import Outcome, Recording, Shape
from .table import SHAPES

RECORDED = {shape.name: shape.recordings for shape in SHAPES}


def all_of(shape: Shape) -> Iterable[Recording]:
    return RECORDED[shape.name].values()


def complete(shape: Shape) -> Recording:
    return RECORDED[shape.name]["complete"]


def dialect_of(shape: Shape) -> Dialect:
    return KNOWN[shape.dialect] if shape.dialect else ANY_SERVER


def prepared(shape: Shape) -> Prepared:
    """A reader and a parser as a request to this provider gets them."""
    dialect = dialect_of(shape)
    wire = wire_of(dialect, Failures(shape.name))
    return wire.prepare(request_to(shape), True)


def request_to(shape: Shape) -> Request:
    chat = shape.endpoint == "chat"
    return Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint=shape.endpoint,
        model="m",
        fingerprint="f",
        messages=[{"role": "user", "content": "Hello"}] if chat else (),
        input=None if chat else "Hello",
    )


class Player:
    """One attempt, read by read."""

    def __init__(self, shape: Shape) -> None:
        self._prepared = prepared(shape)
        self._answer = Answer(0.0)

    def read(self, data: bytes) -> None:
        said: list[Piece] = []
        self._prepared.reader.read(self._prepared.parser.feed(data), said)
        if (delta := gathered(said)) is not None:
            self._answer.add(delta, 0.0)

    def end(self) -> Outcome:
        """The stream ends here."""
        self._answer.add(self._prepared.reader.end(), 0.0)
        return outcome(self._answer)


def play(shape: Shape, reads: Iterable[bytes]) -> Outcome:
    """The outcome of a stream that comes in these reads and then ends."""
    player = Player(shape)
    for data in reads:
        player.read(data)
    return player.end()


def play_whole(shape: Shape, body: bytes) -> Outcome:
    """The outcome of an answer in one piece."""
    return outcome_of([prepared(shape).reader.whole(body)])


def outcome_of(deltas: Iterable[Delta]) -> Outcome:
    answer = Answer(0.0)
    for delta in deltas:
        answer.add(delta, 0.0)
    return outcome(answer)


def outcome(made: Answer) -> Outcome:
    told = made.output, made.status, made.finish_reason, made.usage, made.reasoning
    return Outcome(*told, made.tool_calls)
