"""A part that is too large for a fold becomes several smaller ones. Pure; nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import structs

from .part import Part

Count = Callable[[Part], int]
"""How many tokens a part has, as a fold is shown it."""

_ENDS = (
    re.compile(r"\n[ \t]*\n+"),  # a paragraph
    re.compile(r"\n(?![ \t]*>)"),  # a finding, with the quotes below it
    re.compile(r"\n"),
    re.compile(r"[.!?;]\s+"),
    re.compile(r"\s+"),
)
_LABEL = re.compile(r"\[[\d, –-]{1,64}\]")


def split(part: Part, most: int, count: Count) -> list[Part]:
    """The part in pieces of at most ``most`` tokens, cut at the best ends there are.

    Their texts, joined, are the part's own; every piece has all its sources, so that ``[i]`` keeps
    its meaning, and the quotes that stand in it. A piece that can't be made to fit is left as large
    as it is.
    """
    pieces = list(_pieces(part, most, count))
    return [part] if len(pieces) < 2 else _with_quotes(part, pieces)


def _pieces(part: Part, most: int, count: Count) -> list[Part]:
    done: list[Part] = []
    todo = [part]
    while todo:
        piece = todo.pop()
        text = piece.text
        if count(piece) <= most or len(text) < 2 or count(_with_text(piece, text[:1])) > most:
            done.append(piece)
            continue
        at = _middle(text)
        todo.append(_with_text(piece, text[at:]))
        todo.append(_with_text(piece, text[:at]))
    return [piece for piece in done if piece.text.strip()]


def _with_text(part: Part, text: str) -> Part:
    return structs.replace(part, text=text)


def _middle(text: str) -> int:
    """Where to cut a text in two: at the best kind of end that its middle half has.

    At a character where it has none, but never inside a ``[label]``.
    """
    half = len(text) // 2
    first, last = max(1, half // 2), min(len(text) - 1, half + half // 2)
    inside = {place for m in _LABEL.finditer(text) for place in range(m.start() + 1, m.end())}
    for end in _ENDS:
        places = {m.end() for m in end.finditer(text, first, last)} - inside
        if places:
            return min(places, key=lambda place: abs(place - half))
    return next((place for place in range(half, 0, -1) if place not in inside), half)


def _with_quotes(part: Part, pieces: list[Part]) -> list[Part]:
    """Each quote goes to the pieces it stands in; to all where no piece has it as it is."""
    stray = [q for q in part.quotes if not any(q.quote.text in p.text for p in pieces)]
    return [
        structs.replace(
            piece,
            quotes=(
                *stray,
                *(q for q in part.quotes if q.quote.text in piece.text),
            ),
        )
        for piece in pieces
    ]
