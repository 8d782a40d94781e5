"""What a text is made of, found as it goes by: its headings, and where it is best cut."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .places import blank_lines, line_starts, sentences, words

LOOK = 400
"""Characters behind a line's start that are looked at to tell what it is."""

LONGEST_TITLE = 120
DEEPEST = 6


class Mark(NamedTuple):
    """A line that says something of the text's structure; the lower its ``level``, the higher up.

    ``at`` is where a chunk begins that begins with it.
    """

    at: int
    level: int
    title: str


class Outline(ABC):
    """Follows a text from its start on.

    For each chunk: :meth:`look`, then :meth:`places`, then :meth:`advance` to where it was cut.
    """

    __slots__ = ("_looked", "marks", "stack")

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.stack: list[tuple[int, str]] = []
        self._looked = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {' > '.join(title for _, title in self.stack) or 'top'}>"

    @abstractmethod
    def find(self, text: str, start: int, high: int) -> list[Mark]:
        """The marks of the lines that begin behind ``start``, up to and with ``high``."""

    def begin(self, text: str) -> None:
        """At the document's start: its first line may be a mark."""
        for mark in self.find("\n" + text[:LOOK], 0, 1):
            self.take(mark)

    def look(self, text: str, start: int, high: int) -> None:
        """Find the marks between ``start``, where the chunk begins, and ``high``."""
        if high > self._looked:
            self.marks = self.find(text, start, high)
            self._looked = high

    def advance(self, text: str, start: int, cut: int) -> None:
        """The next chunk begins at ``cut``; positions are new from here on."""
        self.look(text, start, cut)
        for mark in self.marks:
            if mark.at > cut:
                break
            self.take(mark)
        self._looked = 0

    def take(self, mark: Mark) -> None:
        stack = self.stack
        while stack and stack[-1][0] >= mark.level:
            stack.pop()
        if mark.title:
            stack.append((mark.level, mark.title))

    def path(self, text: str, start: int) -> tuple[str, ...]:  # noqa: ARG002 - code looks at it
        """The headings above ``start``, and the one at it."""
        return tuple(title for _, title in self.stack[:DEEPEST])

    def places(self, text: str, low: int, high: int) -> Iterator[Sequence[int]]:
        """Places between ``low`` and ``high``, both included, to be taken by rank."""
        yield self.tops(low, high)
        yield blank_lines(text, low, high)
        yield line_starts(text, low, high)
        yield sentences(text, low, high)
        yield words(text, low, high)

    def tops(self, low: int, high: int) -> list[int]:
        """The marks of the highest level that there is."""
        marks = [mark for mark in self.marks if low <= mark.at <= high and mark.level]
        top = min((mark.level for mark in marks), default=0)
        return [mark.at for mark in marks if mark.level == top]


def shortened(title: str) -> str:
    """A title on one line, with an ellipsis where it is too long."""
    if not title:
        return ""
    title = " ".join(title.split())
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
