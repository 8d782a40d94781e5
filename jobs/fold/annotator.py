"""A fold's answer, as it streams in, becomes text whose citations and quotes hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..model import Chunk
from .citations import Numbering, cited, present
from .findings import Finding, says
from .inline import Label, apart
from .lines import unquoted
from .part import Cited, Part
from .quotes import MISSING, Known, added, bare
from .walk import Walk
from .wording import FEWEST, Wording, content

UNCITED = " [?]"
"""What stands behind a finding that no source could be found for."""


class Annotator:
    """Text in, in any pieces; the report's text out, as early as it is known.

    ``inputs`` are the parts that the fold was shown, as :func:`.citations.present` shows them.
    Known citations are numbered from 1 as they appear, unknown ones are taken out; a finding
    without one is given the source that has its words, or a mark. Quotes are recognised among those
    that were found in the documents before, and marked where they are none of those; ``quotes``
    says whether the model was asked for them, None that the inputs show it.

    ``invented`` counts citations that name no source, or so many that they name none; ``uncited``
    findings that have no source, ``attributed`` those that were given one; ``missing`` quotes.
    """

    def __init__(self, inputs: Sequence[Part], *, quotes: bool | None = None) -> None:
        if quotes is None:
            quotes = any(part.quotes or MISSING in part.text for part in inputs)
        self._editor = _Annotating(inputs, quotes)
        self._walk = Walk(self._editor, unwrap=True)
        self._text: list[str] = []

    def feed(self, text: str) -> str:
        """The next piece of the answer; what is known of the report's text now."""
        return self._taken(self._walk.feed(text))

    def end(self) -> str:
        """The answer is complete; the rest of the text."""
        return self._taken(self._walk.end())

    def _taken(self, text: str) -> str:
        self._text.append(text)
        return text

    def part(self, first: int, last: int) -> Part:
        """What has become of it, for the chunks ``first`` to ``last``; after the end."""
        editor = self._editor
        text = "".join(self._text).strip()
        return Part(text, first, last, tuple(editor.numbering.chunks), tuple(editor.quotes))

    @property
    def invented(self) -> int:
        return self._editor.invented

    @property
    def uncited(self) -> int:
        return self._editor.uncited

    @property
    def attributed(self) -> int:
        return self._editor.attributed

    @property
    def missing(self) -> int:
        return self._editor.missing

    def __repr__(self) -> str:
        return (
            f"<Annotator {len(self._editor.numbering)} sources cited, {self.invented} invented, "
            f"{self.uncited} findings uncited>"
        )


class _Annotating:
    """The editor."""

    def __init__(self, inputs: Sequence[Part], quotes: bool) -> None:
        self._inputs = inputs
        self._sources = present(inputs).sources
        self._known = Known([q for part in inputs for q in part.quotes]) if quotes else None
        self._wording: Wording | None = None
        self._run: set[int] = set()  # what the citations cite that stand together
        self.numbering = Numbering()
        self.quotes: dict[Cited, None] = {}  # in their order, each once
        self.invented = self.uncited = self.attributed = self.missing = 0

    def label(self, label: Label, finding: Finding) -> str:
        numbers = self._numbers(label)
        if not numbers:
            return ""
        if not finding.cited or finding.since.strip():
            self._run.clear()
        new = [number for number in numbers if number not in self._run]
        self._run.update(new)
        finding.cite(new)
        return _labels(new)

    def ended(self, finding: Finding) -> str:
        return self._mark(finding, ())

    def quoted(self, lines: list[str], above: Finding | None, open_: bool) -> tuple[str, str]:
        block = [_Line(line) for line in lines]
        quote = bare("\n".join(line.said for line in block))
        named = [n for line in block for label in line.labels for n in self._named(label)]
        found: Cited | None = None
        if self._known is not None:
            near = {self.numbering.chunks[n - 1].number for n in above.cited} if above else set()
            found = self._known.find(quote, near | {chunk.number for chunk in named})
        mark = self._mark(above, [found.chunk] if found else named) if above and open_ else ""
        text = "\n".join(line.rendered(self._labelled) for line in block)
        if found is not None:
            text = self._carry(text, found, above, named)
        elif self._known is not None and says(quote):
            self.missing += 1
            text = added(text, MISSING)
        elif self._known is None and above is None and not named and says(quote):
            text = self._claimed(text.rstrip(), quote)
        return mark, text

    def _claimed(self, text: str, said: str) -> str:
        """A block that belongs to no finding, and was not asked for as a quote, is one itself."""
        finding = Finding("text")
        finding.add(said)
        return added(text, self._mark(finding, ()))

    def _carry(self, text: str, found: Cited, above: Finding | None, named: Sequence[Chunk]) -> str:
        """The block of a quote that was found; it says from where, unless the finding does."""
        self.quotes[found] = None
        number = self.numbering.number(found.chunk)
        told = above is not None and number in above.cited
        if told or any(chunk.number == found.chunk.number for chunk in named):
            return text
        return added(text, f" [{number}]")

    def _mark(self, finding: Finding, quoted: Sequence[Chunk]) -> str:
        """What a finding ends with: the sources of its quote, or of its words; or that it has none.

        A tail too short to be known by its words goes with the citation before it.
        """
        loose = finding.loose()
        if not says(loose) or (finding.cited and len(content(loose)) < FEWEST):
            return ""
        chunks = quoted or self._by_wording(loose)
        if not chunks:
            self.uncited += 1
            return UNCITED
        self.attributed += 1
        numbers = list(dict.fromkeys(self.numbering.number(chunk) for chunk in chunks))
        finding.cite(numbers)
        return " " + _labels(numbers)

    def _by_wording(self, text: str) -> Sequence[Chunk]:
        if self._wording is None:
            self._wording = Wording(self._inputs)
        return self._wording.sources(text)

    def _named(self, label: Label) -> list[Chunk]:
        chunks, _ = cited(label, self._sources)
        return chunks

    def _numbers(self, label: Label) -> list[int]:
        chunks, invented = cited(label, self._sources)
        self.invented += invented
        return list(dict.fromkeys(self.numbering.number(chunk) for chunk in chunks))

    def _labelled(self, label: Label) -> str:
        return _labels(self._numbers(label))


class _Line:
    """A line of a quote: its marks, its words, the citations between them."""

    __slots__ = ("_marks", "_parts")

    def __init__(self, line: str) -> None:
        self._marks, words = unquoted(line)
        words = words.replace(MISSING, "").replace(MISSING.strip(), "")
        self._parts = apart(words)

    @property
    def said(self) -> str:
        return "".join(part for part in self._parts if isinstance(part, str))

    @property
    def labels(self) -> list[Label]:
        return [part for part in self._parts if isinstance(part, Label)]

    def rendered(self, labelled: Callable[[Label], str]) -> str:
        parts = (labelled(p) if isinstance(p, Label) else p for p in self._parts)
        return self._marks + "".join(parts)


def _labels(numbers: Iterable[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)
