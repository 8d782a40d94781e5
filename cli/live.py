"""A report on standard output, and on a terminal while it is written."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TextIO

import click

from llmbatch.jobs.config import AnalyzeConfig
from llmbatch.jobs.errors import SinkError
from llmbatch.jobs.ports import Live

from .outflow import is_terminal, push, utf8
from .progress import Silent
from .terminal import printable_text, wants_colour

VOID = "(the answer broke off: what stands above is void, it is written anew)"
ANEW = "(what stands above was a draft; this is the report)"


def live_for(config: AnalyzeConfig, progress: Silent) -> Live | None:
    """Where this job's report is shown; None is nowhere.

    Raises :class:`SinkError` where it is to go to a standard output that is closed.
    """
    if config.report not in (None, "-"):
        silent = config.quiet or config.log_format == "json" or not is_terminal(sys.stderr)
        return None if silent else Screen(sys.stderr, progress)
    if sys.stdout is None:
        raise SinkError("standard output is closed: name a file for the report with -o FILE")
    if not is_terminal(sys.stdout):
        return Page(sys.stdout, progress)
    return Screen(sys.stdout, progress, drafts=not config.quiet)


class Page:
    """The report as it is, at its end: for a pipe or a file behind standard output.

    Made in the event loop's thread, where the progress is at home; the report may come from
    another one, since a reader can be slow.
    """

    def __init__(self, stream: TextIO, progress: Silent) -> None:
        self.stream = stream
        self.progress = progress
        self._loop = _running_loop()

    def draft(self, text: str | None) -> None:
        """Nobody reads along."""

    def report(self, pieces: Iterable[str]) -> None:
        """Write the pieces in UTF-8. Raises :class:`SinkError`."""
        # The reader of a pipe often sits at the terminal that the bar is on.
        _in_loop(self._loop, self.progress.close)
        for piece in pieces:
            with _explained():
                self._write(piece)

    def _write(self, text: str) -> None:
        push(self.stream.fileno(), utf8(text))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stream.name}>"


class Screen(Page):
    """A terminal: the report as it is written, with what would drive the terminal made harmless.

    Without ``drafts`` it is only shown when it is done.
    """

    def __init__(self, stream: TextIO, progress: Silent, *, drafts: bool = True) -> None:
        super().__init__(stream, progress)
        self._drafts = drafts
        self._shown: list[str] = []
        self._mid_line = False
        self._taken = False

    def draft(self, text: str | None) -> None:
        """Show the next piece; None voids what was shown. A terminal that is gone stops that."""
        if not self._drafts:
            return
        try:
            if text is not None:
                self._shown.append(text)
                self._write(text)
            elif self._shown:
                self._shown.clear()
                self._note(VOID)
        except OSError:
            self._drafts = False
            self._shown.clear()

    def report(self, pieces: Iterable[str]) -> None:
        """Show what of it was not shown yet. Raises :class:`SinkError`."""
        pieces = iter(pieces)
        shown = "".join(self._shown)
        head = _take(pieces, len(shown))
        rest = _behind(shown, head)
        if rest is None:
            with _explained():
                self._note(ANEW)
            rest = head
        for piece in chain([rest], pieces):
            with _explained():
                self._write(piece)
        self.end_line()

    def end_line(self) -> None:
        """Let something else be written below."""
        with suppress(OSError):
            if self._mid_line:
                self._write("\n")

    def _note(self, text: str) -> None:
        self.end_line()
        self._show((click.style(text, dim=True) if wants_colour(self.stream) else text) + "\n")

    def _write(self, text: str) -> None:
        if text:
            self._show(printable_text(text))

    def _show(self, text: str) -> None:
        if not self._taken:
            self._taken = True
            if is_terminal(self.progress.stream):
                _in_loop(self._loop, lambda: self.progress.give_way(self.end_line))
        self._mid_line = not text.endswith("\n")
        push(self.stream.fileno(), text.encode(self.stream.encoding, "backslashreplace"))


def _take(pieces: Iterator[str], size: int) -> str:
    """The first pieces, until there are ``size`` characters of them."""
    head: list[str] = []
    while size > 0 and (piece := next(pieces, None)) is not None:
        head.append(piece)
        size -= len(piece)
    return "".join(head)


def _behind(shown: str, report: str) -> str | None:
    """What of the report comes after the part that is shown; None where that is another text.

    White space at the end of what is shown may differ: an answer is often stripped of it.
    """
    kept = shown.rstrip()
    if not report.startswith(kept):
        return None
    at, most = len(kept), min(len(shown), len(report))
    while at < most and report[at] == shown[at]:
        at += 1
    return report[at:]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _in_loop(loop: asyncio.AbstractEventLoop | None, action: Callable[[], None]) -> None:
    """Do it in the loop's thread, and wait until it is done."""
    if loop is None or loop is _running_loop():
        action()
        return
    done = threading.Event()

    def act() -> None:
        try:
            action()
        finally:
            done.set()

    loop.call_soon_threadsafe(act)
    done.wait()


@contextmanager
def _explained() -> Iterator[None]:
    """What stands in the way of standard output becomes a :class:`SinkError`."""
    again = " (every result is safe, and the same command, better with -o FILE, writes it)"
    try:
        yield
    except BrokenPipeError as error:
        raise SinkError(
            f"standard output was closed by its reader before the report's end{again}"
        ) from error
    except OSError as error:
        raise SinkError(
            f"can't write the report to standard output: {error.strerror}{again}"
        ) from error
