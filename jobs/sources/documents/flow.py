"""Markdown, written bit by bit: headings, paragraphs, lists, cells, and text kept as it stands."""

from __future__ import annotations

import re

from .text import BLOCK

_WHITE = " \t\n\r\f"
_FOLDED = re.compile(r"[\t\n\r\f][ \t\n\r\f]*| [ \t\n\r\f]+")
"""White space that is more than one space."""
_DEEPEST = 20  # levels of lists that are indented
_FENCE = "```"


class Flow:
    """Collects text; :meth:`take` hands it out. White space between words counts as one space.

    What is asked for between two texts (a line, a paragraph, a cell) is written only when the next
    text comes, so that nothing stands at the end, and nothing twice.
    """

    __slots__ = (
        *("_break", "_cells", "_fenced", "_filled", "_fresh", "_joins", "_mark", "_parts"),
        *("_size", "_space", "heading", "pre"),
    )

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._break = 0  # newlines that are due
        self._space = ""
        self._mark = ""  # due at the start of the next line
        self._cells = 0  # of the row so far
        self._joins = 0  # of them, those that are due before the next text
        self._filled = False  # the row has text
        self._fresh = True  # nothing was ever written
        self._fenced = False  # the verbatim text has begun
        self.heading = False
        self.pre = False

    def __repr__(self) -> str:
        return f"Flow({self._size:,} characters wait)"

    def text(self, text: str) -> None:
        """Words, with white space folded, except in a :meth:`begin_pre`."""
        if self.pre:
            self._verbatim(text)
            return
        words = text.strip(_WHITE)
        if not words:
            self._space = self._space or (text and " ")
            return
        if text[0] in _WHITE:
            self._space = self._space or " "
        self._lead()
        self._put(_FOLDED.sub(" ", words))
        self._space = " " if text[-1] in _WHITE else ""

    def tab(self) -> None:
        """A tabulator between two words."""
        self._space = "\t"

    def mark(self, sign: str) -> None:
        """What stands before the next text."""
        self._mark = sign

    def line(self) -> None:
        """What follows begins a line of its own."""
        self._due(1)

    def paragraph(self) -> None:
        """What follows is a new paragraph."""
        self.heading = False
        self._due(2)

    def newline(self) -> None:
        """A line break that the text itself has; two of them are a paragraph."""
        if self.pre:
            self._verbatim("\n")
        elif self.heading:
            self._space = self._space or " "
        else:
            self._due(min(2, self._break + 1))

    def begin_heading(self, level: int) -> None:
        """A heading in a table ends its row: such a table is there for the looks."""
        if self.pre:
            return
        self.end_row()
        self.paragraph()
        self._mark = "#" * min(max(level, 1), 6) + " "
        self.heading = True

    def end_heading(self) -> None:
        self._mark = ""
        self.paragraph()

    def item(self, depth: int, sign: str = "-") -> None:
        """An item of a list; ``depth`` counts from 0."""
        if not self.pre:
            self._due(1)
            self._mark = "  " * min(depth, _DEEPEST) + sign + " "

    def end_item(self) -> None:
        self._mark = ""
        self._due(1)

    def row(self) -> None:
        """A row of a table begins."""
        self.end_row()
        self._due(1)

    def cell(self) -> None:
        if self.pre:
            return
        if self._filled:
            self._break = 0
        self._cells += 1
        self._joins += 1
        self._space = ""

    def end_row(self) -> None:
        if self._cells and self._filled:
            self._put(" | " * self._joins + " |")
            self._break = 1
        self._joins = 0
        self._cells = 0
        self._filled = False

    def begin_pre(self) -> None:
        """Text as it stands follows; see :meth:`begin_heading` for what becomes of a table."""
        self.end_row()
        self.paragraph()
        self.pre = True

    def end_pre(self) -> None:
        if self._fenced:
            self._put(_FENCE if self._parts[-1:] and self._parts[-1][-1] == "\n" else "\n" + _FENCE)
        self._fenced = self.pre = False
        self.paragraph()

    def take(self, *, final: bool = False) -> str:
        """What was written, once it is enough for a block; '' before."""
        if not final and self._size < BLOCK:
            return ""
        text = "".join(self._parts)
        self._parts = []
        self._size = 0
        return text

    def _verbatim(self, text: str) -> None:
        if not self._fenced:
            text = text.removeprefix("\r").removeprefix("\n")
            if not text.strip():
                return
            self._mark = ""
            self._lead()
            self._put(_FENCE + "\n")
            self._fenced = True
        self._put(text)

    def _due(self, newlines: int) -> None:
        if not self._joins and not self.pre:
            self._break = max(self._break, newlines)
            self._space = ""

    def _lead(self) -> None:
        if self._break and not self._fresh:
            self._put("\n" * self._break)
            self._space = ""
        if self._joins:
            self._put((" | " * self._joins)[self._joins == self._cells :])
            self._joins = 0
            self._filled = True
            self._space = ""
        elif self._cells:
            self._filled = True
        if self._mark:
            self._put(self._mark)
            self._mark = ""
            self._space = ""
        if self._space and not self._fresh:
            self._put(self._space)
        self._break = 0
        self._space = ""

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        self._fresh = False
