"""An answer in Markdown on a terminal, while it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..terminal import printable_text
from .blocks import Block, Blocks
from .markdown import Rows
from .region import Region, behind, letters

PAUSE = 0.04
"""Seconds between two drawings: faster than the eye, slower than the tokens."""

SHARE = 5
"""A drawing that takes long is followed by a pause so many times as long."""

Size = Callable[[], tuple[int, int]]
"""Columns and rows of the terminal."""


class Painter:
    """Draws what is not settled anew, and never what is. Needs a running loop.

    When the terminal changes its size nobody knows where its rows went: what is shown is left
    alone then, and the rest of the block goes below it.
    """

    def __init__(self, write: Callable[[str], None], size: Size) -> None:
        self._write = write
        self._size = size
        self._region = Region(write)
        self._start()
        self._seen = size()
        self._rows = Rows(self._seen[0])
        self._timer: asyncio.TimerHandle | None = None
        self._pause = PAUSE
        self._shown = False  # whether anything stands above

    def _start(self) -> None:
        self._blocks = Blocks()
        self._pending: list[str] = []
        self._carriage = False  # the last piece ended with the first half of a line's end
        self._open = False  # whether the block has its distance from the one above
        self._gone = 0  # visible characters of the block that are settled already
        self._note = ""

    def hear(self, text: str | None) -> None:
        """The next piece; None where an attempt begins anew."""
        if text is None:
            self.finish()
            self._start()
            return
        self._pending.append(text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self.flush)

    def status(self, text: str) -> None:
        """Say in a row why nothing comes; it goes when something does."""
        self.flush()
        self._resized()
        if self._blocks.tail is None:
            self._note = text
            self._region.draw([self._rows.dim(text)], self._seen[1])

    def flush(self) -> None:
        """Draw what came since."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        text = "".join(self._pending)
        self._pending.clear()
        if not text:
            return
        began = time.monotonic()
        self._resized()
        for block in self._blocks.feed(self._harmless(text)):
            self._settle(block)
        self._draw_tail()
        self._pause = max(PAUSE, SHARE * (time.monotonic() - began))

    def finish(self) -> None:
        """That is all of it."""
        self.flush()
        for block in self._blocks.finish():
            self._settle(block)
        self._region.draw([], self._seen[1])

    def _harmless(self, text: str) -> str:
        text = ("\r" if self._carriage else "") + text
        self._carriage = text.endswith("\r")
        return printable_text(text.removesuffix("\r").replace("\r\n", "\n"))

    def _settle(self, block: Block) -> None:
        self._space(block)
        gone = len(self._region.rows) >= self._seen[1] - 1
        rows = self._rows.settled(block, folded=gone)
        self._region.draw(behind(rows, self._gone) if self._gone else rows, self._seen[1])
        self._region.settle()
        self._shown, self._open, self._gone = True, False, 0

    def _draw_tail(self) -> None:
        block = self._blocks.tail
        if block is None:
            self._region.draw([], self._seen[1])
            return
        self._space(block)
        rows = self._rows.unsettled(block, self._seen[1])
        self._region.draw(behind(rows, self._gone) if self._gone else rows, self._seen[1])

    def _space(self, block: Block) -> None:
        if self._note:
            self._note = ""
            self._region.draw([], self._seen[1])
        if block.joined:
            return
        if self._shown and not self._open:
            self._write("\n")
        self._open = True

    def _resized(self) -> None:
        size = self._size()
        if size == self._seen:
            return
        self._seen, self._rows = size, Rows(size[0])
        block = self._blocks.tail
        if self._note and len(self._note) < size[0]:
            self._region.draw([self._rows.dim(self._note)], size[1])
            return
        if block is not None and block.kind == "text" and not self._note:
            self._gone += letters(self._region.rows)
        self._region.settle()

    def __repr__(self) -> str:
        return f"<Painter {self._region!r}>"
