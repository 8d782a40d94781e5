"""Tool calls, put together from the pieces in which they are streamed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BODIES = ("function", "custom")
_JOINED = ("arguments", "input")


class ToolCalls:
    """The calls of one answer, from OpenAI's tool-call deltas.

    Pieces belong together by their ``index``. Some servers leave it out, or say 0 for every call
    (Gemini's own OpenAI endpoint did both): there a piece with another id and a name of its own
    begins a call, and one with neither goes on with the last.
    """

    __slots__ = ("_calls", "_last", "_runs")

    def __init__(self) -> None:
        self._calls: dict[tuple[int, int], dict[str, Any]] = {}
        self._runs: dict[int, int] = {}  # which of the calls under one index is being written
        self._last = 0

    def __repr__(self) -> str:
        return f"ToolCalls({len(self._calls)})"

    def add(self, part: Mapping[str, Any]) -> None:
        """One piece."""
        index = part.get("index")
        if type(index) is not int:
            index = self._unnumbered(part)
        self._last = index
        run = self._runs.setdefault(index, 0)
        call = self._calls.get((index, run))
        if call is not None and _begins_another(call, part):
            run = self._runs[index] = run + 1
            call = None
        if call is None:
            call = self._calls[index, run] = {}
        _join(call, part)

    def listed(self) -> list[dict[str, Any]]:
        """All of them in their order, each with its type."""
        calls = [self._calls[key] for key in sorted(self._calls)]
        for call in calls:
            call.setdefault("type", "function")  # Mistral leaves it out
        return calls

    @property
    def size(self) -> int:
        """How much they are: one each, and the characters of what they are called with."""
        said = (_body(call).get(key) for call in self._calls.values() for key in _JOINED)
        return len(self._calls) + sum(len(text) for text in said if isinstance(text, str))

    def _unnumbered(self, part: Mapping[str, Any]) -> int:
        own = part.get("id")
        if not _body(part).get("name"):
            for (index, run), call in self._calls.items():
                if own and call.get("id") == own and self._runs[index] == run:
                    return index
            if not own and self._calls:
                return self._last
        return max(self._runs, default=-1) + 1


def _begins_another(call: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    # The id alone is no proof: some servers make up a new one for each piece.
    own, known = part.get("id"), call.get("id")
    return bool(own and known and own != known and _body(part).get("name"))


def _body(call: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in _BODIES:
        if isinstance(body := call.get(key), dict):
            return body
    return {}


def _join(call: dict[str, Any], part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        if key in _BODIES:
            if isinstance(value, dict):
                _join_body(call.setdefault(key, {}), value)
        elif key != "index" and value not in (None, ""):
            call.setdefault(key, value)


def _join_body(body: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for key, value in piece.items():
        known = body.get(key)
        if key in _JOINED and isinstance(known, str):
            body[key] = known + (value if isinstance(value, str) else "")
        elif key == "name" and isinstance(known, str):
            # In pieces from some, the whole of it again and again from others.
            body[key] = known + (value if isinstance(value, str) and value != known else "")
        elif value is not None:
            body[key] = value
