"""Which paragraph styles of a DOCX are headings or items of lists, whatever their language."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .xmlstream import Handler

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_DEEPEST = 20  # styles that a style is based on, one on the other


class Styles(Handler):
    """Reads ``styles.xml``. A level counts from 1; 0 is no heading."""

    __slots__ = ("_based", "_id", "_items", "_levels")

    def __init__(self) -> None:
        self._id = ""
        self._levels: dict[str, int | None] = {}
        self._items: dict[str, int | None] = {}
        self._based: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Styles({len(self._levels)} of their own)"

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        value = attributes.get("w:val", "")
        if name == "w:style":
            self._id = attributes.get("w:styleId", "")
        elif not self._id:
            return
        elif name == "w:outlineLvl":
            self._levels[self._id] = level(value)
        elif name == "w:numId":
            self._items[self._id] = None if value == "0" else self._items.get(self._id) or 0
        elif name == "w:ilvl" and value.isdecimal():
            self._items[self._id] = min(int(value[:2]), 8)
        elif name == "w:basedOn":
            self._based[self._id] = value
        elif name == "w:name":
            found = _HEADING.fullmatch(value)
            if found or value.lower() == "title":
                self._levels.setdefault(self._id, int(found[1]) if found else 1)

    def end(self, name: str) -> None:
        if name == "w:style":
            self._id = ""

    def level(self, style: str) -> int:
        """How deep a heading of that style is."""
        return self._found(self._levels, style) or 0

    def item(self, style: str) -> int | None:
        """How deep an item of a list of that style is, from 0; None where it is none."""
        return self._found(self._items, style)

    def _found(self, known: Mapping[str, int | None], style: str) -> int | None:
        for _ in range(_DEEPEST):
            if style in known:
                return known[style]
            style = self._based.get(style, "")
        return None


def level(outline: str) -> int:
    """Of Word's outline level: 0 is the topmost, and 9 is text."""
    return int(outline) + 1 if outline in tuple("012345678") else 0
