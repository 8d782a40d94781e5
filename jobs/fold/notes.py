"""A map's answer becomes a part: each finding cites the chunk that it was made from."""

from __future__ import annotations

import re

from ..model import Chunk, Quote
from .findings import Finding
from .inline import Label, apart
from .lines import closes, fence, kind, unquoted
from .part import Cited, Part
from .quotes import MISSING, Haystack, added, words
from .walk import Walk

_CITED = " [1]"
_NOTHING = re.compile(r"\W*(nothing\W*)?", re.IGNORECASE)


def part_of_chunk(
    output: str, chunk: Chunk, text: str, *, document_start: int, quotes: bool
) -> tuple[Part | None, tuple[Quote, ...]]:
    """The part that ``chunk`` gives, None where it has nothing; and all quotes in it, checked.

    The model is not asked to cite: where its answer comes from is known. ``text`` is what it was
    sent, ``document_start`` is where its first character stands in the document; ``quotes`` says
    that it was asked to quote.
    """
    answer = unfenced(output.strip())
    if says_nothing(answer):
        return None, ()
    noting = _Noting(Haystack(text, document_start) if quotes else None)
    walk = Walk(noting)
    noted = (walk.feed(answer) + walk.end()).strip()
    if not noting.cited:
        noted += "\n\n[1]"
    found = tuple(Cited(quote, chunk) for quote in noting.quotes if quote.found != "missing")
    part = Part(noted, chunk.number, chunk.number, (chunk,), found)
    return part, tuple(noting.quotes)


def says_nothing(answer: str) -> bool:
    """Whether the answer is that there is nothing, headings aside."""
    lines = answer.splitlines()
    said = [line for line in lines if kind(line, True) != "heading"]
    nothing = _NOTHING.fullmatch("\n".join(said))
    return nothing is not None and (nothing[1] is not None or len(said) == len(lines))


def unfenced(answer: str) -> str:
    """What is inside a code fence that stands around the whole answer."""
    lines = answer.split("\n")
    if len(lines) < 2 or kind(lines[0], True) != "fence":
        return answer
    open_: list[str] = []
    for number, line in enumerate(lines):
        if kind(line, True) != "fence":
            continue
        marks, info = fence(line)
        if open_ and closes(line, True, open_[-1]):
            open_.pop()
            if not open_:
                whole = number == len(lines) - 1
                return "\n".join(lines[1:-1]) if whole else answer
        elif info or not open_:
            open_.append(marks)
    return answer


class _Noting:
    """The editor: no citations but our own, one at the end of each finding."""

    def __init__(self, haystack: Haystack | None) -> None:
        self._haystack = haystack
        self.quotes: list[Quote] = []
        self.cited = 0

    def label(self, label: Label, finding: Finding) -> str:
        return _parenthesised(label, finding.last)

    def ended(self, _finding: Finding) -> str:
        self.cited += 1
        return _CITED

    def quoted(self, lines: list[str], above: Finding | None, open_: bool) -> tuple[str, str]:
        block = "\n".join(_plain(line) for line in lines)
        quote = words(lines)
        if self._haystack is not None and quote:
            found = self._haystack.find(quote)
            self.quotes.append(found)
            if found.found == "missing":
                block = added(block, MISSING)
        if above is None and quote:
            self.cited += 1
            block = added(block, _CITED)
        if open_:
            self.cited += 1
        return (_CITED if open_ else ""), block


def _parenthesised(label: Label, before: str) -> str:
    inner = label.inner.strip().removeprefix("^")
    return f" ({inner})" if before == "]" else f"({inner})"  # "[a](1)" would be a link


def _plain(line: str) -> str:
    """A line of a quote without what would pose as a citation."""
    marks, said = unquoted(line)
    out = marks
    for part in apart(said):
        out += _parenthesised(part, out[-1:]) if isinstance(part, Label) else part
    return out
