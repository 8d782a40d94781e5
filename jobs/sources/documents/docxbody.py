"""The body of a DOCX, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from .flow import Flow
from .styles import Styles, level
from .xmlstream import Handler

_SKIPPED = frozenset({"w:moveFrom", "mc:Fallback", "w:del", "w:rPrChange", "w:pPrChange"})
_CHARACTERS = {"w:noBreakHyphen": "\u2011", "w:softHyphen": "\u00ad"}


class Body(Handler):
    """Writes what a reader would see: inserted text, and none that was deleted or moved away.

    ``note`` is the sign of the notes that are read, '' for the document itself.
    """

    __slots__ = (
        *("_before", "_begun", "_flow", "_item", "_level", "_outer", "_skipped", "_styles"),
        *("_text", "note"),
    )

    def __init__(self, flow: Flow, styles: Styles) -> None:
        self._flow = flow
        self._styles = styles
        self._skipped = 0
        self._text = False
        self._level = 0  # of the heading that the paragraph is
        self._item: int | None = None  # the depth of the list item that it is
        self._before: int | None = None  # that of the paragraph before
        self._begun = False  # what kind of paragraph it is is known, and written
        self._outer: list[tuple[int, int | None]] = []  # paragraphs in which a text box stands
        self.note = ""

    def __repr__(self) -> str:
        return f"Body({self._flow!r})"

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or name in _SKIPPED:
            self._skipped += 1
            return
        flow = self._flow
        match name:
            case "w:t" | "m:t":
                self._text = True
                self._begin()
            case "w:p":
                self._before, self._item = self._item, None
                self._level = 0
                self._begun = False
            case "w:r" | "m:r":
                self._begin()
            case "w:tab":
                flow.tab()
            case "w:br" | "w:cr":
                flow.newline()
            case "w:tbl":
                self._item = None
                flow.end_row()
                flow.paragraph()
            case "w:tr":
                flow.row()
            case "w:tc":
                flow.cell()
            case "w:txbxContent":
                self._outer.append((self._level, self._item))
                flow.end_heading()
            case _ if name in _CHARACTERS:
                flow.text(_CHARACTERS[name])
            case _:
                self._detail(name, attributes)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        match name:
            case "w:t" | "m:t":
                self._text = False
            case "w:p" if self._level:
                self._flow.end_heading()
            case "w:p" if self._item is not None:
                self._flow.end_item()
            case "w:tr":
                self._flow.end_row()
            case "w:tbl":
                self._flow.paragraph()
            case "w:txbxContent" if self._outer:
                self._level, self._item = self._outer.pop()
                self._begun = False  # the paragraph goes on behind its box

    def text(self, text: str) -> None:
        if self._text and not self._skipped:
            self._flow.text(text)

    def _detail(self, name: str, attributes: Mapping[str, str]) -> None:
        value = attributes.get("w:val", "")
        match name:
            case "w:pStyle":
                self._level = self._styles.level(value)
                self._item = self._styles.item(value)
            case "w:outlineLvl":
                self._level = level(value)
            case "w:numId":
                self._item = None if value == "0" else self._item or 0
            case "w:ilvl" if value.isdecimal():
                self._item = min(int(value[:2]), 8)
            case "w:footnoteReference" | "w:endnoteReference":
                sign = "e" if name == "w:endnoteReference" else ""
                self._flow.text(f"[^{sign}{attributes.get('w:id', '')}]")
            case "w:footnote" | "w:endnote":
                if attributes.get("w:type", "normal") != "normal":
                    self._skipped = 1  # a line that separates notes
                    return
                self._flow.paragraph()
                self._flow.mark(f"[^{self.note}{attributes.get('w:id', '')}]: ")
            case "w:sym":
                self._flow.text(_symbol(attributes.get("w:char", "")))

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        if self._level:
            self._item = None
            self._flow.begin_heading(self._level)
        elif self._item is None:
            self._flow.paragraph()
        elif self._before is None:
            self._flow.paragraph()
            self._flow.item(self._item)
        else:
            self._flow.item(self._item)


def _symbol(code: str) -> str:
    """A character of a symbol font stands in the private area; its own code is told apart there."""
    try:
        found = chr(int(code, 16))
    except (ValueError, OverflowError):
        return ""
    return "\ufffd" if "\ud800" <= found <= "\udfff" else found
