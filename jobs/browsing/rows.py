"""A results file as pages of rows, and one line of it whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from .below import NotThere
from .folder import Folder
from .index import LONGEST, STATUSES, UNKNOWN, Index
from .selection import Selection, Wanted, decoded

SHOWN = 300
"""Characters of an answer in a list."""

SELECTIONS = 4
"""That are remembered, the last used."""

PAGE_BYTES = 64 << 20
"""Bytes of lines that are read for one page; rows beyond are shown by their figures alone."""


class Changed(LookupError):
    """No line begins there any more: the file is another one by now."""


class Rows(Struct, frozen=True, kw_only=True):
    """One page. ``indexed_bytes`` of ``bytes`` is what all of it holds for."""

    rows: list[dict[str, Any]]
    matched: int
    total: int
    indexed_bytes: int
    bytes: int
    statuses: Mapping[str, int]
    unreadable: int


class Browser:
    """The rows of one results file. It is for one thread at a time."""

    def __init__(self, folder: Folder, file: str) -> None:
        self._folder = folder
        self.file = file
        self._index: Index | None = None
        self._selections: dict[Wanted, Selection] = {}

    def __repr__(self) -> str:
        return f"Browser({self.file!r})"

    def page(self, wanted: Wanted, first: int, count: int, seconds: float) -> Rows:
        """Rows from the ``first`` on that fit, after reading on for about so long.

        Raises NotThere.
        """
        fd = self._folder.open(self.file)
        try:
            return self._page(fd, wanted, first, count, seconds)
        except OSError as error:
            raise NotThere(f"can't read {self.file!r}: {error.strerror}") from None
        finally:
            os.close(fd)

    def _page(self, fd: int, wanted: Wanted, first: int, count: int, seconds: float) -> Rows:
        index = self._index
        if index is None or not index.is_of(fd):
            index = self._index = Index(fd)
            self._selections.clear()
        caught_up = index.advance(fd, seconds)
        selection = self._selections.pop(wanted, None) or Selection(index, wanted)
        self._selections[wanted] = selection
        while len(self._selections) > SELECTIONS:
            del self._selections[next(iter(self._selections))]
        selection.advance(fd, seconds)
        shown = selection.ordered()[first : first + count]
        size = os.fstat(fd).st_size
        read_to = selection.read_to
        return Rows(
            rows=_described(fd, index, shown),
            matched=len(selection.numbers),
            total=len(index),
            # A last line that has no end yet is no reason to ask again.
            indexed_bytes=size if caught_up and read_to == index.read_to else read_to,
            bytes=size,
            statuses=index.counts(),
            unreadable=index.unreadable,
        )


def line_at(folder: Folder, file: str, at: int) -> bytes:
    """The line that begins at that byte. Raises NotThere, and Changed where none does."""
    fd = folder.open(file)
    try:
        if at and os.pread(fd, 1, at - 1) != b"\n":
            raise Changed(f"no line of {file!r} begins at byte {at:,}: it was written anew")
        pieces: list[bytes] = []
        place = at
        while place - at < LONGEST and (piece := os.pread(fd, 1 << 20, place)):
            line, feed, _ = piece.partition(b"\n")
            pieces.append(line)
            place += len(piece)
            if feed:
                break
        return b"".join(pieces)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "no such place"
        raise NotThere(f"can't read {file!r}: {why}") from None
    finally:
        os.close(fd)


def _described(fd: int, index: Index, numbers: Any) -> list[dict[str, Any]]:
    left, rows = PAGE_BYTES, []
    for number in numbers:
        left -= index.size(number)
        value = decoded(index.line(fd, number)) if left >= 0 else None
        rows.append(_row(index, number, value if isinstance(value, dict) else {}))
    return rows


def _row(index: Index, number: int, value: Mapping[str, Any]) -> dict[str, Any]:
    usage, error = _mapping(value.get("usage")), _mapping(value.get("error"))
    body = _mapping(_mapping(value.get("response")).get("body"))
    return {
        "at": index.starts[number],
        "id": value.get("id") if "custom_id" not in value else value["custom_id"],
        "line": value.get("line"),
        "status": STATUSES[index.statuses[number]],
        "provider": value.get("provider"),
        "model": value.get("model") or body.get("model"),
        "latency_s": _known(index.latency[number]),
        "ttft_s": _known(index.ttft[number]),
        "cost_usd": _known(index.cost[number]),
        "attempts": index.attempts[number] or None,
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "text": _text(value, body),
        "error": error.get("type") or error.get("code"),
    }


def _text(value: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """The beginning of the answer, whatever it is."""
    output = value.get("output") if "response" not in value else _said(body)
    if output is None:
        output = value.get("tool_calls") or value.get("reasoning") or ""
    if not isinstance(output, str):
        output = msgspec.json.encode(output)[: 4 * SHOWN].decode(errors="replace")
    return output[:SHOWN]


def _said(body: Mapping[str, Any]) -> Any:
    """The answer in the body of an OpenAI Batch line, of any endpoint."""
    choices, items = body.get("choices"), body.get("output")
    if isinstance(choices, list) and choices:
        choice = _mapping(choices[0])
        return choice.get("text", _mapping(choice.get("message")).get("content"))
    if isinstance(items, list):
        parts = [part for item in items for part in _list(_mapping(item).get("content"))]
        return "".join(str(_mapping(part).get("text", "")) for part in parts)
    return body.get("data")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _known(figure: float) -> float | None:
    return None if figure == UNKNOWN else figure
