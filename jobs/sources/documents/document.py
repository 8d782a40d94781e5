"""What every document is to those who read it, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from msgspec import Struct

from ...model import DocumentFacts

Kind = Literal["prose", "markdown", "code"]
"""How a text is built: which of its places are good ones to cut at."""


class Block(Struct, frozen=True):
    """The next stretch of a document's text; ``page`` counts from 1 where there are pages.

    A byte that can't be decoded stands as a lone surrogate (PEP 383), so that offsets stay exact.
    """

    text: str
    page: int | None = None


class Reading(Protocol):
    """A document that is being read. It blocks: read it in a thread."""

    title: str
    kind: Kind
    first_byte: int
    """Where the text begins: behind a byte order mark."""

    def blocks(self) -> Iterator[Block]:
        """The text in order, once, some 100 kB at a time; flat in memory.

        Raises :class:`...errors.SourceError` where it can't be read, or has no text.
        """
        ...

    def width(self, text: str) -> int:
        """How many bytes a piece of the text is stored in."""
        ...

    def facts(self) -> DocumentFacts:
        """After the last block."""
        ...


class Document(Protocol):
    """A document that was found. ``path`` is as the user gave it, ``-`` is standard input.

    ``size`` is the number of bytes of its text, where that is known before it is read: the size of
    an uncompressed text file.
    """

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int | None: ...

    def open(self) -> AbstractContextManager[Reading]:
        """Raises :class:`...errors.SourceError`."""
        ...
