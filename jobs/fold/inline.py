"""Citations in a line of text, told from links, check boxes, code and other brackets."""

from __future__ import annotations

import re

from msgspec import Struct

LONGEST = 300
"""Characters in the brackets of a citation."""

LONGEST_CODE = 1000
"""Characters of a code span; a longer one is text."""

_BEYOND = 10**9
_HOLD = -1
_CHARS = r"[\w \t,;/&.:#?^\-‐‑–—−、，]"
_CLOSED = re.compile(r"\\?\[(" + _CHARS + r"{1,300}?)\\?\]")
_OPEN = re.compile(r"\\?\[(" + _CHARS + r"{0,300})\\?")
_SPECIAL = re.compile(r"\\\[|\\.?|\[|`+")
_TOKEN = re.compile(r"\d+|[^\W\d_]+|\S")
_WORD = re.compile(r"[^\W\d_]+")
_DASHES = frozenset("-‐‑–—−") | {"to"}
_BETWEEN = frozenset(",;/&^#、，") | {"and"}
_NAMES = {"source", "sources", "src", "ref", "refs", "reference", "references"}
_NAMES |= {"citation", "citations", "chunk", "chunks", "quelle", "quellen"}
_NAMES |= {"fuente", "fuentes", "fonte", "fonti"}
_WORDS = _NAMES | {"and", "to"}


class Label(Struct, frozen=True):
    """A citation: what stands in its brackets, and the numbers from a first to a last.

    ``[?]`` has none.
    """

    inner: str
    spans: tuple[tuple[int, int], ...]


def spans(inner: str) -> tuple[tuple[int, int], ...] | None:
    """What ``[inner]`` cites; None where it is no citation (a date, an index with a sign, ...)."""
    if inner.strip() == "?":
        return ()
    found: list[tuple[int, int]] = []
    before = ""  # what the token before was: "number", "name", "dash" or nothing
    for token in _TOKEN.findall(inner):
        word = token.lower()
        if token[0].isdecimal():
            if len(token) > 1 and int(token[0]) == 0:
                return None
            value = int(token) if len(token) < 10 else _BEYOND
            if before == "dash":
                first, last = found.pop()
                if first != last:
                    return None
                found.append((min(first, value), max(first, value)))
            else:
                found.append((value, value))
            before = "number"
        elif word in _DASHES:
            if before != "number":
                return None
            before = "dash"
        elif before != "dash" and (word in _BETWEEN or word in _NAMES):
            before = "name" if word in _NAMES else ""
        elif before != "name" or word not in ".:":
            return None
    return tuple(found) if found and before != "dash" else None


class Inline:
    """Takes a line apart, piece by piece; ``reset`` where another one begins."""

    __slots__ = ("_literal",)

    def __init__(self) -> None:
        self._literal = False  # a backtick that nothing closes makes all others of its line text

    def reset(self) -> None:
        self._literal = False

    def take(self, text: str, complete: bool) -> tuple[list[str | Label], str]:
        """What ``text`` is made of, and the end of it that needs more to be understood.

        ``complete`` says that the line ends here. However a line is split, the parts are the same.
        """
        parts: list[str | Label] = []
        begin = at = 0
        while special := _SPECIAL.search(text, at):
            mark = special.group()
            label: Label | None = None
            if mark in ("[", "\\["):
                label, at = self._bracket(text, special.start(), complete)
            elif mark[0] == "`":
                label, at = self._code(text, special, complete)
            else:
                at = _HOLD if mark == "\\" and not complete else special.end()
            if label is None and at != _HOLD:
                continue
            if begin < special.start():
                parts.append(text[begin : special.start()])
            if label is None:
                return parts, text[special.start() :]
            parts.append(label)
            begin = at
        if begin < len(text):
            parts.append(text[begin:])
        return parts, ""

    def _bracket(self, text: str, start: int, complete: bool) -> tuple[Label | None, int]:
        closed = _CLOSED.match(text, start)
        if closed is None:
            opened = None if complete else _OPEN.fullmatch(text, start)
            if opened is not None and _may_cite(opened[1]):
                return None, _HOLD
        else:
            found = spans(closed[1])
            end = closed.end()
            if found is not None:
                if end == len(text) and not complete:
                    return None, _HOLD
                return (None, end) if text.startswith("(", end) else (Label(closed[1], found), end)
        return None, text.index("[", start) + 1

    def _code(self, text: str, run: re.Match[str], complete: bool) -> tuple[Label | None, int]:
        begin, size = run.end(), len(run.group())
        if self._literal or size > 8:
            self._literal = True
            return None, begin
        if begin == len(text) and not complete:
            return None, _HOLD
        limit = begin + LONGEST_CODE
        close = re.compile(f"(?<!`)`{{{size}}}(?!`)").search(text, begin, limit)
        open_ended = not complete and len(text) < limit
        if close is None or (close.end() == len(text) and open_ended):
            if open_ended:
                return None, _HOLD
            if close is None:
                self._literal = True
                return None, begin
        cited = _CLOSED.fullmatch(text[begin : close.start()].strip())
        found = None if cited is None else spans(cited[1])
        if cited is None or found is None:
            return None, close.end()
        return Label(cited[1], found), close.end()

    def __repr__(self) -> str:
        return f"<Inline{' after an open backtick' if self._literal else ''}>"


def apart(line: str) -> list[str | Label]:
    """A whole line taken apart."""
    return Inline().take(line, complete=True)[0]


def _may_cite(inner: str) -> bool:
    """Whether brackets that begin so can become a citation."""
    words = [word.group().lower() for word in _WORD.finditer(inner)]
    if words and _WORD.search(inner[-1:]):
        last = words.pop()
        if not any(word.startswith(last) for word in _WORDS):
            return False
    return all(word in _WORDS for word in words)
