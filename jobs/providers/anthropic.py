"""Anthropic's Messages: turns and blocks out, typed events in.

Facts from the types of its SDK (anthropic 2.14) and its documents. Structured outputs go as
``output_config.format`` (``output_format`` was their name while in beta), the effort as
``output_config.effort``. What is native to the API is sent as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from ..dialects import Dialect
from ..model import Delta, Request, Status, Usage
from .anthropicbody import NoWords, body
from .failures import Failures
from .reading import EventReader, Piece
from .wire import DONE, Prepared, loads

PATH = "/v1/messages"

_STATUSES: Mapping[str, Status] = {
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
    # The server stopped between two of its own tool calls, and waits to be asked to go on.
    "pause_turn": "truncated",
    "compaction": "truncated",
    "refusal": "refused",
}
"""What a stop reason means here; any other word says that the model was done."""

_TOO_MANY = 10**15
_USED = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


class Part(Struct, gc=False):
    """A delta, or a block as it starts: the parts of it that are kept."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    stop_details: Any = None


class Event(Struct, gc=False):
    type: str = ""
    index: int = -1
    delta: Part | None = None
    content_block: Part | None = None
    message: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_decode = msgspec.json.Decoder(Event).decode
_NOTHING = Part()
_TEXTS = ("type", "text", "thinking", "partial_json", "stop_reason", "id", "name")


class AnthropicWire:
    """For Anthropic, and for every server that speaks its Messages API."""

    __slots__ = ("_failures", "_path")

    def __init__(self, failures: Failures, dialect: Dialect) -> None:
        self._failures = failures
        self._path = dialect.path + PATH

    def __repr__(self) -> str:
        return f"AnthropicWire({self._failures.provider!r})"

    def prepare(self, request: Request, stream: bool) -> Prepared:
        """See :class:`.wire.Wire`."""
        try:
            values = body(request, stream)
        except NoWords as error:
            reason = str(error)
        else:
            return Prepared(self._path, values, MessagesReader(self._failures))
        raise self._failures.unsendable(reason)


class MessagesReader(EventReader):
    """One answer. ``finished``: its stop reason came; ``done``: nothing follows.

    The stop reason comes after all the content, with the last usage: an answer that is cut between
    it and ``message_stop`` is whole.
    """

    __slots__ = (
        "_blocks",
        "_calls",
        "_failures",
        "_finish",
        "_spoke",
        "_usage",
        "done",
        "finished",
    )

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._finish = ""
        self._spoke = False
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, int] = {}  # from a block's index to its tool call's
        self._calls: list[Any] = []  # each tool call's input, None once its pieces have come
        self.finished = False
        self.done = False

    def __repr__(self) -> str:
        return f"MessagesReader(finish={self._finish!r}, done={self.done})"

    def read(self, events: Sequence[bytes], said: list[Piece]) -> None:
        """The events of one read."""
        for data in events:
            try:
                event = _decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                event = None
            if event is None:
                event = self._lax(data)
            part = event.delta
            # Nearly every event is a piece of text and nothing else.
            if (
                part is not None
                and part.text
                and part.type == "text_delta"
                and event.type == "content_block_delta"
            ):
                said.append(part.text)
            elif (delta := self._rare(event)) is not None:
                said.append(delta)
            elif self.done:
                return  # what follows the end is nobody's business

    def _rare(self, event: Event) -> Delta | None:
        kind = event.type
        if kind == "content_block_delta":
            return self._piece(event.index, event.delta or _NOTHING)
        if kind == "content_block_start":
            return self._begin(event.index, event.content_block or _NOTHING)
        if kind == "content_block_stop":
            call = self._blocks.get(event.index)
            filled = [] if call is None else self._fill(call)
            return Delta(tool_calls=filled) if filled else None
        if kind == "message_delta":
            self._count(event.usage)
            return self._stop(event.delta or _NOTHING)
        if kind == "message_start":
            self._count((event.message or {}).get("usage"))
        elif kind == "message_stop":
            self.done = True
        elif (kind == "error" or event.error is not None) and not self.finished:
            raise self._failures.reported({"error": event.error})
        return None

    def end(self) -> Delta:
        """The finish, with the usage where it came. Raises when there was no finish."""
        if not self.finished:
            raise self._failures.unfinished()
        return Delta(
            tool_calls=[part for call in range(len(self._calls)) for part in self._fill(call)],
            finish_reason=self._finish,
            status=_STATUSES.get(self._finish, "ok"),
            usage=_normal(self._usage),
        )

    def whole(self, data: bytes) -> Delta:
        """The answer as one JSON body."""
        value = loads(data)
        if not isinstance(value, dict):
            raise self._failures.malformed("the answer is not a JSON object")
        if value.get("error") or value.get("type") == "error":
            raise self._failures.reported(value)
        blocks = value.get("content")
        begun = [
            self._begin(index, _part(block) or _NOTHING)
            for index, block in enumerate(blocks if isinstance(blocks, list) else ())
        ]
        self._count(value.get("usage"))
        begun.append(self._stop(_part(value) or _NOTHING))
        if not self.finished:
            raise self._failures.malformed("the answer has no stop_reason")
        return _joined([delta for delta in begun if delta is not None], self.end())

    def _begin(self, index: int, block: Part) -> Delta | None:
        """A block starts. Those of the server's own tools say nothing that is the answer."""
        if block.type == "tool_use":
            call = self._blocks[index] = len(self._calls)
            self._calls.append({} if block.input is None else block.input)
            function = {"name": block.name, "arguments": ""}
            head = {"index": call, "id": block.id, "type": "function", "function": function}
            return Delta(tool_calls=[head])
        self._spoke = self._spoke or block.type == "text"
        if block.text or block.thinking:
            return Delta(block.text or "", block.thinking or "")
        return None

    def _piece(self, index: int, part: Part) -> Delta | None:
        if part.type == "thinking_delta":
            return Delta(reasoning=part.thinking) if part.thinking else None
        call = self._blocks.get(index)
        if part.type != "input_json_delta" or call is None or not part.partial_json:
            return None
        self._calls[call] = None
        return Delta(tool_calls=[_arguments(call, part.partial_json)])

    def _fill(self, call: int) -> list[dict[str, Any]]:
        """The arguments that came with the start of the block, where no pieces followed."""
        given, self._calls[call] = self._calls[call], None
        return [] if given is None else [_arguments(call, json.dumps(given, ensure_ascii=False))]

    def _stop(self, part: Part) -> Delta | None:
        """The finish; a refusal that left no text is told in the server's words, if it has any."""
        if not part.stop_reason:
            return None
        self._finish = part.stop_reason
        self.finished = True
        if part.stop_reason != "refusal" or self._spoke or not isinstance(part.stop_details, dict):
            return None
        told = part.stop_details.get("explanation")
        return Delta(told) if isinstance(told, str) and told else None

    def _count(self, usage: Any) -> None:
        """Counts are totals so far, so the last one holds; what is left out has not changed."""
        if isinstance(usage, dict):
            self._usage.update((name, value) for name, value in usage.items() if value is not None)

    def _lax(self, data: bytes) -> Event:
        """Read what the strict decoder refuses: surrogate halves, odd types."""
        value = loads(data)
        if isinstance(value, dict):
            kind, index, message, usage = map(value.get, ("type", "index", "message", "usage"))
            return Event(
                type=kind if isinstance(kind, str) else "",
                index=index if type(index) is int else -1,
                delta=_part(value.get("delta")),
                content_block=_part(value.get("content_block")),
                message=message if isinstance(message, dict) else None,
                usage=usage if isinstance(usage, dict) else None,
                error=value.get("error"),
            )
        self.done = self.done or data.strip() == DONE  # some gateways end as OpenAI does
        if self.done or self.finished:
            return Event()  # what follows the end is nobody's business
        raise self._failures.malformed("an event of the answer is not a JSON object")


def _part(value: Any) -> Part | None:
    if not isinstance(value, dict):
        return None
    texts = {name: value[name] for name in _TEXTS if isinstance(value.get(name), str)}
    return Part(**texts, input=value.get("input"), stop_details=value.get("stop_details"))


def _arguments(call: int, text: str) -> dict[str, Any]:
    return {"index": call, "function": {"arguments": text}}


def _joined(said: Sequence[Delta], end: Delta) -> Delta:
    return msgspec.structs.replace(
        end,
        text="".join(delta.text for delta in said),
        reasoning="".join(delta.reasoning for delta in said),
        tool_calls=[call for delta in (*said, end) for call in delta.tool_calls],
    )


def _normal(usage: Mapping[str, Any]) -> Usage | None:
    """Anthropic's input leaves out what was read from a cache or written to one."""
    fresh, written, read, out = (_tokens(usage.get(name)) for name in _USED)
    if fresh is None and out is None:
        return None
    details = usage.get("output_tokens_details")
    thought = details.get("thinking_tokens") if isinstance(details, dict) else None
    into = (fresh or 0) + (written or 0) + (read or 0)
    made = usage.get("cache_creation")
    for_long = _tokens(made.get("ephemeral_1h_input_tokens")) if isinstance(made, dict) else None
    return Usage(
        into, out or 0, read or 0, _tokens(thought) or 0, written or UNSET, for_long or UNSET
    )


def _tokens(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _TOO_MANY else None
