"""Places that are good ones to cut a text at, and which of several is taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

from .clusters import boundary_after, boundary_before, is_boundary

AROUND = 16
"""Characters on each side of a place that decide whether it is taken."""

_MANY = 512
_TRIES = 64
_BLANK = re.compile(r"\n[ \t\r]*\n(?:[ \t\r]*\n)*")
_SENTENCE = re.compile(r"[.!?…][\"'”’»)\]*_]*\s+|[。！？]+[\"'”’」』）]*\s*")
_SPACE = re.compile(r"\s+")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|etc|cf|ca|No|Nr|Vol|Fig|Sec|Art|pp?|e\.g|i\.e|z\.B|d\.h"
    r"|[A-Z]))\.\Z"
)


def blank_lines(text: str, low: int, high: int) -> list[int]:
    """Line starts below blank lines."""
    first = max(0, low - AROUND)
    return [m.end() for m in _BLANK.finditer(text, first, high) if m.end() >= low]


def line_starts(text: str, low: int, high: int) -> list[int]:
    """Places behind the end of a line."""
    places = []
    find = text.find
    at = find("\n", low - 1, high)
    while at >= 0:
        places.append(at + 1)
        at = find("\n", at + 1, high)
    return places


def sentences(text: str, low: int, high: int) -> list[int]:
    """Places behind the end of a sentence and its white space; as good as can be told cheaply."""
    return [
        m.end()
        for m in _SENTENCE.finditer(text, max(0, low - AROUND), high)
        if m.end() >= low and not _goes_on(text, m.start(), m.end())
    ]


def _goes_on(text: str, stop: int, after: int) -> bool:
    if text[stop] != ".":
        return False
    if text[after : after + 1].islower():
        return True
    return _ABBREVIATED.search(text, max(0, stop - 6), stop + 1) is not None


def words(text: str, low: int, high: int) -> list[int]:
    """Places behind white space."""
    return [m.end() for m in _SPACE.finditer(text, low - 1, high)]


def choose(text: str, places: Sequence[int], base: int) -> int | None:
    """One of the places that tears no cluster, by what stands around it; None where all do.

    As in content-defined chunking (FastCDC, USENIX ATC 2016): the same text is cut at the same
    places again whatever was inserted before it, so that the chunks of an edited document that did
    not change are known again. The last one would depend on where the chunk began.
    """
    best = _preferred(text, places) if len(places) > 1 else places[0]
    if is_boundary(text, best, base):
        return best
    for place in reversed(places[-_TRIES:]):
        if is_boundary(text, place, base):
            return place
    return None


def _preferred(text: str, places: Sequence[int]) -> int:
    """That with the lowest hash of what is around it; the last one of several alike."""
    first = places[0] - AROUND
    data = text[max(0, first) : places[-1] + AROUND].encode("utf-32-le")
    before, behind = 4 * (first + AROUND), 8 * AROUND
    if first < 0:
        data = bytes(-4 * first) + data

    def rank(place: int) -> int:
        at = 4 * place - before
        return crc32(data[at : at + behind])

    return min(reversed(places), key=rank)


def anywhere(text: str, low: int, high: int, start: int) -> int:
    """A cluster boundary in a text that offers no better place; ``start`` or below where none is.

    It stands where the highest character is, which is as much a matter of the text as a hash.
    """
    if low >= high:
        return boundary_before(text, high, start)
    top = max(text[low:high])
    found: list[int] = []
    at = text.find(top, low, high)
    while at >= 0 and len(found) < _MANY:
        found.append(at)
        at = text.find(top, at + 1, high)
    if len(found) < _MANY:
        place = boundary_after(text, _preferred(text, found), start)
        if start < place <= high:
            return place
    return boundary_before(text, high, start)
