"""Figures, as lines while they come and as `RESULTS.md` at the end."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from .chart import Bar

ALT = "CPU time of one request: a bare loop, llmbatch, flexllm, the openai SDK and litellm"


class Figure(Struct, frozen=True):
    """One measurement in words; ``holds`` is None where nothing was asked.

    ``bar`` is its place in the chart, if it has one.
    """

    what: str
    measured: str
    asked: str = ""
    holds: bool | None = None
    bar: Bar | None = None

    @property
    def verdict(self) -> str:
        return {None: "", True: "yes", False: "**no**"}[self.holds]


class Section(Struct, frozen=True):
    """One case: its figures, how they were got, and why it failed if it did."""

    case: str
    method: str
    figures: Sequence[Figure]
    failed: str | None = None
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return self.failed is None and all(figure.holds is not False for figure in self.figures)


def at_most(what: str, value: float, limit: float, shown: str, asked: str) -> Figure:
    """A figure that must not be above ``limit``."""
    return Figure(what, shown, f"at most {asked}", value <= limit)


def at_least(what: str, value: float, limit: float, shown: str, asked: str) -> Figure:
    """A figure that must not be below ``limit``."""
    return Figure(what, shown, f"at least {asked}", value >= limit)


def bars(sections: Sequence[Section]) -> list[Bar]:
    """What is to be charted, in order."""
    found = (figure.bar for section in sections for figure in section.figures)
    return [bar for bar in found if bar is not None]


def line(figure: Figure) -> str:
    """For the terminal."""
    asked = f"   [{figure.asked}: {figure.verdict.strip('*')}]" if figure.asked else ""
    return f"  {figure.what:<48} {figure.measured}{asked}"


def markdown(
    sections: Sequence[Section],
    machine: Sequence[tuple[str, str]],
    head: str,
    chart: str | None = None,
    evidence: str = "",
) -> str:
    """The whole page; ``chart`` is its file's name, ``evidence`` is taken over as it is."""
    parts = ["# What llmbatch costs", "", head, ""]
    if chart is not None:
        parts += [f"![{ALT}]({chart})", ""]
    parts += ["| | |", "|---|---|"]
    parts += [f"| {_cell(name)} | {_cell(value)} |" for name, value in machine]
    for section in sections:
        parts += ["", f"## {section.case}", "", section.method, ""]
        if section.figures:
            parts += ["| figure | measured | asked | holds |", "|---|---|---|---|"]
            parts += [_table_row(figure) for figure in section.figures]
        if section.failed is not None:
            parts += ["", f"**Failed, so the rest of it was not measured:** {section.failed}"]
    if evidence:
        parts += ["", evidence.rstrip()]
    return "\n".join(parts) + "\n"


def _table_row(figure: Figure) -> str:
    cells = (figure.what, figure.measured, figure.asked, figure.verdict)
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
