"""Where questions come from: a prompt with history and completion, or plain lines."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input.defaults import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from llmbatch.jobs.errors import SourceError

from .commands import COMMANDS

LONGEST_ENTRY = 100_000
"""Characters of a question that the history keeps."""

MOST = 64 * 1024 * 1024
"""Bytes of a line that is a question."""


class Reader(Protocol):
    """Gives one question or command at a time."""

    async def read(self) -> str:
        """Raises EOFError at the end, KeyboardInterrupt for Ctrl-C."""
        ...


class Prompt:
    """A line editor on a terminal: Enter sends, Alt-Enter and Ctrl-J begin a new line."""

    def __init__(
        self,
        stdin: TextIO,
        stdout: TextIO,
        history: Path | None,
        models: Callable[[], Sequence[str]],
    ) -> None:
        colours = None if not os.environ.get("NO_COLOR") else ColorDepth.DEPTH_1_BIT
        output = Vt100_Output.from_pty(stdout, default_color_depth=colours)
        output.enable_cpr = False  # what does not answer would be waited for
        self._session: PromptSession[str] = PromptSession(
            "> ",
            multiline=True,
            prompt_continuation="  ",
            history=_Kept(str(history)) if history else InMemoryHistory(),
            completer=Commands(models),
            complete_while_typing=True,
            key_bindings=_keys(),
            input=create_input(stdin),
            output=output,
            reserve_space_for_menu=6 if output.get_size().rows > 9 else 0,
        )

    async def read(self) -> str:
        return await self._session.prompt_async()

    def __repr__(self) -> str:
        return "<Prompt>"


class Lines:
    """Each line is a question: where there is no terminal, or one that can't move its cursor."""

    def __init__(self, stdin: TextIO | None, ask: Callable[[], None]) -> None:
        self._fd = -1 if stdin is None else stdin.fileno()
        self._ask = ask
        self._buffer = bytearray()
        self._end = stdin is None
        self._coming: asyncio.Future[bytes] | None = None

    async def read(self) -> str:
        """Raises SourceError for a line that never ends, too."""
        self._ask()
        end = self._buffer.find(b"\n")
        while end < 0 and not self._end:
            seen = len(self._buffer)
            if seen > MOST:
                raise SourceError(f"a line of more than {MOST:,} bytes is no question", path="-")
            if self._coming is None:
                self._coming = self._block()
            block = await asyncio.shield(self._coming)  # who is interrupted gets it the next time
            self._coming, self._end = None, not block
            self._buffer += block
            end = self._buffer.find(b"\n", seen)
        if not self._buffer:
            raise EOFError
        line = self._buffer[:end] if end >= 0 else self._buffer[:]
        del self._buffer[: len(line) + 1]
        return line.decode(errors="replace").removesuffix("\r")

    def _block(self) -> asyncio.Future[bytes]:
        """In a thread that nobody waits for at the end, as a terminal may never say anything."""
        loop = asyncio.get_running_loop()
        coming: asyncio.Future[bytes] = loop.create_future()

        def give(block: bytes) -> None:
            if not coming.done():
                coming.set_result(block)

        def take() -> None:
            try:
                block = os.read(self._fd, 65536)
            except OSError:
                block = b""
            loop.call_soon_threadsafe(give, block)

        threading.Thread(target=take, daemon=True).start()
        return coming

    def __repr__(self) -> str:
        return f"<Lines of {self._fd}>"


class Commands(Completer):
    """Completes the names of commands, of models and of files."""

    def __init__(self, models: Callable[[], Sequence[str]]) -> None:
        self._models = models
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, argument = text.partition(" ")
        if not space:
            for each, command in COMMANDS.items():
                if each.startswith(name):
                    yield Completion(each, -len(name), display_meta=command.does)
        elif name == "/model":
            for model in self._models():
                if argument in model:
                    yield Completion(model, -len(argument))
        elif name in ("/save", "/save!", "/load"):
            yield from self._paths.get_completions(Document(argument), event)


class _Kept(FileHistory):
    """A file for nobody else to read; what is very long is not kept."""

    def store_string(self, string: str) -> None:
        if len(string) <= LONGEST_ENTRY:
            super().store_string(string)


def history_file(environ: Mapping[str, str]) -> Path:
    """In the user's data folder (XDG Base Directory Specification 0.8), made where it is not there.

    Raises OSError where it can't be read and written.
    """
    data = environ.get("XDG_DATA_HOME", "")
    folder = Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share"
    path = folder / "llmbatch" / "chat-history"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)
    return path


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
