"""Figures, as lines while they come and as `RESULTS.md` at the end."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Figure(Struct, frozen=True):
    """One measurement in words; ``holds`` is None where nothing was asked."""

    what: str
    measured: str
    asked: str = ""
    holds: bool | None = None

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


def line(figure: Figure) -> str:
    """For the terminal."""
    asked = f"   [{figure.asked}: {figure.verdict.strip('*')}]" if figure.asked else ""
    return f"  {figure.what:<48} {figure.measured}{asked}"


def markdown(sections: Sequence[Section], machine: Sequence[tuple[str, str]], head: str) -> str:
    """The whole page."""
    parts = ["# What llmbatch costs", "", head, "", "| | |", "|---|---|"]
    parts += [f"| {_cell(name)} | {_cell(value)} |" for name, value in machine]
    for section in sections:
        parts += ["", f"## {section.case}", "", section.method, ""]
        if section.figures:
            parts += ["| figure | measured | asked | holds |", "|---|---|---|---|"]
            parts += [_table_row(figure) for figure in section.figures]
        if section.failed is not None:
            parts += ["", f"**Failed, so the rest of it was not measured:** {section.failed}"]
    return "\n".join(parts) + "\n"


def _table_row(figure: Figure) -> str:
    cells = (figure.what, figure.measured, figure.asked, figure.verdict)
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
