"""One worker process, from its start to its end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from typing import IO

from .channel import Channel
from .messages import FromWorker, Setup, read_from_worker

MODULE = "llmbatch.jobs.worker"

LAST_WORDS = 300
"""Characters of what a process said before it died."""


class Hand:
    """A worker and the line to it. ``number`` counts from 1; a successor has the same one."""

    __slots__ = ("_log", "_process", "channel", "number")

    def __init__(
        self,
        number: int,
        channel: Channel[FromWorker],
        process: asyncio.subprocess.Process,
        log: IO[bytes],
    ) -> None:
        self.number = number
        self.channel = channel
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, number: int, setup: bytes) -> Hand:
        """Start a process and tell it what it is made of. Raises OSError where that fails."""
        ours, theirs = socket.socketpair()
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in aclose
        try:
            with theirs:
                # A session of its own: a terminal's Ctrl-C is the job's to deal with. `-P`: no
                # file in the working directory is taken for a module.
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", MODULE),
                    stdin=theirs.fileno(),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            channel = await Channel.over(ours, read_from_worker)
        except BaseException:
            ours.close()
            log.close()
            raise
        channel.send(Setup(setup))
        return cls(number, channel, process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it at once; who listens to it finds it gone."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def aclose(self, seconds: float = 0.0) -> str:
        """Hang up, and end it where it has not ended within so many seconds; how it ended.

        Safe to call twice.
        """
        self.channel.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._process.wait()
        finally:
            self.kill()
        code = await self._process.wait()
        return self._obituary(code)

    def _obituary(self, code: int) -> str:
        if code < 0:
            with suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
            return f"was ended by signal {-code}"
        return f"ended with code {code}{self._last_words()}"

    def _last_words(self) -> str:
        """The last line that it printed: Python's, where it was not its own to tell."""
        if self._log.closed:
            return ""
        self._log.seek(0, 2)
        self._log.seek(max(0, self._log.tell() - 4096))
        lines = self._log.read().decode(errors="replace").split("\n")
        self._log.close()
        said = [line.strip() for line in lines if line.strip()]
        if not said:
            return ""
        clean = "".join(char for char in said[-1] if char.isprintable())
        return f" ({clean[:LAST_WORDS]})"

    def __repr__(self) -> str:
        return f"<Hand {self.number}, pid {self.pid}>"
