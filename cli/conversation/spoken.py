"""An answer on standard output, while it comes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from llmbatch.jobs.answer import whole
from llmbatch.jobs.errors import SinkError

from ..outflow import is_terminal, push, utf8
from ..terminal import printable_text


class Spoken:
    """Plain text, at once: as it is to a pipe or a file, harmless to a terminal.

    What is written can't be taken back. Where an attempt breaks off, the next one is held back as
    long as it only repeats what stands there; where it says something else it begins on a line of
    its own, ``void`` is called, and :attr:`voided` is set.
    """

    def __init__(self, stream: TextIO, void: Callable[[], None]) -> None:
        self.terminal = is_terminal(stream)
        self.voided = False
        self._stream = stream
        self._void = void
        self._said: list[str] = []
        self._old: str | None = None  # what stands there of an attempt that broke off
        self._repeated = 0  # characters of it that came once again
        self._half = ""  # of a character, whose other half comes with the next piece
        self._mid_line = False

    def hear(self, text: str | None) -> None:
        """The next piece; None where an attempt begins anew. Raises :class:`SinkError`."""
        if text is None:
            self._old = "".join(self._said) or None
            self._repeated, self._half = 0, ""
        elif self._old is None:
            self._say(text)
        else:
            self._again(self._old, text)

    def finish(self, answer: str, *, good: bool) -> None:
        """That is all of it: write what was not told piece by piece."""
        said = whole("".join(self._said))
        if answer.startswith(said):
            self._say(answer[len(said) :])
        elif good:
            self._anew(answer)
        if self._half:
            self._push(self._half)
        if self.terminal:
            self.end_line()

    def end_line(self) -> None:
        """Let something else be written below."""
        if self._mid_line:
            with suppress(SinkError, OSError):
                self._write("\n")

    def _again(self, old: str, text: str) -> None:
        at = self._repeated
        common = old[at : at + len(text)]
        self._repeated += len(common)
        if text.startswith(common):
            if self._repeated < len(old):
                return
            self._old = None
            self._say(text[len(common) :])
        else:
            self._old = None
            self._anew(old[:at] + text)

    def _anew(self, text: str) -> None:
        if self._said:
            self.end_line()
            self.voided, self._said = True, []
            self._void()
        self._say(text)

    def _say(self, text: str) -> None:
        if text:
            self._said.append(text)
            self._write(text)

    def _write(self, text: str) -> None:
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        self._push(text.removesuffix(self._half))

    def _push(self, text: str) -> None:
        data = utf8(text)
        if self.terminal:
            shown = printable_text(data.decode().replace("\r\n", "\n"))
            data = shown.encode(self._stream.encoding, "backslashreplace")
        try:
            push(self._stream.fileno(), data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SinkError(f"can't write to standard output: {error.strerror}") from None
        self._mid_line = bool(text) and not text.endswith("\n")

    def __repr__(self) -> str:
        return f"<Spoken to {self._stream.name}>"
