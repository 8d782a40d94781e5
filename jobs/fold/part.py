"""A partial report: what one chunk gave, or what a fold made of several parts."""

from __future__ import annotations

from msgspec import Struct

from ..model import Chunk, Quote


class Cited(Struct, frozen=True):
    """A quote and the chunk that it was taken from."""

    quote: Quote
    chunk: Chunk


class Part(Struct, frozen=True):
    """A partial report.

    ``[i]`` in its ``text`` cites ``sources[i - 1]``; labels are numbered anew in every part, so
    that the same findings make the same request wherever in a document they were made. ``quotes``
    are those that stand in the text. It covers the chunks ``first`` to ``last`` (numbers).
    """

    text: str
    first: int
    last: int
    sources: tuple[Chunk, ...] = ()
    quotes: tuple[Cited, ...] = ()
