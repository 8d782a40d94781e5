"""A program on a pseudo-terminal, and what its screen shows.

with Terminal("llmbatch", "chat", columns=80, rows=24) as terminal:
    terminal.shows("> ")
    terminal.type("hello\r")
    assert terminal.ended() == 0
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pyte

PATIENCE = 30.0
FIGURES = re.compile(r"tokens in, [\d,]+ out")
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>()][0-9AB]?)")


class Terminal:
    """``raw`` is everything that was written to it; the screen is that as a person sees it."""

    def __init__(
        self,
        *command: str | Path,
        cwd: Path,
        env: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._master, slave = os.openpty()
        self._screen = pyte.HistoryScreen(columns, rows, history=100_000)
        self._stream = pyte.ByteStream(self._screen)
        self._new = threading.Condition(threading.RLock())
        self._raw = bytearray()
        self._open = True
        self._set_size(columns, rows)
        self._process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=dict(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        os.close(self._master)

    def _listen(self) -> None:
        with suppress(OSError):  # how it says that nobody has it open any more
            while block := os.read(self._master, 65536):
                with self._new:
                    self._raw += block
                    self._stream.feed(block)
                    self._new.notify_all()
        with self._new:
            self._open = False
            self._new.notify_all()

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        with self._new:
            self._screen.resize(rows, columns)
            self._set_size(columns, rows)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    @property
    def raw(self) -> str:
        with self._new:
            return self._raw.decode(errors="surrogateescape")

    @property
    def text(self) -> str:
        """All rows, those that have left the screen as well."""
        with self._new:
            return self._text()

    def _text(self) -> str:
        above = [
            "".join(row[column].data for column in range(self._screen.columns))
            for row in self._screen.history.top
        ]
        return "\n".join(row.rstrip() for row in [*above, *self._screen.display]).rstrip()

    def until(self, seen: Callable[[], bool], what: str) -> None:
        with self._new:
            there = self._new.wait_for(lambda: seen() or not self._open, PATIENCE)
            assert there, f"{what} within {PATIENCE} s:\n{self._text()}"
            assert seen(), f"it ended without {what}:\n{self._text()}"

    def shows(self, text: str, times: int = 1) -> None:
        """Wait until it is to be seen, so many times."""
        self.until(lambda: self._text().count(text) >= times, f"{times} x {text!r}")

    def says(self, text: str, times: int = 1) -> None:
        """Wait until it was written, so many times, wherever the screen has it now."""
        self.until(lambda: self._raw.count(text.encode()) >= times, f"{times} x {text!r}")

    def mark(self) -> int:
        """How much was written so far."""
        with self._new:
            return len(self._raw)

    def since(self, mark: int) -> str:
        """What was written since, without its escape sequences."""
        with self._new:
            return ESCAPES.sub("", self._raw[mark:].decode(errors="replace"))

    def answers(self, question: str) -> str:
        """Type the question, wait for the figures of its answer; what was written meanwhile."""
        mark = self.mark()
        self.type(f"{question}\r")
        self.until(lambda: FIGURES.search(self.since(mark)) is not None, "an answer's figures")
        return self.since(mark)

    def answers_or(self, question: str, said: str) -> None:
        """Type the question, and wait until that is said."""
        mark = self.mark()
        self.type(f"{question}\r")
        self.until(lambda: said in self.since(mark), repr(said))

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown by the terminal itself."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def ended(self) -> int:
        return self._process.wait(PATIENCE)
