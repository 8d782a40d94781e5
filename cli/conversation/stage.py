"""What a chat shows: answers while they come, and its own words beside them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import click

from llmbatch.jobs.errors import SinkError

from ..live import VOID
from ..outflow import is_terminal, push
from ..terminal import printable, wants_colour
from .spoken import Spoken

if TYPE_CHECKING:
    from .painter import Painter

if sys.platform != "win32":
    import termios


class Shown(Protocol):
    """One answer, where it is shown."""

    def hear(self, text: str | None) -> None: ...

    def status(self, text: str) -> None:
        """Why nothing comes."""
        ...

    def end(self, answer: str | None, *, good: bool) -> None:
        """That is all of it; ``answer`` is None where it was stopped."""
        ...


class Stage:
    """The terminal, or what stands in its place; raises SinkError where nothing can be written.

    ``drawn`` says that Markdown is drawn; else answers are plain text.
    """

    def __init__(self, *, plain: bool) -> None:
        if sys.stdout is None:
            raise SinkError("standard output is closed: there is nowhere to write to")
        self.screen = is_terminal(sys.stdout)
        self.person = self.screen or is_terminal(sys.stderr)
        moves = self.screen and os.environ.get("TERM") not in ("dumb", None)
        self.edits = moves and is_terminal(sys.stdin)
        self.drawn = self.edits and wants_colour(sys.stdout) and not plain
        self._aside = sys.stdout if self.screen else sys.stderr

    def invite(self) -> None:
        """Say to whoever sits there that it is their turn."""
        if is_terminal(sys.stdin) and self.person:
            self.write("> ", self._aside.fileno())

    def answer(self) -> Shown:
        """Where the next answer is shown; what is pasted meanwhile stays one question."""
        if self.edits:
            self.write("\x1b[?2004h")  # a prompt ends with turning it off
        return Drawn(self) if self.drawn else Written(self)

    def say(self, text: str, *, dim: bool = True) -> None:
        """A line for a person, who may not be there."""
        if self.person:
            self._line(printable(text), dim=dim)

    def fail(self, message: str) -> None:
        """An error, which is told to whoever reads."""
        self._line(f"error: {printable(message)}", fg="red")

    def _line(self, text: str, **style: str | bool) -> None:
        if wants_colour(self._aside):
            text = click.style(text, **style)  # type: ignore[arg-type]
        self.write(text + "\n", self._aside.fileno())

    def write(self, text: str, fd: int | None = None) -> None:
        """Raises SinkError."""
        try:
            push(
                sys.stdout.fileno() if fd is None else fd, text.encode("utf-8", "backslashreplace")
            )
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SinkError(f"can't write to standard output: {error.strerror}") from None

    def size(self) -> tuple[int, int]:
        """Columns and rows; a terminal that does not say has 80 and 24."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns = rows = 0
        return columns or 80, rows or 24

    @contextmanager
    def keys_held(self) -> Iterator[None]:
        """Outside of a prompt what is typed is kept for the next one, and not shown.

        Ctrl-C stays what it is.
        """
        if not self.edits or sys.platform == "win32":
            yield
            return
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        held = [*before]
        held[0] &= ~termios.ICRNL
        held[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(fd, termios.TCSANOW, held)
        try:
            yield
        finally:
            with suppress(termios.error, SinkError, OSError):
                termios.tcsetattr(fd, termios.TCSANOW, before)
                self.write("\x1b[?2004l")

    def __repr__(self) -> str:
        return f"<Stage, drawn={self.drawn}>"


class Written:
    """Plain text, harmless on a terminal, as it is elsewhere."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._spoken = Spoken(sys.stdout, lambda: stage.say(VOID))

    def hear(self, text: str | None) -> None:
        self._spoken.hear(text)

    def status(self, text: str) -> None:
        self._spoken.end_line()
        self._stage.say(f"({text})")

    def end(self, answer: str | None, *, good: bool) -> None:
        if answer is not None:
            self._spoken.finish(answer, good=good)
        self._spoken.end_line()

    def __repr__(self) -> str:
        return f"<Written {self._spoken!r}>"


class Drawn:
    """Markdown, drawn while it comes."""

    def __init__(self, stage: Stage) -> None:
        from .painter import Painter  # rich: only where something is drawn

        self._stage = stage
        self._painter: Painter = Painter(stage.write, stage.size)
        self._said = False
        stage.write("\n")
        self._painter.status("...")

    def hear(self, text: str | None) -> None:
        self._painter.hear(text)
        if text is None:
            self._stage.say(VOID)
        self._said = self._said or bool(text)

    def status(self, text: str) -> None:
        self._painter.status(text)

    def end(self, answer: str | None, *, good: bool) -> None:
        if answer and good and not self._said:
            self._painter.hear(answer)
        self._painter.finish()

    def __repr__(self) -> str:
        return f"<Drawn {self._painter!r}>"
