"""The real command in a real process, from an async test whose loop also runs the fault server.

    done = await command("run", "in.jsonl", "--base-url", server.url, cwd=tmp_path)
    assert done.code == 0, done

    async with running("run", "in.jsonl", ..., cwd=tmp_path) as job:
        await job.heard("failed")        # on standard error
        job.send(signal.SIGINT)
        done = await job.ended()

The process starts with a clean environment: no key, no proxy, no setting, a home in the working
folder. It leads a process group of its own, of which nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warm

SCRIPT = Path(sys.executable).with_name("llmbatch")
PROCESSES = int(os.environ.get("LLMBATCH_PROCESSES", "1"))
"""In how many processes each job that a test runs asks its rows, where it does not say so."""

PATIENCE = 60.0
"""Seconds after which a process is ended, and the test with it."""


@dataclass(frozen=True, slots=True)
class Done:
    """How the process ended; ``code`` is negative for a signal, as subprocess has it."""

    code: int
    stdout: str
    stderr: str

    @property
    def last(self) -> str:
        """The last line on standard error."""
        lines = self.stderr.splitlines()
        return lines[-1] if lines else ""


class Running:
    """A live process; what it says is collected as it comes."""

    __slots__ = ("_new", "_open", "_process", "_readers", "_said")

    def __init__(self, process: asyncio.subprocess.Process | warm.WarmProcess) -> None:
        self._process = process
        self._said = {"stdout": bytearray(), "stderr": bytearray()}
        self._new = asyncio.Condition()
        self._open = 0
        self._readers: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"Running(pid={self.pid}, code={self._process.returncode})"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> str:
        return self._said["stdout"].decode(errors="surrogateescape")

    @property
    def stderr(self) -> str:
        return self._said["stderr"].decode(errors="surrogateescape")

    @property
    def stdin(self) -> asyncio.StreamWriter:
        """For a process that was started with ``stdin=asyncio.subprocess.PIPE``."""
        assert self._process.stdin is not None
        return self._process.stdin

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    async def heard(self, text: str, *, on: str = "stderr", times: int = 1) -> None:
        """Wait until the text was said; fails when the process ends without it."""

        def there() -> bool:
            return self._said[on].count(text.encode()) >= times

        async with asyncio.timeout(PATIENCE), self._new:
            await self._new.wait_for(lambda: there() or not self._open)
        assert there(), f"it never said {text!r}; {on}: {getattr(self, on)}"

    async def ended(self, within: float = PATIENCE) -> Done:
        async with asyncio.timeout(within):
            await asyncio.gather(*self._readers)
            return Done(await self._process.wait(), self.stdout, self.stderr)

    def listen(self, name: str, stream: asyncio.StreamReader) -> None:
        self._open += 1
        self._readers.append(asyncio.create_task(self._listen(name, stream)))

    async def _listen(self, name: str, stream: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):  # how a pseudo-terminal says that it is closed
            while block := await stream.read(65536):
                self._said[name] += block
                async with self._new:
                    self._new.notify_all()
        self._open -= 1
        async with self._new:
            self._new.notify_all()

    async def reap(self) -> None:
        """Kill the group, of which only forgotten children can be left, and collect the process."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        if isinstance(self._process, warm.WarmProcess):
            self._process.close()


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the tests' own environment but what finds programs and folders.

    ``LLMBATCH_PROCESSES=2`` has every job that a test runs in several processes.
    """
    names = ("PATH", "TMPDIR", "LANG", "LLMBATCH_PROCESSES")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), **(more or {})}


@contextlib.asynccontextmanager
async def running(
    *args: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes | int | None = None,
    tty: Iterable[str] = (),
    program: Iterable[str | Path] | None = None,
    **popen: Any,
) -> AsyncIterator[Running]:
    """The live command. ``tty`` names the streams (stdout, stderr) that are a terminal.

    Without a ``program`` it is the script, forked by ``warm.py`` where that is the same. ``env``
    comes on top of the clean environment; bytes as ``stdin`` are fed and closed; ``popen`` are
    arguments of :class:`subprocess.Popen`, such as ``user`` or ``preexec_fn``. A ``stdout`` or
    ``stderr`` given there is not collected.
    """
    words = [str(part) for part in (*(program or (SCRIPT,)), *args)]
    environ = environment(cwd, env)
    fed = isinstance(stdin, bytes)
    masters: dict[str, int] = {}
    slaves: list[int] = []
    for name in tty:
        masters[name], slave = pty.openpty()
        popen[name] = slave
        slaves.append(slave)
    collected = [name for name in ("stdout", "stderr") if name not in popen]
    popen = {**dict.fromkeys(collected, asyncio.subprocess.PIPE), **popen}
    popen["stdin"] = asyncio.subprocess.PIPE if fed else stdin or asyncio.subprocess.DEVNULL
    process: asyncio.subprocess.Process | warm.WarmProcess
    try:
        if program is None and warm.can_start(words, environ, popen):
            process = await warm.start(words, cwd=cwd, env=environ, **popen)
        else:
            process = await asyncio.create_subprocess_exec(
                *words, cwd=cwd, env=environ, start_new_session=True, **popen
            )
    finally:
        for slave in slaves:
            os.close(slave)
    job = Running(process)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(job.reap)
        for name in collected:
            stream: asyncio.StreamReader | None = getattr(process, name)
            assert stream is not None
            job.listen(name, stream)
        for name, master in masters.items():
            job.listen(name, await _terminal(master, stack))
        if isinstance(stdin, bytes):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                job.stdin.write(stdin)
                await job.stdin.drain()
            job.stdin.close()
        yield job


async def _terminal(master: int, stack: contextlib.AsyncExitStack) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(master, "rb", buffering=0)
    )
    stack.callback(transport.close)
    return stream


async def command(*args: str | Path, cwd: Path, within: float = PATIENCE, **kw: Any) -> Done:
    """Run the command to its end; the arguments are those of :func:`running`."""
    async with running(*args, cwd=cwd, **kw) as job:
        return await job.ended(within)


def without_rights() -> None:
    """In the child, before it starts: even root obeys the modes of its own files."""
    prctl, drop_from_bounding_set = ctypes.CDLL(None, use_errno=True).prctl, 24
    if os.geteuid() == 0:
        for dac_override_or_read_search in (1, 2):
            if prctl(drop_from_bounding_set, dac_override_or_read_search, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "can't give up the right to ignore modes")
