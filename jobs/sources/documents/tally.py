"""Counts the text that was taken out of a document of another format."""

from __future__ import annotations

from .coding import Coding
from .document import Block


class Tally:
    """Characters and bytes, of the text in UTF-8."""

    __slots__ = ("bytes", "characters", "width")

    def __init__(self) -> None:
        self.characters = 0
        self.bytes = 0
        self.width = Coding("utf-8").width

    def __repr__(self) -> str:
        return f"Tally({self.characters:,} characters)"

    def block(self, text: str, page: int | None = None) -> Block:
        self.characters += len(text)
        self.bytes += self.width(text)
        return Block(text, page)
