"""What the chunker is told, and what it gives."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Tokens(Protocol):
    """Counts tokens as a model does."""

    def count(self, text: str) -> int: ...

    def prefix(self, text: str, tokens: int) -> tuple[int, int]:
        """How many characters of ``text`` its first ``tokens`` tokens are, and its whole count."""
        ...


class Sizes(Struct, frozen=True):
    """In tokens: ``chunk`` is the most that a chunk has, its ``overlap`` included.

    ``context`` is how much of the text before it is handed out beside it.
    """

    chunk: int
    overlap: int = 0
    context: int = 0


class Cut(Struct, frozen=True, kw_only=True):
    """One chunk of a document; offsets as in :class:`...model.Chunk`.

    ``text`` is what is sent: ``overlap`` characters from before ``start``, then those up to
    ``end``, without lone surrogates. ``before`` is the neighbouring text in front of that.
    """

    text: str
    start: int
    end: int
    byte_start: int
    byte_end: int
    tokens: int
    overlap: int = 0
    before: str = ""
    page: int | None = None
    last_page: int | None = None
    headings: tuple[str, ...] = ()
