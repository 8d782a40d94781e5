"""Blocks of Markdown as the rows of a terminal, in rich's words."""

from __future__ import annotations

import io
from typing import Any

from markdown_it import MarkdownIt
from rich.cells import chop_cells
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Heading, Markdown
from rich.syntax import Syntax
from rich.text import Text
from rich.theme import Theme

from .blocks import Block
from .region import letters, visible

_THEME = "ansi_dark"
_STYLES = Theme({"markdown.code": "cyan", "markdown.h2": "bold", "markdown.item.number": "bold"})
_WIDEST = 100_000
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
_PARSER.disable("image")


class _Heading(Heading):
    """On the left, and nothing but bold."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold underline" if self.tag == "h1" else "bold")
        yield self.text


class _Markdown(Markdown):
    """HTML is text, an address is shown, and nothing is a link that hides it."""

    elements = {**Markdown.elements, "heading_open": _Heading}  # noqa: RUF012 - rich's own way

    def __init__(self, source: str) -> None:
        super().__init__("", hyperlinks=False, code_theme=_THEME)
        self.markup = source
        self.parsed = _PARSER.parse(source)


class Rows:
    """Renders blocks; ``width`` in cells is that of the screen, of which the last stays free."""

    def __init__(self, width: int) -> None:
        self.width = max(4, width - 1)
        self._console = _console(self.width)
        self._wide = _console(_WIDEST)

    def settled(self, block: Block, *, folded: bool = False) -> list[str]:
        """As it is to stay. Code is as wide as it is, to be copied, unless it is ``folded``."""
        if block.kind == "code":
            return self.unsettled(block, 0) if folded else [self._code(block)]
        return self._text(block.source)

    def unsettled(self, block: Block, height: int) -> list[str]:
        """As far as it is there; of a table its last lines as they came."""
        if block.kind == "code":
            return self._chopped(block.source.expandtabs(4))
        if block.kind == "table":
            lines = block.source.split("\n")[-max(1, height - 3) :]
            return [self.dim(line) for line in lines]
        return self._text(block.source)

    def _text(self, source: str) -> list[str]:
        """The source itself where rendering it would lose a letter of it."""
        rows = self._render(_Markdown(source))
        if _letters("\n".join(map(visible, rows))) < _letters(source):
            rows = self._render(Text(source, overflow="fold"))
        return rows

    def dim(self, text: str) -> str:
        """One row, cut to the width."""
        return self._render(Text((self._chopped(text) or [""])[0], style="dim", no_wrap=True))[0]

    def _chopped(self, text: str) -> list[str]:
        return chop_cells(text, self.width)

    def _code(self, block: Block) -> str:
        text = block.source.expandtabs(4)
        if not text.strip():
            return ""
        syntax: Any = Syntax("", block.language or "text", theme=_THEME, background_color="default")
        shown = syntax.highlight(text)
        shown.rstrip()
        return _lines(self._wide, Text.assemble(shown, no_wrap=True))[0]

    def _render(self, renderable: RenderableType) -> list[str]:
        return _lines(self._console, renderable)

    def __repr__(self) -> str:
        return f"<Rows of {self.width} cells>"


def _console(width: int) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, highlight=False, theme=_STYLES
    )


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _lines(console: Console, renderable: RenderableType) -> list[str]:
    with console.capture() as captured:
        console.print(renderable, soft_wrap=False)
    rows = captured.get().split("\n")
    while rows and not letters(rows[-1:]):
        rows.pop()
    while rows and not letters(rows[:1]):
        rows.pop(0)
    return [row.rstrip(" ") for row in rows] or [""]
