"""The outline of Markdown: its headings, and the code that should stay in one piece."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from .outline import LOOK, Mark, Outline, shortened
from .places import blank_lines, line_starts, sentences, words

_LINE = re.compile(
    r"\n {0,3}+(?=[#`~=-])(?:"
    r"(?P<atx>#{1,6})(?=[ \t\r\n]|\Z)(?P<title>[^\n]{0,300})"
    r"|(?P<fence>`{3,}|~{3,})(?P<info>[^\n]{0,300})"
    r"|(?P<under>=+|-+)[ \t]*\r?(?=\n|\Z))"
)
_CLOSING = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_NO_TITLE = re.compile(r"[ \t]*(?:[-*+>|#]|\d+[.)])[ \t]|[ \t]{4}|[ \t]*\r?\Z")
"""A line above dashes that is no heading: of a list, a table, a quotation, code, or blank."""

_FENCE = 0
"""The level of a line that opens or closes a fence; its title is the fence that is open then."""


class Markdown(Outline):
    """ATX and setext headings outside of fenced code (CommonMark 0.31, sections 4.2, 4.3, 4.5).

    Of a setext heading in several lines the last is taken. Front matter counts as fenced.
    """

    __slots__ = ("fence",)

    def __init__(self) -> None:
        super().__init__()
        self.fence = ""

    def begin(self, text: str) -> None:
        super().begin(text)
        if text.startswith(("---\n", "---\r\n")):
            self.fence = "---"

    def find(self, text: str, start: int, high: int) -> list[Mark]:
        marks = []
        fence = self.fence
        for line in _LINE.finditer(text, start, high + LOOK):
            at, kind = line.start() + 1, line.lastgroup
            if fence:
                if at <= high and _closes(line, fence):
                    fence = ""
                    marks.append(Mark(at, _FENCE, ""))
            elif kind == "under":
                above = text.rfind("\n", max(start, at - LOOK), at - 1) + 1
                title = text[above : at - 1]
                if start < above <= high and not _NO_TITLE.match(title):
                    level = 1 if line["under"][0] == "=" else 2
                    marks.append(Mark(above, level, shortened(title)))
            elif at > high:
                continue  # an underline may follow to a line in front of it
            elif kind == "title":
                title = line["title"].strip()
                if title.endswith("#"):
                    title = _CLOSING.sub("", title)
                marks.append(Mark(at, len(line["atx"]), shortened(title)))
            elif "`" not in line["info"]:
                fence = line["fence"]
                marks.append(Mark(at, _FENCE, fence))
        return marks

    def take(self, mark: Mark) -> None:
        if mark.level == _FENCE:
            self.fence = mark.title
        else:
            super().take(mark)

    def places(self, text: str, low: int, high: int) -> Iterator[Sequence[int]]:
        yield self.tops(low, high)
        blanks = blank_lines(text, low, high)
        yield self._outside(blanks)
        lines = line_starts(text, low, high)
        yield self._outside(lines)
        yield blanks
        yield lines
        yield sentences(text, low, high)
        yield words(text, low, high)

    def _outside(self, places: Sequence[int]) -> Sequence[int]:
        """Those that tear no fenced code apart."""
        turns = [mark.at for mark in self.marks if mark.level == _FENCE]
        fenced = bool(self.fence)
        if not turns:
            return () if fenced else places
        return [place for place in places if not fenced ^ bisect_left(turns, place) & 1]


def _closes(line: re.Match[str], fence: str) -> bool:
    if fence == "---":
        return line["under"] == "---"
    found = line["fence"]
    return found is not None and found.startswith(fence) and not line["info"].strip()
