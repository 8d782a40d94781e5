"""Where words stand whole in a text: not inside of a longer word, nor of a number."""

from __future__ import annotations

import re
import unicodedata

MOST = 2_000
"""Places that are looked at, each inside of a longer word; of long words fewer (linear time)."""

_WORK = 10_000_000
_POINTS = ".,"
# Scripts that put no spaces between words, and Hangul, whose particles are written on.
_UNSPACED = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\uff66-\uffdc\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


def place_in(text: str, words: str, start: int = 0) -> int:
    """Where ``words`` stand whole, from ``start`` on; -1 where they do not."""
    at = text.find(words, start)
    for _ in range(_most(words)):
        if at < 0 or whole(text, at, at + len(words)):
            return at
        at = text.find(words, at + 1)
    return -1


def place_in_reverse(text: str, words: str, end: int) -> int:
    """The last such place that is over at ``end``; -1 where there is none."""
    at = text.rfind(words, 0, end)
    for _ in range(_most(words)):
        if at < 0 or whole(text, at, at + len(words)):
            return at
        at = text.rfind(words, 0, at + len(words) - 1)
    return -1


def whole(text: str, start: int, end: int) -> bool:
    """Whether neither end of the place cuts a word, a number or a character in two."""
    return not (_cuts(text, start) or _cuts(text, end))


def _cuts(text: str, at: int) -> bool:
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if unicodedata.category(after)[0] == "M":
        return not before.isspace()
    if before.isalnum() and after.isalnum():
        if before.isalpha() and after.isdigit() and not after.isdecimal():  # a note: word\u00b9
            return False
        return not (_UNSPACED.match(before) or _UNSPACED.match(after))
    if before in _POINTS:  # 1.|5
        return after.isdecimal() and text[max(0, at - 2) : at - 1].isdecimal()
    return after in _POINTS and before.isdecimal() and text[at + 1 : at + 2].isdecimal()


def _most(words: str) -> int:
    return max(20, min(MOST, _WORK // (len(words) + 1)))
