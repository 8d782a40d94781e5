"""How far back a stretch of so many tokens reaches: overlap, and the context in front of it."""

from __future__ import annotations

import re

from .clusters import boundary_after, boundary_before, is_boundary
from .cut import Tokens

REACH = 16
"""Characters a token at most, so that a run of spaces (128 a token) does not grow the window."""

_TRIES = 32
_WORD = 64
"""Characters. A word is not longer, or it is none."""

_SPACE = re.compile(r"\s")
_INK = re.compile(r"\S")


def reach_back(text: str, stop: int, limit: int, tokens: Tokens, base: int) -> int:
    """Where the longest stretch of at most ``limit`` tokens before ``stop`` begins.

    It begins at the start of a word, or of a cluster where the half of it that is farther away has
    no white space (as in Chinese), and is empty where it would be white space alone. ``base`` is a
    cluster boundary; there is nothing before it.
    """
    if limit <= 0 or stop <= base:
        return stop
    place = _Back(text, stop, max(base, stop - REACH * limit), base)
    return place.snug(_guess(text, place.floor, stop, limit, tokens), limit, tokens)


def _guess(text: str, floor: int, stop: int, limit: int, tokens: Tokens) -> int:
    """About where it begins, by the text's own tokens."""
    room = 6 * limit + 16
    while True:
        low = max(floor, stop - room)
        piece = text[low:stop]
        whole = tokens.count(piece)
        if whole > limit:
            return low + tokens.prefix(piece, whole - limit)[0]
        if low == floor:
            return floor
        room *= 2


class _Back:
    """The places before ``stop`` at which a stretch may begin."""

    __slots__ = ("base", "floor", "stop", "text", "words")

    def __init__(self, text: str, stop: int, floor: int, base: int) -> None:
        self.text = text
        self.stop = stop
        self.floor = floor
        self.base = base
        self.words = True

    def __repr__(self) -> str:
        return f"_Back({self.floor}..{self.stop}, by {'words' if self.words else 'clusters'})"

    def snug(self, guess: int, limit: int, tokens: Tokens) -> int:
        """The place nearest to the guess whose stretch fits, and whose next one does not."""
        text, stop = self.text, self.stop
        near = guess + max(_WORD, (stop - guess) // 2)
        place = self.word_from(guess, min(near, stop))
        if place is None:
            if stop - guess < _WORD and _SPACE.search(text, max(self.base, guess - _WORD), guess):
                return stop  # not even the last word fits
            if text[guess:stop].isspace():
                return stop
            self.words = False
            place = boundary_after(text, guess, self.base)
        count = tokens.count
        while place < stop and (over := count(text[place:stop]) - limit) > 0:
            skip = tokens.prefix(text[place:stop], over)[0]
            place = self.following(place + max(1, skip))
        for _ in range(_TRIES):
            earlier = self.previous(place)
            if earlier is None or count(text[earlier:stop]) > limit:
                break
            place = earlier
        return place

    def following(self, at: int) -> int:
        if self.words:
            word = self.word_from(at, self.stop)
            return self.stop if word is None else word
        return min(self.stop, boundary_after(self.text, at, self.base))

    def word_from(self, at: int, until: int) -> int | None:
        """The first word that begins at ``at`` or later, before ``until``."""
        text = self.text
        if at == 0 or (text[at - 1].isspace() and not text[at : at + 1].isspace()):
            if at < until and is_boundary(text, at, self.base):
                return at
            at += 1
        while (space := _SPACE.search(text, at, until)) is not None:
            ink = _INK.search(text, space.end(), until)
            if ink is None:
                return None
            at = ink.start()
            if is_boundary(text, at, self.base):
                return at
        return None

    def previous(self, at: int) -> int | None:
        """The word, or cluster, that begins before ``at``."""
        if at <= self.floor:
            return None
        if not self.words:
            place = boundary_before(self.text, at - 1, self.base)
            return place if self.floor <= place < at else None
        head = self.text[self.floor : at].rstrip()
        parts = head.rsplit(None, 1)
        if not parts:
            return None
        place = self.floor + len(head) - len(parts[-1])
        if place == self.floor and place > 0 and not self.text[place - 1].isspace():
            return None
        return place if is_boundary(self.text, place, self.base) else None
