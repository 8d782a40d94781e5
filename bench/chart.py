"""A chart of what a request costs, as SVG: horizontal bars on a logarithmic scale.

No library: a page of rectangles and words. It stands on a card of its own, so that it can be read
on a light page and on a dark one, and follows the reader's choice where the viewer tells it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

WIDTH = 760
LEFT = 150
"""Where the bars begin."""
RIGHT = 490
"""Where the largest value that the scale has would end."""
ROW, BAR = 26, 16
TOP = 60

_STYLE = """
.card{fill:#ffffff;stroke:#d1d9e0}text{stroke:#ffffff}.strong{fill:#1f2328}.text{fill:#59636e}.line{stroke:#d1d9e0}
.ours{fill:#1a7f37}.limit{fill:#818b98}.other{fill:#54aeff}
@media (prefers-color-scheme: dark){
.card{fill:#0d1117;stroke:#3d444d}text{stroke:#0d1117}.strong{fill:#f0f6fc}.text{fill:#9198a1}.line{stroke:#3d444d}
.ours{fill:#3fb950}.limit{fill:#656c76}.other{fill:#1f6feb}
}
text{font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;font-size:13px}
text{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
.head{font-size:16px;font-weight:600}.group{font-weight:600}.small{font-size:11px}
"""


class Bar(Struct, frozen=True):
    """``micros`` is None where it could not be measured; ``role`` chooses the colour.

    ``note`` stands behind the value.
    """

    group: str
    name: str
    micros: float | None
    note: str = ""
    role: str = "other"

    @property
    def said(self) -> str:
        """The value in words."""
        value = "not measured" if self.micros is None else f"{self.micros:,.0f} µs"
        return f"{value}{self.note and f', {self.note}'}"


class Scale(Struct, frozen=True):
    """Whole decades, from ``low`` to ``high``: their exponents."""

    low: int
    high: int

    def x(self, micros: float) -> float:
        """Where a bar ends; what is below the scale ends where it begins."""
        if micros <= 0:
            return LEFT
        share = (math.log10(micros) - self.low) / (self.high - self.low)
        return LEFT + max(0.0, min(share, 1.0)) * (RIGHT - LEFT)


def scale_of(bars: Sequence[Bar]) -> Scale:
    """The decades that hold all values; at least one of them."""
    values = [bar.micros for bar in bars if bar.micros is not None and bar.micros > 0]
    if not values:
        return Scale(1, 2)
    low = math.ceil(math.log10(min(values))) - 1  # below the smallest, so that each has a bar
    return Scale(low, max(low + 1, math.ceil(math.log10(max(values)))))


def svg(title: str, bars: Sequence[Bar]) -> str:
    """The whole picture; bars of one group follow one another."""
    scale = scale_of(bars)
    groups = [(name, list(members)) for name, members in groupby(bars, lambda bar: bar.group)]
    bottom = TOP + sum(ROW * (1 + len(members)) + 8 for _, members in groups)
    height = bottom + 34
    told = "; ".join(f"{bar.group}, {bar.name}: {bar.said}" for bar in bars)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(told)}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" '
            'rx="6"/>',
            _text(20, 32, title, "strong head"),
            *_ticks(scale, bottom),
            *_groups(groups, scale),
            "</svg>\n",
        ]
    )


def _groups(groups: Sequence[tuple[str, Sequence[Bar]]], scale: Scale) -> Iterator[str]:
    y = TOP
    for name, members in groups:
        yield _text(20, y + 16, name, "strong group")
        for bar in members:
            y += ROW
            yield from _bar(bar, scale, y)
        y += ROW + 8


def _bar(bar: Bar, scale: Scale, y: float) -> Iterator[str]:
    words = "strong" if bar.role == "ours" else "text"
    yield _text(LEFT - 10, y + 13, bar.name, words, "end")
    end = LEFT if bar.micros is None else scale.x(bar.micros)
    if bar.micros is not None:
        width = max(1.0, end - LEFT)
        yield (
            f'<rect class={quoteattr(bar.role)} x="{LEFT}" y="{y}" width="{width:.1f}" '
            f'height="{BAR}" rx="2"/>'
        )
    yield _text(end + 8, y + 13, bar.said, words)


def _ticks(scale: Scale, bottom: float) -> Iterator[str]:
    for exponent in range(scale.low, scale.high + 1):
        x = scale.x(10.0**exponent)
        yield f'<line class="line" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield _text(x, bottom + 18, _unit(exponent), "text small", "middle")


def _unit(exponent: int) -> str:
    if exponent >= 6:
        return f"{10 ** (exponent - 6):,} s"
    if exponent >= 3:
        return f"{10 ** (exponent - 3)} ms"
    return f"{10.0**exponent:g} µs"


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'
