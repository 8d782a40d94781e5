"""Results into standard output, or another file that is no regular one."""

from __future__ import annotations

import asyncio
import os
import select
import stat
from collections.abc import Callable
from typing import NoReturn

from ..errors import SinkError
from ..model import Result, Row, Status, Tidied
from ..records import terminal_safe
from .problems import unwritten

PATIENCE = 100
"""Milliseconds after which the waiting thread looks whether it is still needed."""


class StreamSink:
    """One line a result to a descriptor whose reader may be slow, or gone. Nothing to resume.

    The descriptor stays blocking, since other programs may share it: it is asked whether it takes
    a piece, and where it does not, a thread waits in the event loop's place.
    """

    __slots__ = ("_encode", "_fd", "_gone", "_lock", "_name", "_owned", "_piece", "_poll", "_rest")

    def __init__(
        self, fd: int, name: str, encode: Callable[[Result], bytes], *, owned: bool = False
    ) -> None:
        """With ``owned`` the descriptor is closed in the end."""
        mode = os.fstat(fd).st_mode
        self._fd = fd
        self._name = name
        self._owned = owned
        self._encode = _for_terminal(encode) if os.isatty(fd) else encode
        # What a pipe that has room takes without blocking; a regular file takes anything.
        self._piece = (1 << 30) if stat.S_ISREG(mode) else select.PIPE_BUF
        self._rest = bytearray()
        self._lock = asyncio.Lock()
        self._gone = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    async def expect(self, row: Row) -> Status | None:  # noqa: ARG002 - nothing is known of any row
        """Every row is to run."""
        return None

    async def write(self, result: Result) -> None:
        """Returns when the line is with the operating system. Raises SinkError."""
        # A write that is cancelled leaves what remains of its line to the next one.
        self._rest += self._encode(result)
        async with self._lock:
            await self._drain()

    async def finish(self) -> Tidied:
        """Nothing is left to do when the job is done."""
        return Tidied()

    async def aclose(self) -> None:
        """Write what is left and release. Safe to call twice."""
        try:
            async with self._lock:
                if not self._gone:
                    await self._drain()
        finally:
            self._gone = True
            if self._owned:
                self._owned = False
                os.close(self._fd)

    async def _drain(self) -> None:
        if not self._push(0):
            waiting = asyncio.get_running_loop().run_in_executor(None, self._push_patiently)
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                self._gone = True
                await asyncio.wait([waiting])
                if waiting.exception() is None:
                    self._gone = False
                raise

    def _push_patiently(self) -> None:
        while not self._gone and not self._push(PATIENCE):
            pass

    def _push(self, patience: int) -> bool:
        """Write until nothing is left (True) or the reader has no room for so many milliseconds."""
        rest = self._rest
        try:
            while rest:
                if not self._poll.poll(patience):
                    return False
                del rest[: os.write(self._fd, rest[: self._piece])]
        except BlockingIOError:  # another program made it non-blocking, and was faster
            return False
        except OSError as error:
            self._fail(error)
        return True

    def _fail(self, error: OSError) -> NoReturn:
        self._gone = True
        if isinstance(error, BrokenPipeError):
            raise SinkError(
                f"{self._name} was closed by its reader: the rows after that have no place to go "
                "(an output file, -o FILE, can be resumed)"
            ) from error
        raise unwritten(error, self._name, resumable=False) from error

    def __repr__(self) -> str:
        return f"<StreamSink {self._name}>"


def _for_terminal(encode: Callable[[Result], bytes]) -> Callable[[Result], bytes]:
    return lambda result: terminal_safe(encode(result))
