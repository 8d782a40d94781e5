"""Text without what does not matter when words are compared, and where each character came from."""

from __future__ import annotations

import re
import unicodedata
from array import array

_PLAIN, _SPACE, _DASH, _QUOTE, _EMPHASIS = 1, 2, 3, 4, 5
_RUN = re.compile(
    r"([0-9A-Za-z!#$%&()+,./:;<=>?@\\^{|}]+)"
    r"|(\s+)"
    r"|([-\u00ad‐‑‒–—―−]+)"
    r"|([\"'“”„‟«»‹›‘’‚‛´′″]+)"
    r"|([*_`]+)"
    r"|.",
    re.DOTALL,
)
_BLANK = re.compile(r"\s+")
_DROPPED = frozenset("\u200b\u200c\u200d\u2060\ufeff")


class _Characters(dict[str, str]):
    """What one character becomes: decomposed, without case; NFKD also takes ligatures apart."""

    def __missing__(self, char: str) -> str:
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
        self[char] = folded = "" if char in _DROPPED else folded
        return folded


_CHARACTERS = _Characters({"[": "(", "]": ")"})


class Folded:
    """``text`` folded; ``index[i]`` is where the character that ``text[i]`` stands for was.

    Folded are white space (to one space, to none between CJK characters), case, compatibility forms
    (ligatures, full width), the kinds of quotation marks, dashes, brackets and ellipses. Left out
    are soft hyphens, characters without width, hyphens inside a word with the line end that
    may follow (so a word that was hyphenated at a line's end is whole), and emphasis of Markdown.
    """

    __slots__ = ("index", "text")

    def __init__(self, text: str) -> None:
        out: list[str] = []
        index = array("I")
        at, size = 0, len(text)
        while at < size:
            run = _RUN.match(text, at)
            if run is None:  # never: it takes any character
                break
            end = run.end()
            if run.lastindex == _PLAIN:
                new = run.group().lower()
                index.extend(range(at, end))
            else:
                new, end = _other(text, at, end, run.lastindex)
                if new == " " and (not out or out[-1] == " "):
                    new = ""
                index.extend([at] * len(new))
            if new:
                out.append(new)
            at = end
        self.text = "".join(out)
        self.index = index

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the folded characters ``start`` to ``end`` stand in the text itself."""
        return self.index[start], self.index[end - 1] + 1

    def __repr__(self) -> str:
        return f"<Folded {len(self.text)} characters>"


def _other(text: str, start: int, end: int, group: int | None) -> tuple[str, int]:
    """What stands for a run, and where the next one begins."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if group is None:
        char = text[start]
        if before.isdigit() and char.isdigit() and not char.isdecimal():  # 10² is not 102
            return char, end
        return _CHARACTERS[char], end
    if group == _SPACE:
        return ("" if _cjk(before) and _cjk(after) else " "), end
    if group == _QUOTE:
        return "'", end
    if group == _EMPHASIS:
        return (text[start:end] if before.isalnum() and after.isalnum() else ""), end
    return _dashes(text, start, end)


def _dashes(text: str, start: int, end: int) -> tuple[str, int]:
    if text[start - 1 : start].isalpha():
        if text[end : end + 1].isalpha():
            return "", end
        blank = _BLANK.match(text, end)
        if blank and "\n" in blank.group() and text[blank.end() : blank.end() + 1].isalpha():
            return "", blank.end()
    soft = not text[start:end].strip("\u00ad")
    return ("" if soft else "-"), end


def _cjk(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or char >= "\uff00"
