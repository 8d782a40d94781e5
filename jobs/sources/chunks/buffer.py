"""The stretch of a document that the chunker has before it."""

from __future__ import annotations

import re
from collections import deque

from ..documents.document import Reading

AHEAD = 1 << 16
"""Characters: blocks are put together at least so many at a time, however small they are."""

_LONE = re.compile("[\ud800-\udfff]")


class Buffer:
    """Holds ``text``, whose first character is number ``origin`` of the document.

    Lone surrogates stand in ``text`` as U+FFFD; bytes are counted of what was there. Positions are
    in ``text``, until the next :meth:`drop`.
    """

    __slots__ = ("_blocks", "_pages", "_raw", "_width", "ended", "origin", "text")

    def __init__(self, reading: Reading) -> None:
        self._blocks = reading.blocks()
        self._width = reading.width
        self._pages: deque[tuple[int, int | None]] = deque()  # (first character, page)
        self._raw = self.text = ""
        self.origin = 0
        self.ended = False

    def __repr__(self) -> str:
        return f"Buffer(characters {self.origin} to {self.origin + len(self.text)})"

    def fill(self, until: int) -> bool:
        """Read on until there are so many characters; whether that is all of the document."""
        size = len(self.text)
        if self.ended or size >= until:
            return self.ended
        until = max(until + until // 4, size + AHEAD)
        raw, clean = [self._raw], [self.text]
        for block in self._blocks:
            if not (text := block.text):
                continue
            if not self._pages or self._pages[-1][1] != block.page:
                self._pages.append((self.origin + size, block.page))
            raw.append(text)
            clean.append(_without_surrogates(text))
            size += len(text)
            if size >= until:
                break
        else:
            self.ended = True
        same = all(a is b for a, b in zip(raw, clean, strict=True))
        self.text = "".join(clean)
        self._raw = self.text if same else "".join(raw)
        return self.ended

    def bytes(self, start: int, end: int) -> int:
        """In how many bytes this stretch is stored."""
        return self._width(self._raw[start:end])

    def pages(self, start: int, end: int) -> tuple[int | None, int | None]:
        """The pages of the first and the last character; earlier pages are forgotten."""
        pages = self._pages
        while len(pages) > 1 and pages[1][0] <= self.origin + start:
            pages.popleft()
        first = last = pages[0][1]
        for begins, page in pages:
            if begins >= self.origin + end:
                break
            last = page
        return first, last

    def drop(self, count: int) -> int:
        """Forget the first characters where that is worth it; how many it were."""
        if count < AHEAD:
            return 0
        same = self._raw is self.text
        self.text = self.text[count:]
        self._raw = self.text if same else self._raw[count:]
        self.origin += count
        return count


def _without_surrogates(text: str) -> str:
    try:
        text.encode()  # ten times as fast as looking for them
    except UnicodeEncodeError:
        return _LONE.sub("\ufffd", text)
    return text
