"""Tool calls, put together from the pieces in which they are streamed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from heapq import heappop, heappush
from typing import Any

_BODIES = ("function", "custom")
_JOINED = ("arguments", "input")

_Key = tuple[int, int]
"""An index, and which of the calls under it."""


class Pieces:
    """A text in pieces, joined once; ``size`` in characters."""

    __slots__ = ("_parts", "size")

    def __init__(self, text: str) -> None:
        self._parts = [text]
        self.size = len(text)

    def add(self, text: str) -> None:
        self._parts.append(text)
        self.size += len(text)

    def joined(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0]

    def __repr__(self) -> str:
        return f"<Pieces: {self.size} characters in {len(self._parts)}>"


class ToolCalls:
    """The calls of one answer, from OpenAI's tool-call deltas; in time linear in their pieces.

    Pieces belong together by their ``index``. Some servers leave it out, or say 0 for every call
    (Gemini's own OpenAI endpoint did both): there a piece with another id and a name of its own
    begins a call, and one with neither goes on with the last.
    """

    __slots__ = ("_born", "_by_id", "_calls", "_last", "_runs", "_top")

    def __init__(self) -> None:
        self._calls: dict[_Key, dict[str, Any]] = {}
        self._runs: dict[int, int] = {}  # which of the calls under one index is being written
        self._born: dict[_Key, int] = {}  # in which order the calls began
        self._by_id: defaultdict[Hashable, list[tuple[int, _Key]]] = defaultdict(list)  # heaps
        self._last = 0
        self._top = -1  # the highest index

    def __repr__(self) -> str:
        return f"ToolCalls({len(self._calls)})"

    def add(self, part: Mapping[str, Any]) -> None:
        """One piece."""
        index = part.get("index")
        if type(index) is not int:
            index = self._unnumbered(part)
        self._last = index
        self._top = max(self._top, index)
        run = self._runs.setdefault(index, 0)
        call = self._calls.get((index, run))
        if call is not None and _begins_another(call, part):
            run = self._runs[index] = run + 1
            call = None
        if call is None:
            self._born[index, run] = len(self._calls)
            call = self._calls[index, run] = {}
        known = "id" in call
        _join(call, part)
        if not known and "id" in call:
            born = self._born[index, run]
            heappush(self._by_id[_hashable(call["id"])], (born, (index, run)))

    def listed(self) -> list[dict[str, Any]]:
        """All of them in their order, each with its type."""
        calls = [_whole(self._calls[key]) for key in sorted(self._calls)]
        for call in calls:
            call.setdefault("type", "function")  # Mistral leaves it out
        return calls

    @property
    def size(self) -> int:
        """How much they are: one each, and the characters of what they are called with."""
        said = (_body(call).get(key) for call in self._calls.values() for key in _JOINED)
        return len(self._calls) + sum(text.size for text in said if isinstance(text, Pieces))

    def _unnumbered(self, part: Mapping[str, Any]) -> int:
        own = part.get("id")
        if not _body(part).get("name"):
            if own and (index := self._with_id(own)) is not None:
                return index
            if not own and self._calls:
                return self._last
        return self._top + 1

    def _with_id(self, own: Any) -> int | None:
        """The index of the first call with that id that is still being written."""
        calls = self._by_id.get(_hashable(own), [])
        while calls:
            _, (index, run) = calls[0]
            if self._runs[index] == run:
                return index
            heappop(calls)  # its index has gone on to another call, for good
        return None


def _hashable(value: Any) -> Hashable:
    return value if isinstance(value, Hashable) else repr(value)


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
        if isinstance(known, Pieces):
            # A name comes in pieces from some, the whole of it again and again from others.
            if isinstance(value, str) and not (key == "name" and _same(known, value)):
                known.add(value)
        elif isinstance(value, str) and (key == "name" or key in _JOINED):
            body[key] = Pieces(value)
        elif value is not None:
            body[key] = value


def _same(known: Pieces, text: str) -> bool:
    return known.size == len(text) and known.joined() == text


def _whole(call: Mapping[str, Any]) -> dict[str, Any]:
    """The same with every text in one piece."""
    return {
        key: {name: _text(said) for name, said in value.items()} if key in _BODIES else value
        for key, value in call.items()
    }


def _text(value: Any) -> Any:
    return value.joined() if isinstance(value, Pieces) else value
