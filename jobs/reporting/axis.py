"""An axis for a timeline: long times in which nothing happened are cut out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from .timeline import COST, DONE, FAILED, PRICED, TOKENS, Bin, Span, Timeline

POINTS = 300
"""The most steps that an axis has."""

FEWEST = 40
"""So many steps it has where there are few rows."""

SHORTEST_CUT = 60.0
"""Seconds; a shorter time without a request is no pause of the job."""

SHARE = 0.25
"""Of what is left of the axis: a pause that takes less of it is left in."""

MOST_CUTS = 20

Point = tuple[float, float, int, int, int, float | None]
"""(t_s, requests in flight, rows, failed ones among them, output tokens, USD or None): the first is
an average over the step that ends at ``t_s``, the others are all up to there."""


class Piece(Struct, frozen=True):
    """Where on the axis (``t_s``) a time without a cut begins, when that was (UTC), and how long
    nothing had happened before (seconds; 0 for the first)."""

    t_s: float
    at: str
    pause_s: float


class Axis(Struct, frozen=True):
    """Points every ``every_s`` seconds, over the pieces."""

    every_s: float
    points: Sequence[Point]
    pieces: Sequence[Piece]


def axis(timeline: Timeline) -> Axis:
    """Of at most 300 steps; with no point where nothing has a time."""
    spans = list(timeline.spans())
    parts = _parts(spans)
    if not parts:
        return Axis(timeline.width, (), ())
    rows = sum(span.counts[DONE] for span in spans if span.counts is not None)
    most = min(POINTS, max(FEWEST, rows / 2))  # finer, it would show single rows
    every = timeline.width
    while sum(_steps(part, every) for part in parts) > most:
        every *= 2
    points: list[Point] = [(0.0, 0.0, 0, 0, 0, None)]
    pieces: list[Piece] = []
    sums: Bin = [0.0] * 9
    before = None
    for part in parts:
        start = part[0].start
        pause = 0.0 if before is None else start - before
        pieces.append(Piece(points[-1][0], iso(start), round(pause, 3)))
        for flying, counts in _step_by_step(part, every, timeline.last):
            if counts is not None:
                sums = [have + more for have, more in zip(sums, counts, strict=True)]
            points.append(_point(round(len(points) * every, 6), flying, sums))
        before = part[-1].end
    return Axis(every, points, pieces)


def iso(at: float) -> str:
    """A time since the epoch as ISO 8601 in UTC, with milliseconds."""
    when = datetime.fromtimestamp(0, UTC) + timedelta(seconds=at)
    return when.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _parts(spans: Sequence[Span]) -> list[Sequence[Span]]:
    """The spans between the cuts: those pauses are cut, the longest first, that take much of it."""
    if not spans:
        return []
    left = spans[-1].end - spans[0].start
    idle = [place for place, span in enumerate(spans) if _idle(span)]
    idle.sort(key=lambda place: spans[place].start - spans[place].end)
    cuts: list[int] = []
    for place in idle[:MOST_CUTS]:
        pause = spans[place].end - spans[place].start
        if pause < max(SHORTEST_CUT, SHARE * left):
            break
        left -= pause
        cuts.append(place)
    begins = [0, *(place + 1 for place in sorted(cuts))]
    ends = [*sorted(cuts), len(spans)]
    return [spans[begin:end] for begin, end in zip(begins, ends, strict=True)]


def _idle(span: Span) -> bool:
    return span.counts is None and span.in_flight_s < 0.5 * (span.end - span.start)


def _steps(part: Sequence[Span], every: float) -> int:
    return int(-(-(part[-1].end - part[0].start) // every))


def _step_by_step(
    part: Sequence[Span], every: float, last: float
) -> Iterator[tuple[float, Bin | None]]:
    """Of each step the requests in flight on average, and what its bins count together."""
    begin = part[0].start
    flying = [0.0] * _steps(part, every)
    sums: list[Bin | None] = [None] * len(flying)
    for span in part:
        if span.counts is None:
            _spread(flying, span, begin, every)
            continue
        step = int((span.start - begin) // every)
        flying[step] += span.in_flight_s
        there = sums[step] or [0.0] * 9
        sums[step] = [have + more for have, more in zip(there, span.counts, strict=True)]
    for step, counts in enumerate(sums):
        covered = min(every, max(last - begin - step * every, every / 64))
        yield flying[step] / covered, counts


def _point(at: float, flying: float, sums: Bin) -> Point:
    return (
        at,
        round(flying, 3),
        int(sums[DONE]),
        int(sums[FAILED]),
        int(sums[TOKENS]),
        round(sums[COST], 10) if sums[PRICED] else None,
    )


def _spread(flying: list[float], span: Span, begin: float, every: float) -> None:
    """Requests that were in flight between two bins."""
    level = span.in_flight_s / (span.end - span.start)
    if level < 0.5:
        return
    for step in range(int((span.start - begin) // every), len(flying)):
        start = begin + step * every
        if start >= span.end:
            break
        flying[step] += level * (min(span.end, start + every) - max(span.start, start))
