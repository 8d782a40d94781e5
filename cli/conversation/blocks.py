"""Markdown that is still being written, cut into blocks. Pure.

What comes later can't change a block that is settled, so that it is shown once and for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["text", "code", "table"]
Form = Literal["paragraph", "list", "quote", "table"]

LONGEST = 3000
"""Characters of a block that are waited for: a longer one is settled in parts."""

LONGEST_TABLE = 65536
"""The same of a table, whose columns are as wide as all of it needs."""

MOST_LINES = 60
"""Lines of a list, likewise; it is cut between two items."""

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([^\s`]*)[^`]*$")
_HEADING = re.compile(r"^ {0,3}#{1,6}(\s|$)")
_RULE = re.compile(r"^ {0,3}([-*_])(\s*\1){2,}\s*$")
_ITEM = re.compile(r"^ {0,3}([-*+]|\d{1,9}[.)])\s")
_QUOTE = re.compile(r"^ {0,3}>")
_TABLE = re.compile(r"^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")


class Block(NamedTuple):
    """``source`` is Markdown, of code a line (in ``language``).

    ``joined`` says that it goes on right below the block before it.
    """

    kind: Kind
    source: str
    joined: bool = False
    language: str = ""


class Blocks:
    """Takes Markdown in pieces, gives the blocks that are settled, keeps the one that is not."""

    def __init__(self) -> None:
        self._partial = ""  # of a line
        self._lines: list[str] = []
        self._size = 0
        self._form: Form = "paragraph"
        self._fence = ""
        self._language = ""
        self._joined = False
        self._blank = False  # the last line was, within a list

    def feed(self, text: str) -> Iterator[Block]:
        """The blocks that this piece settles."""
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            yield from self._line(line.removesuffix("\r"))
        if len(self._partial) > LONGEST:
            cut = self._partial.rfind(" ", 0, LONGEST) + 1 or LONGEST
            line, self._partial = self._partial[:cut], self._partial[cut:]
            yield from self._line(line)
            yield from self._settle()
            self._joined = True

    def finish(self) -> Iterator[Block]:
        """There is nothing more to come."""
        if self._partial:
            line, self._partial = self._partial, ""
            yield from self._line(line)
        yield from self._settle()

    @property
    def tail(self) -> Block | None:
        """What is not settled, as far as it is there."""
        if self._fence:
            partial = self._partial
            closing = partial.strip() and not partial.strip().strip(self._fence[0])
            if not partial or closing:
                return None
            return Block("code", self._partial, self._joined, self._language)
        lines = [*self._lines, self._partial] if self._partial else self._lines
        if not any(lines):
            return None
        kind: Kind = "table" if self._form == "table" else "text"
        return Block(kind, "\n".join(lines), self._joined)

    def _line(self, line: str) -> Iterator[Block]:
        if self._fence:
            yield from self._code(line)
        elif not line.strip():
            if self._form == "list" and self._lines:
                self._blank = True
                self._lines.append("")
            else:
                yield from self._settle()
        elif (fence := _FENCE.match(line)) is not None:
            yield from self._settle()
            self._fence, self._language = fence[1], fence[2]
        elif _HEADING.match(line) or (_RULE.match(line) and not self._lines):
            yield from self._settle()
            yield Block("text", line)
        else:
            yield from self._content(line)

    def _code(self, line: str) -> Iterator[Block]:
        bare = line.strip()
        if len(bare) >= len(self._fence) and not bare.strip(self._fence[0]):
            self._fence, self._joined = "", False
            return
        yield Block("code", line, self._joined, self._language)
        self._joined = True

    def _content(self, line: str) -> Iterator[Block]:
        form = self._form_of(line)
        if self._heads_a_table(line):
            head = self._lines.pop()
            yield from self._settle()
            self._lines, self._form = [head], "table"
        elif self._lines and self._ends_before(line, form):
            yield from self._settle()
        elif len(self._lines) > MOST_LINES and form == "list" and line[0] not in " \t":
            yield from self._settle()
            self._joined = True
        if not self._lines:
            self._form = form
        self._blank = False
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size > (LONGEST_TABLE if self._form == "table" else LONGEST):
            yield from self._settle()
            self._joined = True

    def _heads_a_table(self, line: str) -> bool:
        """Whether the line below what may be column names makes them that."""
        if self._form != "paragraph" or not self._lines or "|" not in self._lines[-1]:
            return False
        return "|" in line and _TABLE.match(line) is not None

    def _ends_before(self, line: str, form: Form) -> bool:
        """Whether a block is over with this line, which is not one of its own."""
        if self._form == "table":
            return "|" not in line
        if form not in ("paragraph", self._form):
            return True
        return self._blank and form == "paragraph" and line[:1] not in " \t"

    @staticmethod
    def _form_of(line: str) -> Form:
        if _QUOTE.match(line):
            return "quote"
        return "list" if _ITEM.match(line) else "paragraph"

    def _settle(self) -> Iterator[Block]:
        lines, form, joined = self._lines, self._form, self._joined
        self._lines, self._form, self._size = [], "paragraph", 0
        self._blank = self._joined = False
        source = "\n".join(lines).rstrip()
        if source.strip():
            yield Block("table" if form == "table" else "text", source, joined)
