"""Pieces of HTML and SVG. What comes out of a file goes through :func:`said`, and stays text."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from ..terminal import escaped

LONGEST = 200
"""Characters of foreign text that are shown."""


def plain(text: str) -> str:
    """Text where no markup may stand, such as in a title; control characters are shown."""
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return html.escape(escaped(cut))


def said(text: str) -> str:
    """Foreign text: it is shown and does nothing, and does not turn the text around it."""
    return f"<bdi>{plain(text)}</bdi>"


def section(title: str, *body: str, about: str = "", kind: str = "") -> str:
    """A card with its heading, and one line that says how to read it."""
    hint = f'<p class="about">{about}</p>' if about else ""
    classes = f"card {kind}".strip()
    return f'<section class="{classes}"><h2>{title}</h2>{hint}{"".join(body)}</section>'


def svg(title: str, desc: str, height: int, body: Iterable[str]) -> str:
    """A picture as wide as its place, with a name and a description for who can't see it.

    Places from left to right are in percent, so that text keeps its size on every screen.
    """
    return (
        f'<svg role="img" width="100%" height="{height}"><title>{plain(title)}</title>'
        f"<desc>{plain(desc)}</desc>{''.join(body)}</svg>"
    )


def stretched(top: float, height: float, body: Iterable[str]) -> str:
    """Paths in a square of 1000 by 1000 that is drawn as wide as the picture."""
    return (
        f'<svg y="{top:g}" width="100%" height="{height:g}" viewBox="0 0 1000 1000" '
        f'preserveAspectRatio="none">{"".join(body)}</svg>'
    )


def rect(kind: str, x: float, y: float, width: float, height: float, title: str = "") -> str:
    """``x`` and ``width`` are shares of the picture's width, the others are pixels."""
    head = (
        f'<rect class="{kind}" x="{100 * x:.3f}%" y="{y:.2f}" '
        f'width="{100 * max(width, 0.0):.3f}%" height="{max(height, 0.0):.2f}"'
    )
    return f"{head}><title>{plain(title)}</title></rect>" if title else f"{head}/>"


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    """Words at a share of the width; towards the edges they keep inside."""
    anchor = anchor or ("start" if x < 0.06 else "end" if x > 0.94 else "middle")
    return (
        f'<text class="{kind}" x="{100 * x:.3f}%" y="{y:g}" text-anchor="{anchor}">'
        f"{plain(words)}</text>"
    )


def rule(kind: str, x: float, top: float, bottom: float) -> str:
    """A vertical line."""
    return (
        f'<line class="{kind}" x1="{100 * x:.3f}%" x2="{100 * x:.3f}%" '
        f'y1="{top:g}" y2="{bottom:g}"/>'
    )


def level(kind: str, y: float) -> str:
    """A horizontal line."""
    return f'<line class="{kind}" x1="0" x2="100%" y1="{y:g}" y2="{y:g}"/>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, small: bool = False) -> str:
    """Cells are HTML already; a head that begins with ``#`` is one of numbers. A ``small`` table
    is as wide as it has to be."""
    numeric = [head.startswith("#") for head in heads]
    top = "".join(
        f'<th scope="col"{_number(is_one)}>{head.removeprefix("#")}</th>'
        for head, is_one in zip(heads, numeric, strict=True)
    )
    body = "".join(f"<tr>{_cells(cells, numeric)}</tr>" for cells in rows)
    kind = ' class="small"' if small else ""
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="table">'
        f"<table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(cells: Sequence[str], numeric: Sequence[bool]) -> str:
    """A row; its first cell says what it is about."""
    first, *others = zip(cells, numeric, strict=True)
    rest = "".join(f"<td{_number(is_one)}>{cell}</td>" for cell, is_one in others)
    return f'<th scope="row">{first[0]}</th>{rest}'


def _number(is_one: bool) -> str:
    return ' class="n"' if is_one else ""


def data(summary: str, body: str) -> str:
    """The numbers behind a picture, folded away."""
    return f"<details><summary>{summary}</summary>{body}</details>"


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """(class, words) of each colour."""
    items = "".join(
        f'<li><svg width="12" height="12" aria-hidden="true"><rect class="{kind}" width="12" '
        f'height="12" rx="3"/></svg>{words}</li>'
        for kind, words in entries
    )
    return f'<ul class="legend">{items}</ul>'


def nice(most: float, about: int = 3) -> list[float]:
    """Round steps from above 0 to at most ``most``."""
    if most <= 0:
        return []
    rough = most / about
    scale = 10 ** math.floor(math.log10(rough))
    step = scale * next((size for size in (1, 2, 5) if size * scale >= rough), 10)
    return [step * number for number in range(1, int(most / step + 1e-9) + 1)]
