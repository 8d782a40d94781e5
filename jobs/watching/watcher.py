"""One who looks at a job: is sent what he has room for, and never waited for."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

LIST, FOLLOW = b"list\n", b"follow\n"
"""What may be asked for: one short line about the job, or everything until its end."""

IDLE = 0.1
"""Seconds for which one who does not read is waited for at the end of the job."""


class Watcher:
    """A connection. ``asked`` is told what it asks for, ``left`` that it is gone.

    ``age`` is in seconds, as its owner counts them. ``seen`` are the answers of which it was told
    something: how far, by row and attempt. Who says anything but one request is sent away.
    """

    __slots__ = (
        "_asked", "_heard", "_left", "_loop", "_rest", "_socket", "_writing", "age", "ends",
        "follows", "owed", "seen",
    )  # fmt: skip

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        asked: Callable[[Watcher], None],
        left: Callable[[Watcher], None],
    ) -> None:
        self._socket: socket.socket | None = connection
        self._loop = loop
        self._asked = asked
        self._left = left
        self._heard = b""
        self._rest = memoryview(b"")
        self._writing = False
        self.age = 0
        self.follows = False
        self.ends = False
        self.seen: dict[str, tuple[int, int]] = {}
        self.owed: list[bytes] = []
        loop.add_reader(connection, self._read)

    @property
    def busy(self) -> bool:
        """Whether something that it was sent is not with it yet: it is skipped for as long."""
        return len(self._rest) > 0

    def send(self, lines: Sequence[bytes]) -> None:
        """Hand over whole lines to one who is not ``busy``."""
        if self._socket is None or not lines:
            return
        self._rest = memoryview(b"".join(lines))
        self._write()

    def say(self, lines: Sequence[bytes]) -> None:
        """The same, and it leaves when it has them."""
        self.ends = True
        self.send(lines)

    def _write(self) -> None:
        if self._socket is None:
            return
        try:
            self._rest = self._rest[self._socket.send(self._rest) :]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.close()
            return
        if self._rest and not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket, self._write)
        elif not self._rest:
            if self._writing:
                self._writing = False
                self._loop.remove_writer(self._socket)
            if self.ends:
                self.close()

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(64)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data and self.follows:  # it may listen still; if not, the next word tells
            self._loop.remove_reader(self._socket)
            return
        self._heard += data
        if not data or len(self._heard) > len(FOLLOW):
            self.close()
        elif self._heard in (LIST, FOLLOW) and not (self.follows or self.ends):
            self.follows = self._heard == FOLLOW
            self._asked(self)
        elif not (LIST.startswith(self._heard) or FOLLOW.startswith(self._heard)):
            self.close()

    def part(self, lines: Sequence[bytes], until: float) -> None:
        """The last lines, outside of the loop, for which there is time until then (monotonic)."""
        connection = self._socket
        if connection is None:
            return
        self.forget()
        rest = memoryview(b"".join([self._rest, *lines]))
        with suppress(OSError):
            while rest:
                try:
                    rest = rest[connection.send(rest) :]
                except (BlockingIOError, InterruptedError):
                    room = select.poll()
                    room.register(connection, select.POLLOUT)
                    patience = min(IDLE, until - time.monotonic())
                    if patience <= 0 or not room.poll(patience * 1000):
                        break
        self._socket = None
        connection.close()

    def forget(self) -> None:
        """Let the loop know nothing of it any more."""
        if self._socket is None or self._loop.is_closed():
            return
        with suppress(OSError, ValueError, RuntimeError):
            self._loop.remove_reader(self._socket)
            if self._writing:
                self._loop.remove_writer(self._socket)

    def close(self) -> None:
        """Safe to call twice."""
        if self._socket is None:
            return
        self.forget()
        self._socket.close()
        self._socket = None
        self._rest = memoryview(b"")
        self._left(self)

    def __repr__(self) -> str:
        return f"<Watcher, {len(self._rest)} bytes behind, {len(self.seen)} answers>"
