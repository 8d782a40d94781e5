"""Several files side by side on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmbatch.jobs.reporting.comparison import Change, Comparison, Difference
from llmbatch.jobs.reporting.figures import Report
from llmbatch.jobs.reporting.matching import Match

from ..figures import money, rate
from ..summary import counts, took
from ..terminal import printable
from .text import notes, row

FIGURE = 25
COLUMN = 14


def compared(reports: Sequence[Report], found: Comparison) -> Iterator[str]:
    """The files by letters, a line a figure, then how rows ended otherwise."""
    letters = [letter(place) for place in range(len(reports))]
    for name, report in zip(letters, reports, strict=True):
        yield from row(name, report.file)
        for note in notes(report):
            yield from row("", f"note: {note}")
    yield ""
    heads = f"{letters[0]:>{COLUMN}}" + "".join(
        f"{each:>{COLUMN}}{'':{COLUMN}}" for each in letters[1:]
    )
    yield (" " * FIGURE + heads).rstrip()
    for each in found.differences:
        yield _line(each).rstrip()
    for name, match in zip(letters[1:], found.matches, strict=True):
        yield ""
        yield from matched(match, letters[0], name)


def letter(place: int) -> str:
    """A, B, C: what a file is called where there is no room for its name."""
    return chr(ord("A") + place)


def matched(match: Match, first: str, other: str) -> Iterator[str]:
    """How the rows of two files relate."""
    yield from row(
        f"{first} and {other}",
        f"{match.both:,} rows in both, {match.only_first:,} only in {first}, "
        f"{match.only_other:,} only in {other}",
    )
    if match.mended or match.broken:
        yield from row(
            "", f"{match.mended:,} ended well only in {other}, {match.broken:,} only in {first}"
        )
    if match.changed:
        yield from row("", f"ended otherwise: {counts(match.changed)}")


def shown(value: float | None, unit: str) -> str:
    """A figure in its unit."""
    if value is None:
        return "-"
    if unit == "seconds":
        return took(value)
    if unit == "usd":
        return money(value)
    if unit == "share":
        return f"{value:.2%}"
    return rate(value) if unit == "per_second" else f"{value:,.0f}"


def change(found: Change | None) -> str:
    """``+12.0 % worse``; what is no change says nothing."""
    if found is None or not found.by:
        return ""
    if found.factor is None:
        said = "from 0"
    elif found.factor >= 10:
        said = f"x {found.factor:,.3g}"
    else:
        said = f"{100 * (found.factor - 1):+.1f} %"
    return f"{said} {found.direction or ''}".rstrip()


def _line(each: Difference) -> str:
    first, *others = (shown(value, each.unit) for value in each.values)
    pairs = zip(others, each.changes, strict=True)
    tail = "".join(
        f"{value:>{COLUMN}} {printable(change(how)):<{COLUMN - 1}}" for value, how in pairs
    )
    return f"{each.figure:<{FIGURE}}{first:>{COLUMN}}{tail}"
