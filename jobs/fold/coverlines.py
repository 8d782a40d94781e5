"""What was covered, line by line: how much, what is missing, and what is to be doubted."""

from __future__ import annotations

from collections.abc import Iterator

from ..coverage import NAMED, Analysis, Coverage, Gap
from ..model import DocumentFacts
from .plain import count, document, plain


def covered(analysis: Analysis, cited: int | None = None) -> Iterator[str]:
    """A list in Markdown; ``cited`` is how many chunks the report cites, None where it can't."""
    coverage = analysis.coverage
    yield f"- {_amount(coverage)}"
    analysed = (coverage.chunks or 0) - coverage.failed
    if cited is not None and analysed > 1:
        some = f"{cited:,}" if cited else "none"
        yield f"- the report cites {some} of these {analysed:,} chunks"
    yield from _gaps(coverage)
    if coverage.truncated:
        answers = count(coverage.truncated, "answer was", "answers were")
        yield f"- {answers} cut by the token limit: what stood behind the cut is not in the report"
    if analysis.cut_folds:
        folds = count(analysis.cut_folds, "fold was", "folds were")
        had = "it" if analysis.cut_folds == 1 else "they"
        yield f"- {folds} cut by the token limit: what {had} had still to say is not in the report"
    if analysis.unfolded:
        yield (
            f"- {count(analysis.unfolded, 'partial report', 'partial reports')} could not be "
            "folded any further, as the answers did not get shorter: they stand one below the other"
        )
    for facts in coverage.documents:
        yield from (f"- {document(facts.path)}: {said}" for said in _doubts(facts))
    yield from _skipped(analysis)
    yield from _checked(analysis)


def _amount(coverage: Coverage) -> str:
    documents = count(len(coverage.documents), "document", "documents")
    if coverage.chunks is None:
        return (
            f"{count(coverage.analysed_bytes, 'byte', 'bytes')} analysed so far; the documents "
            "were not read to their end"
        )
    analysed = max(0, coverage.chunks - coverage.failed)
    return (
        f"{coverage.analysed_bytes:,} of {count(coverage.bytes, 'byte', 'bytes')}"
        f"{_share(coverage)} analysed, in {analysed:,} of "
        f"{count(coverage.chunks, 'chunk', 'chunks')} of {documents}"
    )


def _share(coverage: Coverage) -> str:
    """In per cent, rounded down: 100 is all of it."""
    if not coverage.bytes:
        return ""
    tenths = coverage.analysed_bytes * 1000 // coverage.bytes
    return f" ({tenths // 10}.{tenths % 10} %)" if tenths % 10 else f" ({tenths // 10} %)"


def _gaps(coverage: Coverage) -> Iterator[str]:
    if not coverage.failed:
        return
    yield f"- {count(coverage.failed, 'chunk was', 'chunks were')} not analysed:"
    for gap in coverage.gaps:
        yield f"  - {_gap(gap)}"
    more = coverage.failed - len(coverage.gaps)
    if more > 0:
        yield f"  - and {more:,} more, all in the results file"


def _gap(gap: Gap) -> str:
    chunk = gap.chunk
    page = "" if chunk.page is None else f", page {chunk.page:,}"
    reason = plain(gap.reason)
    return (
        f"{document(chunk.document)}{page}, characters {chunk.start:,}-{chunk.end:,} "
        f"(bytes {chunk.byte_start:,}-{chunk.byte_end:,}), chunk {chunk.number:,}: {gap.status}"
        + (f": {reason}" if reason else "")
    )


def _doubts(facts: DocumentFacts) -> Iterator[str]:
    if facts.undecodable:
        first = facts.first_undecodable
        yield (
            f"{count(facts.undecodable, 'byte', 'bytes')} can't be decoded as "
            f"{plain(facts.encoding or 'text')}"
            + ("" if first is None else f", the first at byte {first:,}")
            + "; each stands as U+FFFD"
        )
    if facts.encoding_from == "guessed":
        yield f"its encoding is guessed: {plain(facts.encoding or 'unknown')}"
    if facts.empty_pages:
        of = "" if facts.pages is None else f" of {facts.pages:,}"
        verb = "has" if facts.empty_pages == 1 else "have"
        pages = "page" if (facts.pages or facts.empty_pages) == 1 else "pages"
        yield f"{facts.empty_pages:,}{of} {pages} {verb} no text"


def _skipped(analysis: Analysis) -> Iterator[str]:
    if not analysis.skipped:
        return
    files = count(len(analysis.skipped), "file was", "files were")
    yield f"- {files} found and not read:"
    for path, reason in list(analysis.skipped.items())[:NAMED]:
        yield f"  - {plain(path)}: {plain(reason)}"
    more = len(analysis.skipped) - NAMED
    if more > 0:
        yield f"  - and {more:,} more"


def _checked(analysis: Analysis) -> Iterator[str]:
    quotes = analysis.quotes
    if total := sum(quotes.values()):
        yield (
            f"- {count(total, 'quote', 'quotes')} looked up: {quotes.get('exact', 0):,} exact, "
            f"{quotes.get('folded', 0):,} in other case, space or punctuation marks, "
            f"{quotes.get('missing', 0):,} not found in the document, and marked so"
        )
    if analysis.invented:
        invented = count(analysis.invented, "citation", "citations")
        was = "was" if analysis.invented == 1 else "were"
        yield f"- {invented} named no source, and {was} taken out"
    if analysis.uncited:
        findings = count(analysis.uncited, "finding is", "findings are")
        yield f"- {findings} without a source, and marked [?]"
