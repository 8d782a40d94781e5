"""The report in Markdown: its head, and below its body the sources and what was covered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import json

from ..coverage import Analysis
from ..model import GOOD, Chunk, Quote, Result
from .coverlines import covered
from .part import Cited, Part
from .plain import document, plain

_BACKSLASH = r"\\"
_POSING = re.compile(
    r"(?:^|(?<=\r))(?=[ \t]*(?:--- Section\b|#{1,6}[ \t]+Coverage\b))", re.M | re.I
)


def head(title: str, task: str) -> str:
    """What stands above the body."""
    named = plain(title)
    asked = plain(task)
    return (f"# {named}\n\n" if named else "") + (f"Task: {asked}\n\n" if asked else "")


def tail(part: Part | None, analysis: Analysis) -> str:
    """What stands below the body: its sources, with the quotes from each, and the coverage."""
    lines: list[str] = []
    cited: int | None = None
    if part is not None:
        cited = len(part.sources) or (0 if part.text else None)
        if part.sources or part.quotes:
            lines += ["", "## Sources", "", *_sources(part)]
    lines += ["", "## Coverage", "", *covered(analysis, cited)]
    return "\n" + "\n".join(lines) + "\n"


def sections(results: Iterable[Result], analysis: Analysis) -> Iterator[str]:
    """The chunks' results as they are, each below a line that says where it is from.

    A line of theirs that could be taken for one of ours has a backslash in front.
    ``results`` are in the documents' order; one is held at a time.
    """
    coverage = analysis.coverage
    for result in results:
        chunk = result.chunk
        if not chunk:
            continue
        of = (
            f"{chunk.number}" if coverage.chunks is None else f"{chunk.number} of {coverage.chunks}"
        )
        name = f"{document(chunk.document)}, " if len(coverage.documents) > 1 else ""
        place = f"Section {of} ({name}chars {chunk.start}-{chunk.end})"
        if result.status not in GOOD:
            yield f"--- {place}: not analysed, {_why(result)} ---\n\n"
            continue
        yield f"--- {place} ---\n\n{_POSING.sub(_BACKSLASH, _output(result))}\n\n"
        if result.status == "truncated":
            yield "(The token limit cut the answer here.)\n\n"
    yield tail(None, analysis).lstrip("\n")


def _why(result: Result) -> str:
    message = plain(result.error.message) if result.error else ""
    return f"{result.status}: {message}" if message else result.status


def _output(result: Result) -> str:
    if isinstance(result.output, str):
        return result.output
    return "" if result.output is None else json.encode(result.output).decode()


def _sources(part: Part) -> Iterator[str]:
    quotes: dict[int, list[Cited]] = {}
    for cited in part.quotes:
        quotes.setdefault(cited.chunk.number, []).append(cited)
    for number, chunk in enumerate(part.sources, 1):
        yield f"- [{number}] {place(chunk)}"
        yield from (_quote(cited.quote) for cited in quotes.pop(chunk.number, ()))
    for rest in quotes.values():  # never, as long as a quote's chunk is cited where it stands
        yield f"- {place(rest[0].chunk)}"
        yield from (_quote(cited.quote) for cited in rest)


def place(chunk: Chunk) -> str:
    """Where a chunk stands: document, page, characters, bytes, number, and the headings above."""
    page = ""
    if chunk.page is not None:
        last = chunk.page if chunk.last_page is None else chunk.last_page
        page = (
            f", page {chunk.page:,}" if last == chunk.page else f", pages {chunk.page:,}-{last:,}"
        )
    headings = " > ".join(filter(None, map(plain, chunk.headings)))
    return (
        f"{document(chunk.document)}{page}, characters {chunk.start:,}-{chunk.end:,} "
        f"(bytes {chunk.byte_start:,}-{chunk.byte_end:,}), chunk {chunk.number:,}"
        + (f": {headings}" if headings else "")
    )


def _quote(quote: Quote) -> str:
    where = ""
    if quote.start is not None and quote.end is not None:
        where = f" characters {quote.start:,}-{quote.end:,}"
    how = ", in other case, space or punctuation marks" if quote.found == "folded" else ""
    return f'  - "{plain(quote.text)}"{where}{how}'
