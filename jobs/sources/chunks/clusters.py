"""Where a text may be cut without tearing what readers see as one character.

Those are extended grapheme clusters: Unicode Standard Annex 29, section 3.1.1, as the ``regex``
library knows it. It is imported when the first text beyond Latin is to be cut between words; two
characters below U+0300 are looked at without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

LONGEST = 512
"""Code points. No script has clusters like that: one that is longer may be cut anywhere."""

_LATIN = "\u0300"
_FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
"""Regional indicators: two of them are a flag."""


class _Rules(NamedTuple):
    cluster: Callable[[str], Any]
    marks: Callable[[str, int, int], Any]
    marks_before: Callable[[str, int, int], Any]


@cache
def _rules() -> _Rules:
    import regex

    marks = r"[\p{GCB=Extend}\p{GCB=ZWJ}]+"
    return _Rules(
        regex.compile(r"\X").match,
        regex.compile(marks).match,
        regex.compile(f"(?r){marks}").match,
    )


def is_boundary(text: str, at: int, base: int = 0) -> bool:
    """Whether no cluster reaches over ``at``; ``base`` is a boundary at or before it.

    Looks at two characters where they tell, and never further back than a cluster or a row of
    flags begins.
    """
    if at <= base or at >= len(text):
        return True
    left, right = text[at - 1], text[at]
    if left < _LATIN and right < _LATIN:
        return not (left == "\r" and right == "\n")
    if left in _FLAGS and right in _FLAGS:
        row = text[base:at]
        return (len(row) - len(row.rstrip(_FLAGS))) % 2 == 0
    rules = _rules()
    if rules.cluster(left + right).end() == 2:
        return False
    marks = rules.marks_before(text, max(base, at - LONGEST), at)
    if marks is None:
        return True
    # What the marks belong to decides: an emoji before a joiner, a consonant before a virama.
    begin: int = marks.start()
    first = max(base, begin - 1)
    end = first + rules.cluster(text[first : at + 1]).end()
    if end == begin:  # to nothing: a control character stands before them
        end = begin + rules.cluster(text[begin : at + 1]).end()
    return bool(end <= at)


def boundary_after(text: str, at: int, base: int = 0) -> int:
    """The first boundary from ``at`` on; ``at`` itself inside of a cluster beyond LONGEST."""
    place, last = at, min(at + LONGEST, len(text))
    while place <= last:
        if is_boundary(text, place, base):
            return place
        marks = _rules().marks(text, place, last) if text[place] >= _LATIN else None
        place = place + 1 if marks is None else marks.end()
    return at


def boundary_before(text: str, at: int, base: int) -> int:
    """The last boundary down from ``at``; ``at`` itself inside of a cluster beyond LONGEST."""
    place, first = at, max(base, at - LONGEST)
    while place >= first:
        if is_boundary(text, place, base):
            return place
        marks = _rules().marks_before(text, first, place + 1) if text[place] >= _LATIN else None
        place = place - 1 if marks is None or marks.start() == place else marks.start()
    return at


def cluster_end(text: str, start: int) -> int | None:
    """Where the cluster that begins at ``start`` ends; None where it is longer than LONGEST."""
    piece = text[start : start + LONGEST + 1]
    if piece[:2] < _LATIN and piece[1:2] < _LATIN:
        return start + (2 if piece.startswith("\r\n") else min(1, len(piece)))
    end: int = _rules().cluster(piece).end()
    return None if end > LONGEST else start + end
