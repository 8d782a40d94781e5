"""The report of an analysis: which pieces it has, and where they go."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .analysisfiles import Files
from .analysisplan import Mode
from .coverage import Analysis
from .errors import SinkError
from .fold.citations import present
from .fold.folding import Folding, NoFolding
from .fold.merge import Merger
from .fold.part import Part
from .fold.report import head, sections, tail
from .fold.shown import Shown, shown
from .model import GOOD, Chunk
from .ports import Live
from .sinks.recall import RecallSink
from .wholefile import write_whole

NOTHING = "Nothing was found for the task."


class Reporting:
    """Shows the report while it is written, and writes it whole at the end.

    ``written`` says where it went, ``unwritten`` why there is none.
    """

    def __init__(self, files: Files, task: str, live: Live | None) -> None:
        self._files = files
        self._task = task
        self._live = live
        self._drafting: Shown | None = None
        self.written: str | None = None
        self.unwritten: str | None = None

    def draft(self, text: str | None) -> None:
        """The next piece of its body; None where that begins anew."""
        if self._live is None:
            return
        if text is None:
            self._drafting = None
            self._live.draft(None)
            return
        if self._drafting is None:
            self._drafting = Shown()
            self._live.draft(self._head())
        self._live.draft(self._drafting.feed(text))

    async def write(
        self, sink: RecallSink, folding: Folding | NoFolding, wanted: Mode, analysis: Analysis
    ) -> None:
        """Write what ``wanted`` makes of the results, and what they cover.

        Raises SinkError where it can't be written; an earlier report stands then.
        """
        coverage = analysis.coverage
        if wanted == "none":
            return
        if coverage.failed and not coverage.answered:
            why = next((gap.reason for gap in coverage.gaps if gap.reason), "")
            self.unwritten = "no chunk could be analysed" + (f": {why}" if why else "")
        elif isinstance(folding, Folding) and folding.failure is not None:
            self.unwritten = folding.failure
        else:
            await asyncio.to_thread(self._put, self._pieces(sink, folding, wanted, analysis))

    def _pieces(
        self, sink: RecallSink, folding: Folding | NoFolding, wanted: Mode, analysis: Analysis
    ) -> Iterable[str]:
        coverage = analysis.coverage
        if wanted == "merge":
            merger = Merger(_Answers(sink, coverage.chunks or 0))
            return merger.csv() if self._files.format == "csv" else merger.jsonl()
        if wanted == "concat":
            return sections(sink.read_back(range(1, (coverage.chunks or 0) + 1)), analysis)
        assert isinstance(folding, Folding)  # noqa: S101 - a summary is folded
        return self._summary(folding, analysis)

    def _summary(self, folding: Folding, analysis: Analysis) -> Iterator[str]:
        yield self._head()
        part = folding.root
        if part is None:
            parts = folding.left()
            left = present(parts) if parts else None
            yield shown(left.text) if left else NOTHING
            part = Part("", 0, 0, left.sources if left else ())
        else:
            yield shown(part.text)
        yield tail(part, analysis)

    def _head(self) -> str:
        return head(f"Analysis of {self._files.title}", self._task)

    def _put(self, pieces: Iterable[str]) -> None:
        path = self._files.report
        if path is not None:
            try:
                write_whole(Path(path), (piece.encode("utf-8", "replace") for piece in pieces))
            except OSError as error:
                raise SinkError(
                    f"can't write the report to {path}: {error.strerror}; every result is safe, "
                    "and the same command writes it"
                ) from error
        elif self._live is not None:
            self._live.report(pieces)
        else:
            sys.stdout.writelines(pieces)
            sys.stdout.flush()
        self.written = path or "-"

    def __repr__(self) -> str:
        return f"<Reporting {self.written or 'nothing written yet'}>"


class _Answers:
    """What chunks gave, in the documents' order, read back from the file as often as wanted."""

    def __init__(self, sink: RecallSink, chunks: int) -> None:
        self._sink = sink
        self._chunks = chunks

    def __iter__(self) -> Iterator[tuple[Chunk, object]]:
        for result in self._sink.read_back(range(1, self._chunks + 1)):
            if result.status in GOOD and result.chunk:
                yield result.chunk, result.output
