"""The files of an analysis: documents in; results of chunks and folds, and the report, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from .config import AnalyzeConfig
from .errors import ConfigError
from .ownfiles import check_own, same_file
from .sources.documents.document import Document
from .sources.documents.finding import find
from .sources.globs import is_folder, is_pattern
from .sources.stored import COMPRESSIONS, STDIN
from .wholefile import check_writable

RESULTS = ".analysis.jsonl"

ReportFormat = Literal["markdown", "jsonl", "csv"]


class Files:
    """The files of an analysis: ``documents`` in, ``results`` of chunks and folds, ``report``.

    ``report`` is None where it goes to standard output, or where none is asked for. Raises
    ConfigError where two of them are the same, SourceError where a document can't be read.
    """

    def __init__(self, config: AnalyzeConfig) -> None:
        self.results = config.results or default_results(config.documents)
        self.report = None if config.report in (None, STDIN) else config.report
        self.format: ReportFormat = _format(config)
        ends = {
            "-o": self.report,
            "--summary": config.summary,
            "--junit": config.junit,
            "--prometheus": config.prometheus,
        }
        own = [name for name in (self.results, *ends.values()) if name is not None]
        found = find(config.documents, encoding=config.encoding, outputs=own)
        self.documents: Sequence[Document] = found.documents
        _check_apart(found.documents, own)
        self.skipped: Mapping[str, str] = {gone.path: gone.reason for gone in found.skipped}
        check_own({"--results": self.results, **ends})
        if self.report is not None and (problem := check_writable(self.report, "-o")):
            raise ConfigError(problem)

    @property
    def size(self) -> int | None:
        """Bytes of all documents' text, where every one says it before it is read."""
        sizes = [document.size for document in self.documents]
        return sum(size for size in sizes if size is not None) if None not in sizes else None

    @property
    def title(self) -> str:
        """What the report is about."""
        first = self.documents[0]
        if len(self.documents) > 1:
            return f"{len(self.documents)} documents"
        return "standard input" if first.path == STDIN else Path(first.path).name

    def __repr__(self) -> str:
        return f"<Files {len(self.documents)} documents -> {self.results}, {self.report}>"


def default_results(paths: Sequence[str]) -> str:
    """``big.analysis.jsonl`` beside ``big.txt``, ``docs.analysis.jsonl`` beside ``docs/``.

    Raises ConfigError where several paths leave it open.
    """
    if not paths:
        raise ConfigError("no document: name files, folders or globs, or - for standard input")
    if len(paths) > 1 or is_pattern(paths[0]):
        raise ConfigError(
            "there are several documents: name the file for their results with --results FILE"
        )
    path = Path(paths[0])
    if paths[0] == STDIN:
        return f"stdin{RESULTS}"
    if is_folder(paths[0]):
        named = path.name not in ("", "..")
        return str(path.with_name(path.name + RESULTS) if named else path / f"folder{RESULTS}")
    name = path.with_suffix("") if path.suffix in COMPRESSIONS else path
    return str(name.with_suffix("")) + RESULTS


def _format(config: AnalyzeConfig) -> ReportFormat:
    wanted = config.report_format
    if config.schema is None:
        if wanted in ("jsonl", "csv"):
            raise ConfigError(
                f"--report-format {wanted}: is for data, which a --schema brings; "
                "without one the report is markdown"
            )
        return "markdown"
    if wanted == "markdown":
        raise ConfigError("--report-format markdown: with --schema the report is jsonl or csv")
    named = "csv" if (config.report or "").lower().endswith(".csv") else "jsonl"
    return wanted or ("csv" if named == "csv" else "jsonl")


def _check_apart(documents: Sequence[Document], own: Sequence[str]) -> None:
    for document in documents:
        for name in own:
            if document.path != STDIN and same_file(name, document.path):
                raise ConfigError(f"{name} is a document too: name another file to write to")
