"""Walks through Markdown as it streams in, and lets an editor set its citations."""

from __future__ import annotations

import io
from typing import Protocol

from .findings import Finding
from .inline import Inline, Label
from .lines import Kind, closes, fence, kind

_WRAPPERS = frozenset({"", "markdown", "md", "text", "txt", "plaintext"})
_FINDINGS = frozenset({"text", "item", "table", "heading"})


class Editor(Protocol):
    """What is made of the citations of a text."""

    def label(self, label: Label, finding: Finding, /) -> str:
        """What stands in the citation's place; "" takes it out."""
        ...

    def ended(self, finding: Finding, /) -> str:
        """What is added to the end of a finding."""
        ...

    def quoted(self, lines: list[str], above: Finding | None, open_: bool, /) -> tuple[str, str]:
        """A block quote below a finding: what is added to that, and what the block becomes.

        The finding has not ``ended`` where it is ``open_``; else nothing can be added to it.
        """
        ...


class Walk:
    """Text in, in any pieces; text out, as early as it is known.

    Held back are the white space at the end of a line (a finding may end there), brackets that may
    become a citation, code spans, and block quotes. Code is left as it is; where it is not closed,
    it is closed at the end. A line may end with LF, CR LF or CR, as in Markdown; all become LF.
    ``unwrap`` takes away a code fence around all of the text.
    """

    def __init__(self, editor: Editor, *, unwrap: bool = False) -> None:
        self._editor = editor
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._inline = Inline()
        self._out: list[str] = []
        self._gap: list[str] = []  # white space that is not handed out yet
        self._rest = ""  # of the line, not understood yet
        self._kind: Kind | None = None
        self._seen = False  # something of this line is handed out
        self._emptied = False  # a citation of this line is taken out
        self._swallows = False  # and with it the white space behind it, where it began the line
        self._dropped = False  # the line is a fence that is taken away
        self._finding: Finding | None = None
        self._above: Finding | None = None
        self._blank = False
        self._block: list[list[str]] = []
        self._fence = ""  # what closes the code that the text is in
        self._may_wrap = unwrap
        self._wrapped = False

    def feed(self, text: str) -> str:
        """The next piece of it."""
        self._feed(self._newlines.decode(text))
        return self._taken()

    def end(self) -> str:
        """There is no more."""
        self._feed(self._newlines.decode("", final=True))
        if self._rest or self._kind is not None:
            self._advance(complete=True)
        self._close_block()
        self._close_finding(None)
        self._emit("")
        if self._fence:
            self._out.append("\n" + self._fence)
        return self._taken()

    def _feed(self, text: str) -> None:
        *lines, last = text.split("\n")
        for line in lines:
            self._add(line)
            self._end_line()
        self._add(last)

    def _taken(self) -> str:
        out = "".join(self._out)
        self._out.clear()
        return out

    def _add(self, text: str) -> None:
        if text:
            self._rest += text
            self._advance(complete=False)

    def _end_line(self) -> None:
        self._advance(complete=True)
        if self._kind == "quote":
            self._block[-1].append("\n")
        elif not (self._dropped or (self._emptied and not self._seen)):
            self._gap.append("\n")
        self._kind = None
        self._dropped = self._seen = self._swallows = self._emptied = False
        self._inline.reset()

    def _advance(self, complete: bool) -> None:
        if self._kind is None and not self._begin(complete):
            return
        if self._kind in _FINDINGS:
            parts, self._rest = self._inline.take(self._rest, complete)
            for part in parts:
                if isinstance(part, Label):
                    self._label(part)
                else:
                    self._text(part)
            return
        rest, self._rest = self._rest, ""
        if self._dropped:
            return
        if self._kind == "quote":
            self._block[-1].append(rest)
        elif self._kind == "blank":
            self._gap.append(rest)
        else:
            self._emit(rest)

    def _begin(self, complete: bool) -> bool:
        """Whether it is known now what the line is."""
        if self._fence:
            closing = closes(self._rest, complete, self._fence)
            if closing is None:
                return False
            self._kind = "fence"
            if closing:
                self._fence = ""
            return True
        found = kind(self._rest, complete)
        if found is None:
            return False
        self._kind = found
        if found == "fence" and self._wraps():
            self._dropped = True
        if found == "blank" or self._dropped:
            self._close_block()
            self._blank = True
        elif found == "quote":
            self._block.append([])
        elif found == "text" and self._continues():
            self._continue()
        else:
            self._start(found)
        if found != "blank":
            self._may_wrap = False
        return True

    def _continues(self) -> bool:
        open_ = self._finding
        return (
            open_ is not None
            and open_.kind in ("text", "item")
            and not self._blank
            and not self._block
        )

    def _continue(self) -> None:
        if self._finding is not None:
            self._finding.lines += 1
            self._finding.add("\n")

    def _start(self, found: Kind) -> None:
        self._close_block()
        self._close_finding(found)
        if found == "fence":
            self._fence = self._rest[: len(self._rest) - len(self._rest.lstrip())]
            self._fence += fence(self._rest)[0]
        elif found in _FINDINGS:
            self._emit("")
            self._finding = Finding(found)
            self._above = None if found == "heading" else self._finding
        self._blank = False

    def _wraps(self) -> bool:
        """Whether the fence of this line stands around the whole text."""
        info = fence(self._rest)[1]
        if self._wrapped:
            self._wrapped = bool(info)
            return not info
        self._wrapped = self._may_wrap and info in _WRAPPERS
        if self._wrapped:
            self._gap.clear()
        return self._wrapped

    def _close_finding(self, then: Kind | None) -> None:
        finding, self._finding = self._finding, None
        if finding is not None and not finding.titles(then, not self._blank):
            self._out.append(self._editor.ended(finding))

    def _close_block(self) -> None:
        if not self._block:
            return
        lines = ["".join(parts) for parts in self._block]
        self._block.clear()
        newline = "\n" if lines[-1].endswith("\n") else ""
        finding, self._finding = self._finding, None
        open_ = finding is not None and not finding.titles("quote", not self._blank)
        added, block = self._editor.quoted(
            [line.removesuffix("\n") for line in lines], self._above, open_
        )
        if open_:
            self._out.append(added)
        self._emit(block)
        if newline:
            self._gap.append(newline)
        self._blank = False

    def _text(self, text: str) -> None:
        finding = self._finding
        if finding is None:  # never: each of these lines has one
            return
        if self._swallows:
            text = text.lstrip(" \t")
            self._swallows = not text
        finding.add(text)
        visible = text.rstrip(" \t\r|") if finding.kind == "table" else text.rstrip()
        if visible:
            self._emit(visible)
            self._seen = True
        if len(visible) < len(text):
            self._gap.append(text[len(visible) :])

    def _label(self, label: Label) -> None:
        finding = self._finding
        if finding is None:
            return
        new = self._editor.label(label, finding)
        if new:
            self._emit(new)
            self._seen = True
            return
        self._emptied = True
        gap = "".join(self._gap)
        self._gap = [gap.rstrip(" \t")]
        self._swallows = not self._seen and not gap.strip()

    def _emit(self, text: str) -> None:
        if self._gap:
            self._out.extend(self._gap)
            self._gap.clear()
        self._out.append(text)
