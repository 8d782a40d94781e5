"""A document cut into chunks while it is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from ..documents.document import Kind, Reading
from .backward import REACH, reach_back
from .buffer import Buffer
from .clusters import LONGEST, cluster_end
from .code import Code
from .cut import Cut, Sizes, Tokens
from .markdown import Markdown
from .outline import LOOK, Outline
from .places import anywhere, choose
from .prose import Prose

_OUTLINES: Mapping[Kind, type[Outline]] = {"prose": Prose, "markdown": Markdown, "code": Code}

_SHARE = 0.6
"""Places are looked for behind this share of what would fit."""

_SLACK = 64
"""Characters behind a prefix: with so many of them, what it is does not hang on where text ends."""

_USUAL = 4.8
"""Characters a token, before anything was counted, and a little more."""


def cut(reading: Reading, sizes: Sizes, tokens: Tokens) -> Iterator[Cut]:
    """Cut a document at the best places; the spans of the chunks tile it.

    Memory holds a few chunks and a block; time is linear in the text, whatever the text. A chunk,
    overlap included, never has more than ``sizes.chunk`` tokens, as ``tokens`` counts the very text
    that is sent, except where a single grapheme cluster has more: such a chunk is that cluster. A
    cluster longer than 512 code points may be cut in two. A token is never taken for more than 16
    characters, so that neither text nor overlap grows without end on white space. The overlap is
    left out where nothing would fit beside it.

    Raises :class:`...errors.SourceError` as the reading does.
    """
    return _Chunker(reading, sizes, tokens).cuts()


class _Chunker:
    """Positions are in the buffer's text; ``base`` is a cluster boundary far enough back."""

    __slots__ = ("base", "buffer", "first_byte", "outline", "rate", "sizes", "tokens")

    def __init__(self, reading: Reading, sizes: Sizes, tokens: Tokens) -> None:
        self.buffer = Buffer(reading)
        self.outline = _OUTLINES[reading.kind]()
        self.first_byte = reading.first_byte
        self.sizes = sizes
        self.tokens = tokens
        self.rate = _USUAL
        self.base = 0

    def __repr__(self) -> str:
        return f"_Chunker({self.sizes}, {self.buffer!r})"

    def cuts(self) -> Iterator[Cut]:
        buffer, outline = self.buffer, self.outline
        window = REACH * self.sizes.chunk + LOOK + LONGEST
        buffer.fill(window)
        outline.begin(buffer.text)
        headings = outline.path(buffer.text, 0)
        start, byte = 0, self.first_byte
        starts = deque([0])  # of chunks that are kept, as characters of the document
        while not buffer.fill(start + window) or start < len(buffer.text):
            text = buffer.text
            begin, end, tokens = self._next(text, start)
            before = reach_back(text, begin, self.sizes.context, self.tokens, self.base)
            after = byte + buffer.bytes(start, end)
            page, last_page = buffer.pages(start, end)
            yield Cut(
                text=text[begin:end],
                start=buffer.origin + start,
                end=buffer.origin + end,
                byte_start=byte,
                byte_end=after,
                tokens=tokens,
                overlap=start - begin,
                before=text[before:begin],
                page=page,
                last_page=last_page,
                headings=headings,
            )
            outline.advance(text, start, end)
            headings = outline.path(text, end)
            byte = after
            starts.append(buffer.origin + end)
            start = end - self._forget(starts)

    def _forget(self, starts: deque[int]) -> int:
        """Drop what no overlap reaches any more; by how much positions move."""
        buffer = self.buffer
        kept = starts[-1] - REACH * (self.sizes.overlap + self.sizes.context) - LOOK
        while len(starts) > 1 and starts[1] <= kept:
            starts.popleft()
        dropped = buffer.drop(starts[0] - buffer.origin)
        self.base = starts[0] - buffer.origin
        return dropped

    def _next(self, text: str, start: int) -> tuple[int, int, int]:
        """Where the chunk that holds ``start`` begins and ends, and how many tokens it has."""
        limit = min(self.sizes.overlap, self.sizes.chunk - 1)
        begin = reach_back(text, start, limit, self.tokens, self.base)
        for first in (begin, start) if begin < start else (start,):
            found = self._end(text, first, start)
            if found is not None:
                return first, *found
        end = cluster_end(text, start) or start + 1
        return start, end, self.tokens.count(text[start:end])

    def _end(self, text: str, begin: int, start: int) -> tuple[int, int] | None:
        """Where to cut and how many tokens that makes; None where not one cluster fits."""
        limit, step = self.sizes.chunk, 1
        while limit > 0:
            high, whole = self._fit(text, begin, start, limit)
            if whole is not None and self.buffer.ended and high == len(text):
                return high, whole
            end = self._cut(text, start, high) if high > start else start
            if end <= start:
                return None
            tokens = self.tokens.count(text[begin:end])
            if tokens <= self.sizes.chunk:
                self.rate = 1.1 * (end - begin) / max(1, tokens)
                return end, tokens
            limit -= max(step, tokens - self.sizes.chunk)  # a part can have more than the whole
            step *= 2
        return None

    def _fit(self, text: str, begin: int, start: int, limit: int) -> tuple[int, int | None]:
        """Where so many tokens from ``begin`` on end, and their count where that is all of it."""
        most = min(len(text), start + REACH * self.sizes.chunk)
        room = int(self.rate * limit) + 2 * _SLACK
        while True:
            stop = min(begin + room, most)
            chars, whole = self.tokens.prefix(text[begin:stop], limit)
            if stop == most or begin + chars + _SLACK <= stop:
                return begin + chars, whole if whole <= limit else None
            room *= 2

    def _cut(self, text: str, start: int, high: int) -> int:
        """The best place up to ``high``; ``start`` where not even one cluster ends by then."""
        low = start + max(1, int(_SHARE * (high - start)))
        self.outline.look(text, start, high)
        for places in self.outline.places(text, low, high):
            if places and (place := choose(text, places, start)) is not None:
                return place
        place = anywhere(text, low, high, start)
        if place <= start and cluster_end(text, start) is None:
            return high
        return place
