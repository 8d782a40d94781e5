"""A finding: what is cited as one, and how much of it a citation covers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .lines import Kind, unmarked

_END = re.compile(r"[.!?…][\"'”’»)*_]*\s+|[。！？][」』”’）]*\s*")
_OPENERS = re.compile(r"[\"'“‘„«(*_]*")
_SAYS = re.compile(r"[^\W_]")


class Finding:
    """A list item with its continuation lines, a paragraph, a table's row, or a heading.

    ``cited`` are the numbers that it cites, ``since`` is what was said after the last of them.
    """

    __slots__ = ("_since", "_text", "cited", "covered", "kind", "lines")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.lines = 1
        self.cited: dict[int, None] = {}  # in their order, each once
        self.covered = False  # it begins with a citation, which is meant for all of it
        self._text: list[str] = []
        self._since: list[str] = []

    def add(self, text: str) -> None:
        self._text.append(text)
        self._since.append(text)

    def cite(self, numbers: Iterable[int]) -> None:
        """A citation stands here."""
        if not self.cited and not says(self.body):
            self.covered = True
        self.cited.update(dict.fromkeys(numbers))
        self._since.clear()

    @property
    def text(self) -> str:
        """All of it, without citations."""
        return "".join(self._text)

    @property
    def body(self) -> str:
        """That without a list's marker."""
        return unmarked(self.text) if self.kind == "item" else self.text

    @property
    def since(self) -> str:
        return "".join(self._since)

    @property
    def last(self) -> str:
        """The last character that is no citation's."""
        return self._text[-1][-1:] if self._text else ""

    def loose(self) -> str:
        """The sentences at its end that no citation covers."""
        if not self.cited:
            return self.body
        if self.covered:
            return ""
        since = self.since
        for end in _END.finditer(since):
            opened = _OPENERS.match(since, end.end())
            first = since[opened.end() : opened.end() + 1] if opened else ""
            if first and (first.isupper() or end.group()[0] in "。！？"):
                return since[end.end() :]
        return ""

    def titles(self, then: Kind | None, below: bool) -> bool:
        """Whether it says nothing itself, but names what comes ``then`` (right ``below``).

        Headings, a line above a rule, a table's heading, a line in bold, an introduction that ends
        with a colon.
        """
        if self.kind == "heading" or not (says(self.body) or self.cited):
            return True
        text = self.body.strip()
        if self.kind == "table":
            return then == "divider" and below
        if self.kind == "text":
            if then == "rule" and below and self.lines == 1:
                return not text.endswith((".", "!", "?"))
            if _bold(text):
                return True
            return text.endswith((":", ":**", "：")) and then != "quote"
        titles = text.endswith((":", ":**", "：")) or _bold(text)
        return titles and then in ("item", "table", "fence")

    def __repr__(self) -> str:
        return f"<Finding {self.kind}, {len(self.text)} characters, cites {list(self.cited)}>"


def says(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return _SAYS.search(text) is not None


def _bold(text: str) -> bool:
    inner = text.rstrip(":")
    return len(inner) > 4 and inner[:2] == inner[-2:] == "**" and inner.count("**") == 2
