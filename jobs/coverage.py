"""How much of the documents was analysed: counted chunk by chunk, and every gap by its name."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from .events import ChunkEnded, ChunksCounted, DocumentRead
from .model import GOOD, Chunk, DocumentFacts, Status

NAMED = 100
"""Gaps that are named one by one; the results file has all of them."""


class Gap(Struct, frozen=True):
    """A chunk that was not analysed in the end, and why."""

    chunk: Chunk
    status: Status
    reason: str


class Coverage(Struct, frozen=True, kw_only=True):
    """What was analysed of what there is; ``bytes`` are of the documents' text.

    ``failed`` counts the chunks that were not analysed, ``gaps`` name the first of them, in the
    documents' order. ``truncated`` chunks were analysed, with an answer that the token limit cut.
    ``answered`` counts the chunks that a model has answered: blank ones need none.
    ``chunks`` is None while the documents are not read to their end.
    """

    documents: tuple[DocumentFacts, ...]
    bytes: int
    analysed_bytes: int
    chunks: int | None
    failed: int
    truncated: int
    gaps: tuple[Gap, ...]
    answered: int = 0


class Analysis(Struct, frozen=True, kw_only=True):
    """What an analysis came to, beside its rows.

    ``report`` is where the report went, None where none was written; ``unwritten`` is why that is
    so although one was asked for. ``skipped`` are files that were found and are no documents, with
    the reason. ``quotes`` counts them by how they were ``found``. ``cut_folds`` are folds whose
    answer the token limit cut; ``unfolded`` parts stand side by side, because folds of them did not
    get shorter. ``invented`` are citations of sources that there are not, which were taken out;
    ``uncited`` are statements of the report that no source could be found for. ``assumed`` are
    models whose context is not known: chunks are fitted to ``context`` tokens.
    """

    coverage: Coverage
    report: str | None = None
    unwritten: str | None = None
    folds: int = 0
    skipped: Mapping[str, str] = {}
    quotes: Mapping[str, int] = {}
    cut_folds: int = 0
    unfolded: int = 0
    invented: int = 0
    uncited: int = 0
    assumed: tuple[str, ...] = ()
    context: int | None = None


class Covering:
    """The observer that counts it."""

    def __init__(self) -> None:
        self.documents: list[DocumentFacts] = []
        self.chunks: int | None = None
        self.ended = 0
        self.ended_bytes = 0
        self.analysed_bytes = 0
        self.failed = 0
        self.truncated = 0
        self.answered = 0
        self._gaps: dict[int, Gap] = {}

    def __call__(self, event: ChunkEnded | ChunksCounted | DocumentRead) -> None:
        match event:
            case DocumentRead():
                self.documents.append(event.facts)
            case ChunksCounted():
                self.chunks = event.chunks
            case ChunkEnded():
                self._ended(event)

    def _ended(self, event: ChunkEnded) -> None:
        chunk = event.chunk
        size = chunk.byte_end - chunk.byte_start
        self.ended += 1
        self.ended_bytes += size
        if event.status in GOOD:
            self.analysed_bytes += size
            self.truncated += event.status == "truncated"
            self.answered += not event.blank
            return
        self.failed += 1
        self._gaps[chunk.number] = Gap(chunk, event.status, event.reason)
        if len(self._gaps) > NAMED:
            del self._gaps[max(self._gaps)]

    def coverage(self) -> Coverage:
        """As far as it has come."""
        return Coverage(
            documents=tuple(self.documents),
            bytes=sum(facts.bytes for facts in self.documents),
            analysed_bytes=self.analysed_bytes,
            chunks=self.chunks,
            failed=self.failed,
            truncated=self.truncated,
            answered=self.answered,
            gaps=tuple(self._gaps[number] for number in sorted(self._gaps)),
        )

    def analysis(self, folds: int) -> Analysis | None:
        """As far as events tell; None where no document was read."""
        if not (self.documents or self.ended):
            return None
        return Analysis(coverage=self.coverage(), folds=folds)

    def __repr__(self) -> str:
        return f"<Covering {self.analysed_bytes} bytes, {self.ended} chunks, {self.failed} failed>"
