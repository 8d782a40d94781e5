"""OpenAI's Responses: typed events; complete only with ``response.completed`` or ``incomplete``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from ..model import Delta, Request, Status
from .failures import Failures
from .reading import EventReader, Piece
from .wire import DONE, STATUSES, loads, payload, usage_of

PATH = "/responses"

_TEXT = "response.output_text.delta"
_OVER = ("response.completed", "response.incomplete", "response.failed")
_WHOLE_ITEMS = frozenset({"function_call", "custom_tool_call", "image_generation_call"})
"""Types of output items that are read when they are complete."""


class Part(Struct, gc=False):
    """What of an event tells a piece of text from all others."""

    type: str | None = None
    delta: str | None = None
    logprobs: list[Any] | None = None


_ODD = Part()
"""Stands for an event that is not of the shapes above, and is read whole."""

_decode = msgspec.json.Decoder(Part).decode


def body(request: Request, stream: bool) -> dict[str, Any]:
    """The body as JSON values."""
    values = payload(request, input=request.input)
    values["stream"] = stream
    if not stream:
        values.pop("stream_options", None)
    return values


class ResponsesReader(EventReader):
    """One answer. ``finished``: its finish came; ``done``: nothing follows."""

    __slots__ = ("_calls", "_failures", "_final", "_refused", "_said", "done", "finished")

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._final: Mapping[str, Any] = {}
        self._refused = False
        self._said = False
        self._calls = 0
        self.finished = False
        self.done = False

    def __repr__(self) -> str:
        return f"ResponsesReader(finished={self.finished})"

    def read(self, events: Sequence[bytes], said: list[Piece]) -> None:
        """The events of one read."""
        for data in events:
            if data == DONE:
                self.done = True
                return
            try:
                part = _decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError):
                part = _ODD
            text = part.delta
            if part.type == _TEXT and text is not None:  # nearly every event
                self._said = True
                if text:
                    said.append(Delta(text, logprobs=part.logprobs) if part.logprobs else text)
            elif part.type in _MATTERS:
                if (delta := self._rare(data)) is not None:
                    said.append(delta)
                if self.done:
                    return  # what follows the end is nobody's business

    def _rare(self, data: bytes) -> Delta | None:
        event = self._object(data, "an event of the answer")
        kind = event.get("type")
        if kind == "error" or (kind is None and event.get("error")):
            raise self._failures.reported(event)
        if kind in _OVER:
            response = event.get("response") or {}
            self._finish(response)
            return None if self._said else self._output(response)
        add = _ADD.get(kind) if isinstance(kind, str) else None
        delta = None if add is None else add(self, event)
        self._said = self._said or delta is not None
        return delta

    def end(self) -> Delta:
        """The finish, with the usage where it came. Raises when there was no finish."""
        if not self.finished:
            raise self._failures.unfinished()
        reason = str(self._final.get("status"))
        fallback: Status = "truncated" if reason == "incomplete" else "ok"
        details = self._final.get("incomplete_details")
        if reason == "incomplete" and isinstance(details, dict):
            reason = str(details.get("reason") or reason)
        status = "refused" if self._refused else STATUSES.get(reason, fallback)
        usage, cost = usage_of(self._final.get("usage"))
        return Delta(finish_reason=reason, status=status, usage=usage, cost_usd=cost)

    def whole(self, data: bytes) -> Delta:
        """The answer as one JSON body."""
        answer = self._object(data, "the answer")
        if answer.get("error"):
            raise self._failures.reported(answer)
        self._finish(answer)
        said, end = self._output(answer), self.end()
        return structs.replace(
            said,
            finish_reason=end.finish_reason,
            status=end.status,
            usage=end.usage,
            cost_usd=end.cost_usd,
        )

    def _output(self, response: Mapping[str, Any]) -> Delta:
        """Everything that a whole response holds."""
        items = response.get("output") or ()
        parts = [self._item(item) for item in items if isinstance(item, dict)]
        return Delta(
            text="".join(part.text for part in parts),
            reasoning="".join(part.reasoning for part in parts),
            tool_calls=[call for part in parts for call in part.tool_calls],
            logprobs=[item for part in parts for item in part.logprobs],
        )

    def _object(self, data: bytes, what: str) -> dict[str, Any]:
        value = loads(data)
        if not isinstance(value, dict):
            raise self._failures.malformed(f"{what} is not a JSON object")
        return value

    def _finish(self, response: Mapping[str, Any]) -> None:
        status = response.get("status")
        if status == "failed":
            raise self._failures.reported(response)
        if status in ("queued", "in_progress"):  # asking again would only queue another one
            text = "the answer is written in the background, which is not waited for here"
            raise self._failures.malformed(text, retry=False)
        if status not in ("completed", "incomplete"):
            text = f"the answer's status is {status!r}, not completed"
            raise self._failures.malformed(text)
        self._final = response
        self.finished = self.done = True

    def _text(self, event: Mapping[str, Any]) -> Delta:
        logprobs = event.get("logprobs")
        return Delta(_str(event, "delta"), logprobs=logprobs if isinstance(logprobs, list) else ())

    def _refusal(self, event: Mapping[str, Any]) -> Delta:
        self._refused = True
        return Delta(_str(event, "delta"))

    def _thought(self, event: Mapping[str, Any]) -> Delta:
        return Delta(reasoning=_str(event, "delta"))

    def _item_done(self, event: Mapping[str, Any]) -> Delta | None:
        item = event.get("item")
        if isinstance(item, dict) and item.get("type") in _WHOLE_ITEMS:
            return self._item(item)
        return None

    def _call(self, item: Mapping[str, Any], kind: str, said: str) -> Delta:
        """A tool call, whole, in the words of chat completions."""
        body = {"name": item.get("name"), said: item.get(said)}
        call = {"index": self._calls, "id": item.get("call_id"), "type": kind, kind: body}
        self._calls += 1
        return Delta(tool_calls=[call])

    def _item(self, item: Mapping[str, Any]) -> Delta:
        kind = item.get("type")
        if kind == "function_call":
            return self._call(item, "function", "arguments")
        if kind == "custom_tool_call":
            return self._call(item, "custom", "input")
        if kind == "image_generation_call":
            form, data = _str(item, "output_format") or "png", _str(item, "result")
            return Delta(f"![image](data:image/{form};base64,{data})" if data else "")
        parts = [
            part
            for key in ("content", "summary")
            for part in item.get(key) or ()
            if isinstance(part, dict)
        ]
        if kind == "reasoning":
            return Delta(reasoning="".join(_str(part, "text") for part in parts))
        refusals = [part for part in parts if part.get("type") == "refusal"]
        self._refused = self._refused or bool(refusals)
        text = "".join(_str(part, "text") or _str(part, "refusal") for part in parts)
        logprobs = [item for part in parts for item in part.get("logprobs") or ()]
        return Delta(text, logprobs=logprobs)


_ADD: Mapping[str, Callable[[ResponsesReader, Mapping[str, Any]], Delta | None]] = {
    _TEXT: ResponsesReader._text,
    "response.refusal.delta": ResponsesReader._refusal,
    "response.reasoning_text.delta": ResponsesReader._thought,
    "response.reasoning_summary_text.delta": ResponsesReader._thought,
    "response.output_item.done": ResponsesReader._item_done,
}
_MATTERS = frozenset({None, "error", *_OVER, *_ADD})
"""Types of events that are read; None because errors may come without one."""


def _str(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""
