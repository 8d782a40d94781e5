"""From a results file to its figures, in one pass and flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import ConfigError, SourceError
from ..sources.stored import STDIN
from ..summary import Summary
from .axis import Axis, axis
from .comparison import Reports, compare
from .counting import Counting
from .figures import BadLine, Figures, Heard, Report, TimedBy, Unreadable
from .history import Known, known
from .line import NoResult, decode
from .matching import MOST, Matching
from .opening import ResultLines, lines_of

NAMED = 5
"""Lines that are no results which are named one by one."""

SLOWEST = 10
BARS = 60


def read_reports(paths: Sequence[str], *, slowest: int = SLOWEST) -> Reports:
    """The reports of the files, one after the other, and for several their comparison. It blocks.

    Raises as :func:`check_paths` and :func:`report`.
    """
    check_paths(paths)
    if len(paths) == 1:
        return Reports([report(paths[0], slowest=slowest)])
    matching = Matching()
    found = [report(path, slowest=slowest, heard=matching.next_file()) for path in paths]
    return Reports(found, compare(found, matching.matches()))


def check_paths(paths: Sequence[str]) -> None:
    """Find out at once what can't be read later. Raises ConfigError and SourceError."""
    if len(paths) > MOST:
        raise ConfigError(f"{len(paths)} files are too many to compare: name {MOST} at most")
    if paths.count(STDIN) > 1:
        raise ConfigError("standard input can be read only once: name - once")
    for path in paths:
        if not path:
            raise ConfigError("a name is empty: name a results file")
        ResultLines(lines_of(path))


def report(path: str, *, slowest: int = SLOWEST, heard: Heard | None = None) -> Report:
    """The figures of ``path`` (``-``: standard input); ``heard`` is told every result. It blocks.

    Raises SourceError where it can't be read, or has lines and none of them is a result.
    """
    return _Reading(path, slowest, heard).report()


class _Reading:
    def __init__(self, path: str, slowest: int, heard: Heard | None) -> None:
        self.path = path
        self.lines = ResultLines(lines_of(path))
        self.counting = Counting(slowest)
        self.heard = heard
        self.formats: set[str] = set()
        self.bad = 0
        self.first_bad: list[BadLine] = []
        self.last: BadLine | None = None
        self.torn: int | None = None

    def report(self) -> Report:
        self._read()
        counting = self.counting
        counting.end()
        if self.bad and not sum(counting.tally.rows.values()):
            first = self.first_bad[0]
            raise SourceError(
                f"holds no results; its first line that is none: {first.reason}",
                path=self.path,
                line=first.line,
            )
        beside = known(self.lines.path, counting.tally)
        drawn = axis(counting.timeline)
        tally = counting.tally
        measured = {"ttft_s": tally.ttft, "itl_s": tally.itl, "latency_s": tally.latency}
        return Report(
            file=self.path,
            read_from=self.lines.path,
            formats=sorted(self.formats),
            bytes=self.lines.bytes,
            lines=sum(tally.rows.values()),
            unreadable=Unreadable(self.bad, self.first_bad),
            torn_line=self.torn,
            notes=list(self._notes(beside)),
            history=beside.history,
            figures=_figures(counting, beside, drawn),
            models=counting.models.figures(),
            causes=counting.causes.figures(),
            row_time=counting.row_time,
            histograms={name: histogram.bars(BARS) for name, histogram in measured.items()},
            timeline=drawn,
            slowest=counting.slowest.figures(),
            last_run=None if beside.manifest is None else beside.manifest.summary,
        )

    def _read(self) -> None:
        add, heard = self.counting.add, self.heard
        for lines in self.lines:
            for number, line in lines:
                try:
                    row = decode(line)
                except NoResult as error:
                    self._refuse(number, str(error))
                    continue
                add(row, number)
                self.formats.add(row.format)
                if heard is not None:
                    heard(row)
        if self.last is not None and self.last.line == number and self.lines.torn:
            self.torn = number
            self.bad -= 1
            self.first_bad = [line for line in self.first_bad if line.line != number]

    def _refuse(self, number: int, reason: str) -> None:
        self.bad += 1
        self.last = BadLine(number, reason)
        if len(self.first_bad) < NAMED:
            self.first_bad.append(self.last)

    def _notes(self, beside: Known) -> Iterator[str]:
        yield from beside.notes
        if self.lines.path != self.path:
            yield f"these are the lines of {Path(self.lines.path).name}, which the table is made of"
        if self.torn is not None:
            yield f"line {self.torn} has no end and is left out: a run is at it, or was killed"
        if self.formats == {"openai-batch"}:
            yield "OpenAI Batch lines say nothing of times, attempts, providers and costs"


def _figures(counting: Counting, beside: Known, drawn: Axis) -> Figures:
    tally, manifest = counting.tally, beside.manifest
    wall = _active(counting, drawn)
    summary = tally.summary(wall=wall or 0.0)
    rates, timed_by = _rates(summary, beside, wall)
    return Figures(
        rows=summary.rows,
        failed=summary.failed,
        total=None if manifest is None else manifest.total,
        not_run=None if manifest is None else manifest.not_run,
        usage=summary.usage,
        cost_usd=summary.cost_usd,
        wall_s=None if rates is None else rates.wall_s,
        rows_per_s=None if rates is None else rates.rows_per_s,
        output_tokens_per_s=None if rates is None else rates.output_tokens_per_s,
        timed_by=timed_by,
        ttft_s=summary.ttft_s,
        itl_s=summary.itl_s,
        latency_s=summary.latency_s,
        attempts=summary.attempts,
        retries=summary.retries,
        failures=summary.failures,
        answered=summary.answered,
        fallbacks=summary.fallbacks,
        reused=summary.reused,
        folds=tally.folds,
        undated=counting.undated,
    )


def _rates(summary: Summary, beside: Known, wall: float | None) -> tuple[Summary | None, TimedBy]:
    """Whose wall clock it is."""
    if beside.whole and beside.summary is not None:
        return beside.summary, "manifest"
    return (summary, "rows") if wall else (None, None)


def _active(counting: Counting, drawn: Axis) -> float | None:
    """Seconds from the first request to the last result, without what is cut out of the axis."""
    first, last = counting.timeline.first, counting.timeline.last
    if first > last:
        return None
    return max(0.0, last - first - sum(piece.pause_s for piece in drawn.pieces))
