"""The parts of a fold, as its prompt shows them: one numbering of sources for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..model import Chunk
from .findings import Finding
from .inline import Label, apart
from .lines import unquoted
from .part import Part
from .walk import Walk


class Presented(Struct, frozen=True):
    """Parts joined: ``[i]`` in ``text`` cites ``sources[i - 1]``.

    ``spans`` say where in it the text of each part stands.
    """

    text: str
    sources: tuple[Chunk, ...]
    spans: tuple[tuple[int, int], ...]


class Numbering:
    """Numbers chunks from 1, in the order in which they are first asked for."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self.chunks: list[Chunk] = []

    def number(self, chunk: Chunk) -> int:
        new = len(self.chunks) + 1
        number = self._numbers.setdefault(chunk.number, new)
        if number == new:
            self.chunks.append(chunk)
        return number

    def __len__(self) -> int:
        return len(self.chunks)

    def __repr__(self) -> str:
        return f"<Numbering {len(self.chunks)} sources>"


def present(parts: Sequence[Part]) -> Presented:
    """The parts one below the other; the same chunk has the same number in all of them."""
    numbering = Numbering()
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for number, part in enumerate(parts, 1):
        head = f"--- Part {number} of {len(parts)} ---\n\n"
        text = renumbered(part, numbering).strip("\n")
        spans.append((at + len(head), at + len(head) + len(text)))
        pieces.append(f"{head}{text}\n\n")
        at += len(pieces[-1])
    return Presented("".join(pieces).rstrip("\n"), tuple(numbering.chunks), tuple(spans))


def renumbered(part: Part, numbering: Numbering) -> str:
    """The part's text with the numbers that its sources have in ``numbering``."""
    walk = Walk(_Renumbering(part, numbering))
    return walk.feed(part.text) + walk.end()


class _Renumbering:
    """The editor: other numbers, nothing else."""

    def __init__(self, part: Part, numbering: Numbering) -> None:
        self._sources = part.sources
        self._numbering = numbering

    def label(self, label: Label, _finding: Finding) -> str:
        return self._other(label)

    def ended(self, _finding: Finding) -> str:
        return ""

    def quoted(self, lines: list[str], _above: Finding | None, _open: bool) -> tuple[str, str]:
        return "", "\n".join(map(self._line, lines))

    def _line(self, line: str) -> str:
        marks, said = unquoted(line)
        parts = (self._other(part) if isinstance(part, Label) else part for part in apart(said))
        return marks + "".join(parts)

    def _other(self, label: Label) -> str:
        sources = cited(label, self._sources)[0]
        return "".join(f"[{self._numbering.number(chunk)}]" for chunk in sources) or "[?]"


WIDEST = 20
"""Sources that one range may cite; a wider one says nothing of where a finding is from."""


def cited(label: Label, sources: Sequence[Chunk]) -> tuple[list[Chunk], int]:
    """The sources that a citation names, and how many of its numbers name none."""
    found: list[Chunk] = []
    invented = 0
    for first, last in label.spans:
        if last - first >= WIDEST:
            invented += 1
            continue
        known = range(max(first, 1), min(last, len(sources)) + 1)
        found.extend(sources[number - 1] for number in known)
        invented += last - first + 1 - len(known)
    return found, invented
