"""What happened when: rows, requests in flight, tokens and money over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from llmbatch.jobs.reporting.axis import Axis

from ..figures import duration, money, rate
from ..summary import took
from .markup import data, legend, level, nice, plain, rect, rule, stretched, svg, table, text

TOP, HEIGHT, FOOT = 26, 112, 22
CELLS = 100
"""The most places of a chart that say their number when they are pointed at."""

_STEPS = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
    14400, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000,
)  # fmt: skip
"""Seconds between two marks of the axis."""


class Curve(Struct, frozen=True):
    """Values, one for each step of the axis, and how they are drawn and said."""

    kind: str
    name: str
    values: Sequence[float]


class Chart(Struct, frozen=True):
    title: str
    unit: str
    curves: Sequence[Curve]


def charts(axis: Axis) -> Iterator[str]:
    """One picture a subject; those in which nothing happens are left out."""
    if len(axis.points) < 2:
        return
    for chart in _charts(axis):
        if any(any(curve.values) for curve in chart.curves):
            yield f"<figure><figcaption>{chart.title}</figcaption>{_drawn(chart, axis)}"
            named = [(curve.kind, curve.name) for curve in chart.curves]
            yield (legend(named) if len(named) > 1 else "") + "</figure>"
    yield data("The numbers as a table", _table(axis))


def _charts(axis: Axis) -> Iterator[Chart]:
    every, steps = axis.every_s, list(zip(axis.points, axis.points[1:], strict=False))
    failed = [(now[3] - before[3]) / every for before, now in steps]
    rows = [(now[2] - before[2]) / every for before, now in steps]
    both = (Curve("one", "rows a second", rows), Curve("bad", "failed", failed))
    yield Chart("Throughput", "rows/s", both if any(failed) else both[:1])
    yield Chart("In flight", "requests", (Curve("two", "requests", [now[1] for _, now in steps]),))
    tokens = [(now[4] - before[4]) / every for before, now in steps]
    yield Chart("Output", "tokens/s", (Curve("three", "tokens a second", tokens),))
    cost = [now[5] or 0.0 for _, now in steps]
    yield Chart("Cost so far", "$", (Curve("four", "USD", cost),))


def _drawn(chart: Chart, axis: Axis) -> str:
    most = 1.06 * max(max(curve.values) for curve in chart.curves) or 1.0
    number = len(axis.points) - 1
    desc = f"{len(axis.pieces)} stretches of time. " if len(axis.pieces) > 1 else ""
    desc += "; ".join(
        f"{curve.name}: at most {_shown(max(curve.values), chart.unit)}, "
        f"{_shown(curve.values[-1], chart.unit)} at the end"
        for curve in chart.curves
    )
    begins = _begins(axis)
    return svg(
        f"{chart.title} over time",
        desc,
        TOP + HEIGHT + FOOT,
        [
            *(level("grid", y) for y, _ in _levels(most)),
            stretched(
                TOP,
                HEIGHT,
                [
                    _path(curve, most, begins, place == 0)
                    for place, curve in enumerate(chart.curves)
                ],
            ),
            level("base", TOP + HEIGHT),
            *(
                text(0, y - 4, _shown(value, chart.unit), "soft", "start")
                for y, value in _levels(most)
            ),
            *_marks(axis, number),
            *_cells(chart, axis, number),
        ],
    )


def _begins(axis: Axis) -> list[int]:
    """The number of the step with which each stretch of time begins."""
    return [round(piece.t_s / axis.every_s) for piece in axis.pieces]


def _path(curve: Curve, most: float, begins: Sequence[int], filled: bool) -> str:
    """A line in the middle of each step, broken where time was cut out."""
    number, lines, areas = len(curve.values), [], []
    for begin, end in zip(begins, [*begins[1:], number], strict=True):
        points = [
            f"{1000 * (step + 0.5) / number:.2f} {1000 - 1000 * curve.values[step] / most:.1f}"
            for step in range(begin, end)
        ]
        if not points:
            continue
        left, right = 1000 * begin / number, 1000 * end / number
        first, last = points[0].split()[1], points[-1].split()[1]
        line = " L".join([f"{left:.2f} {first}", *points, f"{right:.2f} {last}"])
        lines.append(f"M{line}")
        areas.append(f"M{left:.2f} 1000 L{line} L{right:.2f} 1000Z")
    area = f'<path class="area {curve.kind}" d="{"".join(areas)}"/>' if filled else ""
    return f'{area}<path class="curve {curve.kind}" d="{"".join(lines)}"/>'


def _levels(most: float) -> Iterator[tuple[float, float]]:
    """Where a line is drawn, and the value that it stands for."""
    for value in nice(most):
        yield TOP + HEIGHT - HEIGHT * value / most, value


def _marks(axis: Axis, number: int) -> Iterator[str]:
    length, foot = number * axis.every_s, TOP + HEIGHT + 15
    step = next((size for size in _STEPS if length / size <= 6), length)
    for mark in range(1, int(length / step) + 1):
        at = mark * step / length
        if at < 0.95:
            yield rule("tick", at, TOP + HEIGHT, TOP + HEIGHT + 4)
            yield text(at, foot, took(mark * step) if step < 1 else duration(mark * step), "soft")
    yield text(0, foot, "0", "soft", "start")
    for piece in axis.pieces[1:]:
        at = piece.t_s / length
        yield rule("cut", at, 4, TOP + HEIGHT)
        words = f"{duration(piece.pause_s)} later"
        yield text(
            at,
            12,
            f" {words} " if at < 0.8 else f"{words} ",
            "soft",
            "start" if at < 0.8 else "end",
        )


def _cells(chart: Chart, axis: Axis, number: int) -> Iterator[str]:
    """What says its number when it is pointed at."""
    wide = -(-number // CELLS)
    for begin in range(0, number, wide):
        end = min(begin + wide, number)
        said = ", ".join(
            f"{_shown(sum(curve.values[begin:end]) / (end - begin), chart.unit)} {curve.name}"
            for curve in chart.curves
        )
        at = f"{_at(axis, begin)} to {_at(axis, end)}"
        yield rect("cell", begin / number, TOP, (end - begin) / number, HEIGHT, f"{at}: {said}")


def _at(axis: Axis, step: int) -> str:
    seconds = step * axis.every_s
    return took(seconds) if seconds < 60 else duration(seconds)


def _shown(value: float, unit: str) -> str:
    return money(value) if unit == "$" else f"{rate(value) if value else '0'} {unit}"


def _table(axis: Axis) -> str:
    heads = ("from", "#in flight", "#rows", "#failed", "#output tokens", "#USD")
    begins = dict(zip(_begins(axis), axis.pieces, strict=True))
    rows = []
    for step, (before, now) in enumerate(zip(axis.points, axis.points[1:], strict=False)):
        piece = begins.get(step)
        at = f"{_at(axis, step)}{f' ({plain(piece.at)})' if piece else ''}"
        usd, until = now[5], before[5] or 0.0
        cost = "" if usd is None else f"{usd - until:.6f}"
        done, failed, tokens = now[2] - before[2], now[3] - before[3], now[4] - before[4]
        counts = (f"{done:,}", f"{failed:,}", f"{tokens:,}")
        rows.append((at, f"{now[1]:,.1f}", *counts, cost))
    return table(heads, rows)
