"""Which source a finding without a citation was made from, by its words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from ..model import Chunk
from .citations import cited
from .findings import Finding, says
from .inline import Label, apart
from .lines import unquoted
from .part import Part
from .quotes import words
from .walk import Walk

FEWEST = 3
"""Content words that have to be the same."""

SHARE = 0.6
"""And their share of all the content words that a finding has."""

NEAR = 500
"""Findings that are compared with one; rather those that share a rare word with it."""

_TOKEN = re.compile(r"[^\s!-/:-@\[-`{-~\u00a1-\u00bf\u2000-\u206f\u3000-\u303f\uff00-\uff0f]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af]+")


def content(text: str) -> frozenset[str]:
    """The content words: in lower case, longer than three characters.

    Of scripts that put no spaces between words (and of Hangul, whose words are short) it is every
    two neighbouring characters.
    """
    found: set[str] = set()
    for token in _TOKEN.findall(text.casefold()):
        if _UNSPACED.search(token):
            for run in _UNSPACED.findall(token):
                found.update(run[at : at + 2] for at in range(len(run) - 1))
        elif len(token) > 3:
            found.add(token)
    return frozenset(found)


class Wording:
    """The findings of parts by their content words."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._findings: list[frozenset[str]] = []
        self._sources: list[tuple[Chunk, ...]] = []
        self._places: dict[str, list[int]] = {}
        seen: set[tuple[frozenset[str], tuple[int, ...]]] = set()
        for part in parts:
            for text, sources in _findings(part):
                found = content(text)
                key = (found, tuple(chunk.number for chunk in sources))
                if sources and len(found) >= FEWEST and key not in seen:
                    seen.add(key)
                    self._add(found, sources)

    def _add(self, found: frozenset[str], sources: tuple[Chunk, ...]) -> None:
        for word in found:
            self._places.setdefault(word, []).append(len(self._findings))
        self._findings.append(found)
        self._sources.append(sources)

    def sources(self, text: str) -> tuple[Chunk, ...]:
        """The sources of the finding that shares most content words with ``text``.

        None where fewer than three, or fewer than 60 % of them, are in one finding. Of findings
        that share as many the one with the fewest sources says most.
        """
        wanted = content(text)
        need = max(FEWEST, math.ceil(SHARE * len(wanted)))
        if len(wanted) < need:
            return ()
        rare = sorted(wanted, key=lambda word: (len(self._places.get(word, ())), word))
        near: set[int] = set()
        for word in rare[: len(wanted) - need + 1]:  # who shares enough has one of these
            near.update(islice(self._places.get(word, ()), NEAR - len(near)))
            if len(near) >= NEAR:
                break
        shared = [(len(self._findings[at] & wanted), at) for at in near]
        most = max(shared, default=(0, 0))[0]
        if most < need:
            return ()
        best = min((at for many, at in shared if many == most), key=self._rank)
        return self._sources[best]

    def _rank(self, at: int) -> tuple[int, int]:
        return len(self._sources[at]), at

    def __repr__(self) -> str:
        return f"<Wording of {len(self._findings)} findings>"


def _findings(part: Part) -> Iterator[tuple[str, tuple[Chunk, ...]]]:
    """What a part says, and from where: each statement up to its citation, and whole findings."""
    collecting = _Collecting(part)
    walk = Walk(collecting)
    walk.feed(part.text)
    walk.end()
    for text, numbers in collecting.said:
        yield text, tuple(collecting.chunks[number] for number in dict.fromkeys(numbers))


class _Collecting:
    """The editor: changes nothing that anybody reads."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self.chunks = {chunk.number: chunk for chunk in part.sources}
        self.said: list[tuple[str, list[int]]] = []

    def label(self, label: Label, finding: Finding) -> str:
        numbers = [chunk.number for chunk in cited(label, self._part.sources)[0]]
        if numbers:
            if says(finding.since) or not self.said:
                self.said.append((finding.since, []))
            self.said[-1][1].extend(numbers)
            finding.cite(numbers)
        return "+"

    def ended(self, finding: Finding) -> str:
        self.said.append((finding.text, list(finding.cited)))
        return ""

    def quoted(self, lines: list[str], above: Finding | None, open_: bool) -> tuple[str, str]:
        numbers = list(above.cited) if above else []
        for line in lines:
            for part in apart(unquoted(line)[1]):
                if isinstance(part, Label):
                    numbers += (chunk.number for chunk in cited(part, self._part.sources)[0])
        self.said.append((words(lines), numbers))
        if open_ and above:
            self.ended(above)
        return "", ""
