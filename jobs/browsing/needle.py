"""A text that is looked for in result lines, as JSON may have written it."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

_PLAIN = re.compile(r"[ -~]+", re.ASCII)
_TOLD = (
    "id", "custom_id", "output", "reasoning", "error", "metadata", "tool_calls", "quotes",
    "response",
)  # fmt: skip
"""What of a line is looked at: what somebody said, and no figures."""

_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
_MAYBE_ESCAPED = set("\"\\/<>&'")


class Needle:
    """Finds where a text may stand in bytes, and knows whether it does.

    Capital letters count as small ones unless ``case`` is set.
    """

    __slots__ = ("_case", "_pattern", "_piece", "_text")

    def __init__(self, text: str, *, case: bool = False) -> None:
        self._case = case
        self._text = text if case else text.lower()
        runs = [run for run in _runs(text) if run]
        longest = max(runs, key=len, default="")
        self._piece = (longest if case else longest.lower()).encode()
        self._pattern = None if self._piece else _pattern(text, case=case)

    def __repr__(self) -> str:
        return f"Needle({self._text!r})"

    def places(self, block: bytes) -> Generator[int, int | None]:
        """Where it may begin; a place may be sent back, from which on nothing is known yet."""
        if self._pattern is not None:
            search = self._pattern.search
            at = 0
            while found := search(block, at):
                at = (yield found.start()) or found.end()
            return
        shown = block if self._case else block.lower()
        at = shown.find(self._piece)
        while at >= 0:
            after = (yield at) or at + 1
            at = shown.find(self._piece, after)

    def is_in(self, value: Any) -> bool:
        """Whether a line, read as JSON, says it."""
        if not isinstance(value, dict):
            return False
        return any(self._said(value[key]) for key in _TOLD if key in value)

    def _said(self, value: Any) -> bool:
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str):
                if self._text in (each if self._case else each.lower()):
                    return True
            elif isinstance(each, dict):
                waiting.extend(each.values())
            elif isinstance(each, list):
                waiting.extend(each)
        return False


def _runs(text: str) -> Iterator[str]:
    """The parts that stand in JSON as they are, whoever wrote it."""
    for run in _PLAIN.findall(text):
        piece = ""
        for char in run:
            if char in _MAYBE_ESCAPED:
                yield piece
                piece = ""
            else:
                piece += char
        yield piece


def _pattern(text: str, *, case: bool) -> re.Pattern[bytes]:
    """Of the first few characters, each as itself or as one of its escapes."""
    ways = []
    for char in text[:8]:
        alike = {char} if case else {char, char.lower(), char.upper()}
        forms = [form for each in alike if len(each) == 1 for form in _forms(each)]
        ways.append(b"(?:" + b"|".join(dict.fromkeys(forms)) + b")")
    return re.compile(b"".join(ways))


def _forms(char: str) -> Iterator[bytes]:
    if char >= " " and char not in '"\\':
        yield re.escape(char.encode(errors="replace"))
    if char in _SHORT:
        yield re.escape(_SHORT[char].encode())
    if char == "/":
        yield rb"\\/"
    units = char.encode("utf-16-be", "surrogatepass")
    escapes = (units[n : n + 2].hex() for n in range(0, len(units), 2))
    yield b"".join(b"(?i:" + re.escape(f"\\u{code}".encode()) + b")" for code in escapes)
