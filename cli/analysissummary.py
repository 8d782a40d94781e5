"""What an analysis came to, in words: what was read and covered, and what is to be doubted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmbatch.jobs.coverage import Analysis, Coverage, Gap
from llmbatch.jobs.model import DocumentFacts

NAMED = 3
"""Files, or chunks, that a line names one by one."""

LINES = 5
"""Documents that have a line of their own about the same subject."""


def analysis_lines(analysis: Analysis) -> list[str]:
    """One line a subject; those that say nothing are left out."""
    coverage = analysis.coverage
    lines = [f"documents  {_documents(analysis)}", f"coverage   {_coverage(coverage)}"]
    if coverage.truncated:
        cut = count(coverage.truncated, "chunk has an answer", "chunks have answers")
        lines.append(f"truncated  {cut} that the token limit cut (--max-tokens)")
    if analysis.folds:
        lines.append(f"folds      {analysis.folds:,}")
    if analysis.cut_folds:
        cut = count(analysis.cut_folds, "fold has an answer", "folds have answers")
        lines.append(f"truncated  {cut} that the token limit cut (--max-tokens)")
    if analysis.unfolded:
        lines.append(f"unfolded   {analysis.unfolded:,} partial reports, one below the other")
    if analysis.quotes:
        lines.append(f"quotes     {_quotes(analysis)}")
    if analysis.invented or analysis.uncited:
        lines.append(f"citations  {_citations(analysis)}")
    if analysis.assumed and analysis.context is not None:
        lines.append(
            f"context    taken for {analysis.context:,} tokens, as nothing is known of "
            f"{', '.join(analysis.assumed)} (--model-context)"
        )
    lines += _some("encoding", [text for facts in coverage.documents for text in _encoding(facts)])
    lines += _some("pages", [text for facts in coverage.documents for text in _pages(facts)])
    if analysis.unwritten is not None:
        lines.append(f"report     none was written: {analysis.unwritten}")
    return lines


def count(number: int, one: str, many: str) -> str:
    """``1 chunk``, ``1,234 chunks``."""
    return f"{number:,} {one if number == 1 else many}"


def _documents(analysis: Analysis) -> str:
    read = f"{len(analysis.coverage.documents):,}"
    if not analysis.skipped:
        return read
    named = [f"{path}: {why}" for path, why in list(analysis.skipped.items())[:NAMED]]
    return f"{read} ({len(analysis.skipped):,} skipped: {_listed(named, len(analysis.skipped))})"


def _coverage(coverage: Coverage) -> str:
    if coverage.chunks is None:
        so_far = count(coverage.analysed_bytes, "byte", "bytes")
        text = f"{so_far} so far: the documents were not read to their end"
    else:
        chunks = count(coverage.chunks, "chunk", "chunks")
        whole = count(coverage.bytes, "byte", "bytes")
        text = f"{coverage.analysed_bytes:,} of {whole} in {chunks}"
    if not coverage.failed:
        return text
    named = _listed([_gap(gap) for gap in coverage.gaps[:NAMED]], coverage.failed)
    return f"{text}, {count(coverage.failed, 'chunk', 'chunks')} failed: {named}"


def _gap(gap: Gap) -> str:
    chunk = gap.chunk
    page = "" if chunk.page is None else f"page {chunk.page}, "
    span = f"{page}characters {chunk.start:,}-{chunk.end:,}"
    return f"chunk {chunk.number:,} ({_name(chunk.document)}, {span})"


def _quotes(analysis: Analysis) -> str:
    words = {"exact": "exact", "folded": "folded", "missing": "not found"}
    found = ((analysis.quotes.get(key, 0), word) for key, word in words.items())
    return ", ".join(f"{number:,} {word}" for number, word in found if number)


def _citations(analysis: Analysis) -> str:
    said = []
    if analysis.invented:
        said.append(f"{analysis.invented:,} of sources that there are not, taken out")
    if analysis.uncited:
        said.append(f"{count(analysis.uncited, 'statement', 'statements')} without a source")
    return "; ".join(said)


def _encoding(facts: DocumentFacts) -> Iterator[str]:
    guessed = facts.encoding_from == "guessed"
    if not (guessed or facts.undecodable):
        return
    text = f"{_name(facts.path)}: {facts.encoding}" + (", guessed" if guessed else "")
    if facts.undecodable:
        text += f"; {count(facts.undecodable, 'byte', 'bytes')} undecodable"
        if facts.first_undecodable is not None:
            text += f", the first at byte {facts.first_undecodable:,}"
    yield f"{text} (--encoding NAME names another one)"


def _pages(facts: DocumentFacts) -> Iterator[str]:
    if facts.empty_pages:
        of = "" if facts.pages is None else f" of {facts.pages:,}"
        yield f"{_name(facts.path)}: {facts.empty_pages:,}{of} without text, as scans are"


def _some(subject: str, texts: Sequence[str]) -> list[str]:
    lines = [f"{subject:<10} {text}" for text in texts[:LINES]]
    more = len(texts) - LINES
    return [*lines, f"{subject:<10} {count(more, 'other', 'others')}"] if more > 0 else lines


def _listed(named: Sequence[str], number: int) -> str:
    """The named ones, and how many there are besides."""
    more = number - len(named)
    return "; ".join(named) + (f"; and {more:,} more" if more > 0 else "")


def _name(path: str) -> str:
    return "standard input" if path == "-" else path
