"""How times are distributed: bars on a logarithmic axis, with the percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from llmbatch.jobs.histogram import Percentiles
from llmbatch.jobs.reporting.figures import Bars

from ..summary import took
from .markup import data, level, rect, rule, stretched, svg, table, text

TOP, HEIGHT, FOOT = 50, 110, 22
NARROW = 0.19
"""Share of the width that a mark of the axis needs."""

NARROWEST = 1.5
"""By this factor an axis reaches over the middle of its values to either side, at least."""


class Scale:
    """Seconds to a share of the width, from the lowest bar to the highest."""

    def __init__(self, histograms: Sequence[Bars]) -> None:
        self.low = min(bars[0][0] for bars in histograms)
        self.high = max(bars[-1][1] for bars in histograms)
        if self.high < NARROWEST * self.low:  # all values are much the same
            middle = math.sqrt(self.low * self.high)
            self.low, self.high = middle / NARROWEST, middle * NARROWEST
        self._low = math.log(self.low)
        self._span = math.log(self.high) - self._low

    def __call__(self, seconds: float) -> float:
        at = (math.log(max(seconds, 1e-9)) - self._low) / self._span
        return min(1.0, max(0.0, at))

    def marks(self) -> Iterator[str]:
        """1, 2, 5 and their like where there is room, else powers of ten."""
        sizes = (1, 2, 5) if self.high / self.low < 100 else (1,)
        before = -1.0
        for power in range(-6, 10):
            for size in sizes:
                seconds = size * 10.0**power
                at = self(seconds)
                if self.low <= seconds <= self.high and at - before >= NARROW:
                    before = at
                    yield rule("tick", at, TOP + HEIGHT, TOP + HEIGHT + 4)
                    yield text(at, TOP + HEIGHT + 16, took(seconds), "soft")

    def __repr__(self) -> str:
        return f"<Scale from {self.low} to {self.high} s>"


def distribution(title: str, bars: Bars, of: Percentiles, kind: str = "one") -> str:
    """The bars and their numbers; nothing where there was no value."""
    if not bars:
        return ""
    scale, most = Scale([bars]), max(count for _, _, count in bars)
    drawn = [
        rect(
            kind,
            scale(low),
            TOP + HEIGHT - HEIGHT * count / most,
            scale(high) - scale(low) - 0.0015,
            HEIGHT * count / most,
            f"{took(low)} to {took(high)}: {count:,}",
        )
        for low, high, count in bars
        if count
    ]
    picture = svg(
        f"{title}: distribution",
        f"From {took(scale.low)} to {took(scale.high)}. {_words(of)}",
        TOP + HEIGHT + FOOT,
        [*drawn, level("base", TOP + HEIGHT), *scale.marks(), *_percentiles(scale, of)],
    )
    rows = [(f"{took(low)} to {took(high)}", f"{count:,}") for low, high, count in bars if count]
    numbers = data("The numbers as a table", table(("between", "#rows"), rows, small=True))
    return f"<figure><figcaption>{title}</figcaption>{picture}{numbers}</figure>"


def overlaid(title: str, files: Sequence[tuple[str, Bars, Percentiles]]) -> str:
    """The distributions of several files over each other, each as a share of its own rows."""
    there = [(name, bars, of) for name, bars, of in files if bars]
    if not there:
        return ""
    scale = Scale([bars for _, bars, _ in there])
    curves = [_density(bars) for _, bars, _ in there]
    most = max(max(height for _, _, height in curve) for curve in curves)
    paths = []
    kinds = {name: f"file{place}" for place, (name, _, _) in enumerate(files)}
    for (name, _, _), curve in zip(there, curves, strict=True):
        points = [
            f"{1000 * scale(edge):.2f} {1000 - 1000 * height / most:.1f}"
            for low, high, height in curve
            for edge in (low, high)
        ]
        first, last = 1000 * scale(curve[0][0]), 1000 * scale(curve[-1][1])
        path = f"M{first:.2f} 1000 L{' L'.join(points)} L{last:.2f} 1000"
        paths.append(f'<path class="area {kinds[name]}" d="{path}Z"/>')
        paths.append(f'<path class="curve {kinds[name]}" d="{path}"/>')
    lines = []
    for place, (name, _, of) in enumerate(there[:3]):
        if of.p50 is not None:
            lines.append(rule(f"mark {kinds[name]}", scale(of.p50), 16 * place + 8, TOP + HEIGHT))
            lines.append(_beside(scale(of.p50), 16 * place + 13, f"{name} p50 {took(of.p50)}"))
    picture = svg(
        f"{title}: distributions",
        "; ".join(f"{name}: {_words(of)}" for name, _, of in there),
        TOP + HEIGHT + FOOT,
        [stretched(TOP, HEIGHT, paths), level("base", TOP + HEIGHT), *scale.marks(), *lines],
    )
    return f"<figure><figcaption>{title}</figcaption>{picture}</figure>"


def _density(bars: Bars) -> list[tuple[float, float, float]]:
    """Share of all values for each tenth of a power of ten: bars may be of different widths."""
    total = sum(count for _, _, count in bars)
    return [(low, high, count / total / math.log10(high / low)) for low, high, count in bars]


def _percentiles(scale: Scale, of: Percentiles) -> Iterator[str]:
    named = (("p50", of.p50), ("p95", of.p95), ("p99", of.p99))
    known = [(name, value, 16 * place + 13) for place, (name, value) in enumerate(named)]
    for _, seconds, y in known:
        if seconds is not None:
            yield rule("mark", scale(seconds), y - 9, TOP + HEIGHT)
    for name, seconds, y in known:
        if seconds is not None:
            yield _beside(scale(seconds), y, f"{name} {took(seconds)}")


def _beside(at: float, y: float, words: str) -> str:
    left = at < 0.72
    return (
        f'<text class="named" x="{100 * at:.3f}%" dx="{5 if left else -5}" y="{y}" '
        f'text-anchor="{"start" if left else "end"}">{words}</text>'
    )


def _words(of: Percentiles) -> str:
    named = (("half", of.p50), ("95 %", of.p95), ("99 %", of.p99))
    return ", ".join(f"{name} within {took(value)}" for name, value in named if value is not None)
