"""What every provider is asked to say, and what a recording of it holds.

A :class:`Shape` is one provider on the wire: how an answer looks as a stream and as one body, which
errors it sends in the middle of a stream, and what it may send that means nothing. The answers are
the same for all (:data:`ANSWERS`), so that the same must come out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llmbatch.jobs.errors import ProviderError
from llmbatch.jobs.model import Endpoint, Status, Usage

DONE = b"data: [DONE]\n\n"


class Call(NamedTuple):
    """A tool call; its arguments as they are cut into deltas."""

    id: str
    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class Said(NamedTuple):
    """What the model says; ``end`` is a key of the shape's ``ends``."""

    pieces: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    end: str = "stop"
    usage: Usage = Usage(120, 45, 100, 0)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def thought(self) -> str:
        return "".join(self.thoughts)


# Umlauts in one and two code points, CJK, a joined emoji, a flag, and a piece without content.
_TEXT = ("Gru\u0308ße, 世界", " 👩‍🚀", "", " é 🇩🇪", " 한국어.")
_CALLS = (
    Call("call_a", "weather", ('{"city": "Zü', 'rich", "da', 'ys": 2}')),
    Call("call_b", "weather", ('{"city": "東', '京"}')),
)

ANSWERS: Mapping[str, Said] = {
    "complete": Said(_TEXT),
    "cut short by its length limit": Said(_TEXT[:3], end="length"),
    "stopped by the provider": Said(_TEXT[:1], end="stopped"),
    "without any text": Said(),
    "two tool calls": Said(calls=_CALLS, end="tools"),
    "text and one tool call": Said(_TEXT, calls=_CALLS[:1], end="tools"),
    "reasoning": Said(_TEXT, ("Erwägen: ", "", "思考 🤔."), usage=Usage(120, 45, 100, 30)),
}
"""The situations that every provider is recorded in, as far as it knows them."""


class Finish(NamedTuple):
    """Marks the event that bears the provider's finish."""

    event: bytes


class Outcome(NamedTuple):
    """What an attempt came to, as a result line tells it."""

    output: str
    status: Status | None
    finish_reason: str | None
    usage: Usage | None
    reasoning: str
    tool_calls: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Recording:
    """One answer: a stream, an item an event, and the same as one body (None: there is none).

    ``finish`` is the index of the event that bears the provider's finish.
    """

    events: tuple[bytes, ...]
    finish: int
    whole: Any
    outcome: Outcome

    @property
    def stream(self) -> bytes:
        return b"".join(self.events)

    @property
    def until_finish(self) -> int:
        """Bytes from the start up to and with the provider's finish."""
        return sum(map(len, self.events[: self.finish + 1]))


class Broken(NamedTuple):
    """An error that comes inside a stream, which ends after it."""

    event: bytes
    error: type[ProviderError]
    message: str = ""


class Turned(NamedTuple):
    """A request that is turned down: an HTTP answer other than success."""

    status: int
    body: Any
    error: type[ProviderError]
    headers: Mapping[str, str] = {}
    retry_after: float | None = None


@dataclass(frozen=True)
class Shape:
    """A provider on the wire; what differs from its relatives is overridden.

    ``ends`` are its own word and what it means, for each ``Said.end``; a situation whose end is
    missing here does not exist. ``noise`` may come anywhere and changes nothing.
    """

    name: str
    dialect: str
    endpoint: Endpoint = "chat"
    ends: Mapping[str, tuple[str, Status]] = field(default_factory=dict)
    thinks: bool = True

    @property
    def noise(self) -> Sequence[bytes]:
        return ()

    @property
    def errors(self) -> Sequence[Broken]:
        return ()

    @property
    def turned_down(self) -> Sequence[Turned]:
        return ()

    def stream(self, said: Said) -> Sequence[bytes | Finish]:
        """The events, one of them a :class:`Finish`."""
        raise NotImplementedError

    def whole(self, said: Said) -> Any:
        """The answer as one JSON value."""
        raise NotImplementedError

    def more(self) -> Mapping[str, Recording]:
        """Situations that only this provider has."""
        return {}

    def counted(self, usage: Usage) -> Usage | None:
        """What can be known of ``usage`` from what the provider reports."""
        return usage

    def call(self, call: Call) -> dict[str, Any]:
        """A tool call as it must come out."""
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": call.id, "type": "function", "function": function}

    def recorded(self, said: Said) -> Recording:
        word, status = self.ends[said.end]
        calls = [self.call(call) for call in said.calls]
        outcome = Outcome(said.text, status, word, self.counted(said.usage), said.thought, calls)
        return recording(self.stream(said), self.whole(said), outcome)

    @property
    def recordings(self) -> dict[str, Recording]:
        """By situation."""
        known = {
            name: said
            for name, said in ANSWERS.items()
            if said.end in self.ends and (self.thinks or not said.thoughts)
        }
        made = {name: self.recorded(said) for name, said in known.items()}
        return made | dict(self.more())

    @property
    def complete(self) -> Recording:
        return self.recorded(ANSWERS["complete"])


def recording(events: Sequence[bytes | Finish], whole: Any, outcome: Outcome) -> Recording:
    marked = [index for index, event in enumerate(events) if isinstance(event, Finish)]
    plain = tuple(event.event if isinstance(event, Finish) else event for event in events)
    return Recording(plain, marked[0], whole, outcome)


def changed(base: Recording, **outcome: Any) -> Outcome:
    """The outcome of ``base`` with some fields changed."""
    return base.outcome._replace(**outcome)


def packed(value: Any) -> bytes:
    """JSON as servers write it: compact, and UTF-8 as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse(value: Any, name: str = "") -> bytes:
    """One event."""
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: %s\n\n" % packed(value)
