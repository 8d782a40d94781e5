"""Whether quoted words are in a document, and where."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence

from ..model import Quote
from .edges import place_in, place_in_reverse
from .folded import Folded
from .lines import unquoted
from .part import Cited

MISSING = " (not found in the document)"
"""What stands behind a quote that is not there."""

HITS = 50
"""Places of a quote that are looked at, for one whose source is cited."""

_AROUND = "\"'“”„‟«»‹›‘’‚‛`*_ \t\r\n\f\v\u00a0"
_ELLIPSIS = re.compile(r"[\[(]\s{0,9}(?:\.{2,}|…)\s{0,9}[\])]|\.{3,}|…|\. \. \.")
_WORD = re.compile(r"[^\W_]")


def words(lines: Sequence[str]) -> str:
    """The words of a block quote, without its marks and the quotation marks around it."""
    return bare("\n".join(unquoted(line)[1] for line in lines))


def bare(text: str) -> str:
    """Words without the quotation marks around them."""
    return text.strip(_AROUND)


def added(block: str, mark: str) -> str:
    """A block with a mark behind its last words."""
    end = len(block.rstrip())
    return block[:end] + mark + block[end:]


class Haystack:
    """A text that quotes are looked for in; ``start`` is the place of its first character."""

    def __init__(self, text: str, start: int = 0) -> None:
        self._text = text
        self._start = start
        self._folded: Folded | None = None

    def find(self, quote: str) -> Quote:
        """The quote, and where it is; one without a letter or digit is nowhere.

        ``exact`` words are the text from ``start`` to ``end``. Others are ``folded``, and so is a
        quote with an ellipsis: each piece is there, in this order. Words are whole ones: "legal" is
        not in "illegal", and "EUR 10" not in "EUR 100".
        """
        if _WORD.search(quote) is None:
            return Quote(quote, "missing")
        at = place_in(self._text, quote)
        if at >= 0:
            return Quote(quote, "exact", self._start + at, self._start + at + len(quote))
        span = self._find_folded(quote)
        if span is None:
            return Quote(quote, "missing")
        return Quote(quote, "folded", self._start + span[0], self._start + span[1])

    def _find_folded(self, quote: str) -> tuple[int, int] | None:
        if self._folded is None:
            self._folded = Folded(self._text)
        place = _place(self._folded.text, quote)
        return None if place is None else self._folded.span(*place)

    def __repr__(self) -> str:
        return f"<Haystack {len(self._text)} characters from {self._start}>"


class Known:
    """The quotes that were found before, to be recognised in what is made of them."""

    def __init__(self, quotes: Sequence[Cited]) -> None:
        self._quotes = [cited for cited in quotes if cited.quote.found != "missing"]
        self._folded = [Folded(cited.quote.text) for cited in self._quotes]
        self._joined = "\n".join(folded.text for folded in self._folded)  # none of them has "\n"
        self._starts: list[int] = []
        at = 0
        for folded in self._folded:
            self._starts.append(at)
            at += len(folded.text) + 1

    def find(self, quote: str, preferred: Collection[int] = ()) -> Cited | None:
        """Where the words are from; rather from one of the ``preferred`` chunks (numbers)."""
        pieces = _pieces(quote)
        if not pieces or not self._quotes:
            return None
        found: Cited | None = None
        for whole in ([Folded(quote).text.strip()], pieces) if len(pieces) > 1 else (pieces,):
            at = self._joined.find(whole[0])
            for _ in range(HITS):
                if at < 0:
                    break
                number = bisect_right(self._starts, at) - 1
                place = _chain(self._folded[number].text, whole)
                if place is not None:
                    cited = self._narrowed(number, quote, place)
                    if not preferred or cited.chunk.number in preferred:
                        return cited
                    found = found or cited
                at = self._joined.find(
                    whole[0], self._starts[number] + len(self._folded[number].text)
                )
        return found

    def _narrowed(self, number: int, quote: str, place: tuple[int, int]) -> Cited:
        """Only the document's own words say where in them a shorter quote stands."""
        known, chunk = self._quotes[number].quote, self._quotes[number].chunk
        if known.start is None or known.found != "exact":
            return Cited(Quote(quote, "folded", known.start, known.end), chunk)
        at = place_in(known.text, quote)
        if at >= 0:
            start = known.start + at
            return Cited(Quote(quote, "exact", start, start + len(quote)), chunk)
        first, last = self._folded[number].span(*place)
        return Cited(Quote(quote, "folded", known.start + first, known.start + last), chunk)

    def __repr__(self) -> str:
        return f"<Known {len(self._quotes)} quotes>"


def _pieces(quote: str) -> list[str]:
    """What stands between the ellipses, folded."""
    folded = (Folded(piece).text.strip() for piece in _ELLIPSIS.split(quote))
    return [piece for piece in folded if _WORD.search(piece)]


def _place(text: str, quote: str) -> tuple[int, int] | None:
    whole = Folded(quote).text.strip()
    at = place_in(text, whole)
    if at >= 0:
        return at, at + len(whole)
    return _chain(text, _pieces(quote))


def _chain(text: str, pieces: Sequence[str]) -> tuple[int, int] | None:
    """The narrowest place that ends first with all the pieces in order."""
    if not pieces:
        return None
    end = 0
    for piece in pieces:
        at = place_in(text, piece, end)
        if at < 0:
            return None
        end = at + len(piece)
    start = end
    for piece in reversed(pieces):
        start = place_in_reverse(text, piece, start)
    return start, end
