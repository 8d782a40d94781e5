"""llama.cpp in a child process: an OpenAI-compatible server on loopback, with a random key."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Self

from ..errors import ConfigError
from .weights import CONTEXT, NO_EXTRA

PARALLEL = 4
"""Answers that are written at the same time, where nobody says otherwise."""

_MOST_THREADS = 8
_LOG_ENDS = 2
_LOG_BYTES = 65536
_LAST_WORDS = 5.0
_CHILD = Path(__file__).with_name("child.py")


class EmbeddedServer:
    """A started child; :meth:`start` makes one, :meth:`aclose` ends it.

    The child leaves when its standard input ends, which the kernel sees to when this process is
    killed. It has a session of its own, so that Ctrl-C in a terminal does not reach it.
    """

    __slots__ = ("_process", "base_url", "key")

    headers: Mapping[str, str] = {"Connection": "close"}
    """To be sent with every request: the server hangs up after each streamed answer, although it
    promises not to, and a client that believes it meets a closed connection now and then."""

    def __init__(self, process: asyncio.subprocess.Process, base_url: str, key: str) -> None:
        self._process = process
        self.base_url = base_url
        self.key = key

    @classmethod
    async def start(
        cls,
        model: Path,
        *,
        parallel: int = PARALLEL,
        alias: str | None = None,
        context: int = CONTEXT,
        threads: int | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Load ``model`` and return when it answers.

        ``alias`` is the model's name in answers, by default the file's; ``context`` is in tokens a
        request, ``timeout`` in seconds (default: a minute, and more for large files). Raises
        :class:`ConfigError` with the last words of the child's log.
        """
        if find_spec("xllamacpp") is None:
            raise ConfigError(NO_EXTRA)
        key = secrets.token_urlsafe(32)
        order = {
            "parent": os.getpid(),
            "model": str(model),
            "alias": alias or model.stem,
            "key": key,
            "parallel": parallel,
            "context": context,
            "threads": threads or default_threads(),
        }
        with tempfile.TemporaryFile() as log:
            process = await _spawn(log)
            patience = timeout or _patience(model)
            try:
                async with asyncio.timeout(patience):
                    reply = await _ask(process, order)
            except BaseException as error:
                await _end(process)
                if isinstance(error, TimeoutError):
                    reason = f"{model}: the model was not loaded within {patience:.0f} s"
                    raise ConfigError(reason) from None
                raise
            if "address" in reply:
                return cls(process, f"{reply['address']}/v1", key)
            await _wait(process, _LAST_WORDS)
            code = await _end(process)
            raise ConfigError(_obituary(model, reply.get("error"), code, log))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; a negative number is the signal that ended it."""
        return self._process.returncode

    async def aclose(self, grace: float = 5.0) -> None:
        """Ask the child to leave; end it by force after ``grace`` seconds. Safe to call twice."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
            await _wait(self._process, grace)
        finally:
            await _end(self._process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"EmbeddedServer({self.base_url!r}, pid={self.pid}, returncode={self.returncode})"


def default_threads() -> int:
    """One core fewer than there are, for this program and its neighbours; eight at most.

    llama.cpp's threads wait for each other many times a token. Measured on two cores with one of
    them busy: two threads write 4 to 18 tokens/s, one thread writes 60.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(_MOST_THREADS, (cores or 1) - 1))


def _patience(model: Path) -> float:
    """Seconds to wait for the model: a minute, and what a slow disk (50 MB/s) takes to read it."""
    try:
        return 60.0 + model.stat().st_size / 50e6
    except OSError:
        return 60.0


async def _spawn(log: IO[bytes]) -> asyncio.subprocess.Process:
    # Threads that sleep at a barrier leave the core to the one they wait for; a core dump or a
    # debugger's backtrace helps nobody here.
    environ = {"OMP_WAIT_POLICY": "passive", **os.environ, "GGML_NO_BACKTRACE": "1"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(_CHILD)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        env=environ,
        start_new_session=True,
    )


async def _ask(process: asyncio.subprocess.Process, order: Mapping[str, Any]) -> dict[str, Any]:
    """Hand over the order and wait for the child's one line; empty when it died without one."""
    assert process.stdin is not None  # noqa: S101 -- both are pipes, see _spawn
    assert process.stdout is not None  # noqa: S101
    with suppress(ConnectionError):
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    reply: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
    return reply


async def _wait(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Return when the child has ended, or after so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()


async def _end(process: asyncio.subprocess.Process) -> int:
    """End the child by force where it has not ended; returns its exit code."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()  # to the end of its output, so that no pipe stays open
    return await process.wait()


def _obituary(model: Path, error: str | None, code: int | None, log: IO[bytes]) -> str:
    said = _last_words(log)
    if error is None:
        error = f"its process ended with code {code}"
    elif said and "check the input params" in error:
        error = "llama.cpp refused it"
    text = f"{model}: the model could not be started: {error}"
    if "libgomp" in error:
        text += " (the package is called libgomp1 or libgomp)"
    return "\n".join([text, *said])


def _last_words(log: IO[bytes]) -> list[str]:
    """What the log says of the cause: its first and last lines, without times and repetitions."""
    log.seek(0)
    lines = log.read(_LOG_BYTES).decode(errors="replace").splitlines()
    plain = (re.sub(r"^[\d.]+ [A-Z] ", "", line) for line in lines)
    clean = ("".join(c for c in line if c.isprintable()).strip() for line in plain)
    said = list(dict.fromkeys(filter(None, clean)))
    return said if len(said) <= 2 * _LOG_ENDS else [*said[:_LOG_ENDS], *said[-_LOG_ENDS:]]
