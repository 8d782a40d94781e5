"""Text on its way to a descriptor: all of it, and in UTF-8."""

from __future__ import annotations

import os
import select
from typing import TextIO


def push(fd: int, data: bytes) -> None:
    """Write all of it, also where another program made the descriptor a non-blocking one."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(fd, select.POLLOUT)
            waiting.poll()


def utf8(text: str) -> bytes:
    """Lone surrogates, which an answer's JSON may hold, stand as U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def is_terminal(stream: TextIO | None) -> bool:
    """A stream that is closed is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
