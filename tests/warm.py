"""The command as a process that need not import anything: forked by ``warmserver.py``.

Most of what a short command costs is Python's start and its imports, and a thousand tests start
one. What they promise is what the process does after that, so it is forked from one in which all
is imported: a process of its own, with its own session, environment, folder and streams. Tests of
the start itself, and of what the system shows of a process, name the ``program``;
``NEW_INTERPRETERS=1`` has every test do so.
"""

from __future__ import annotations

import array
import asyncio
import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

POSSIBLE = sys.platform == "linux" and os.environ.get("NEW_INTERPRETERS", "0") == "0"
SERVER = Path(__file__).with_name("warmserver.py")
LARGEST = 64 * 1024
"""Bytes of a command that go in one message."""

_SELF_MADE = {"stdin", "stdout", "stderr", "umask"}
_OF_PYTHON = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}


class WarmProcess:
    """What :class:`asyncio.subprocess.Process` is, as far as tests look at it."""

    def __init__(self, pid: int, ended: asyncio.Task[int]) -> None:
        self.pid = pid
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._ended = ended
        self._open: list[asyncio.BaseTransport] = []

    def __repr__(self) -> str:
        return f"WarmProcess({self.pid}, code={self.returncode})"

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def connect(self, name: str, fd: int) -> None:
        """Our end of one of its streams."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.BaseTransport
        if name == "stdin":
            transport, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(fd, "wb", 0))
            self.stdin = asyncio.StreamWriter(transport, protocol, None, loop)
        else:
            transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb", 0))
            setattr(self, name, reader)
        self._open.append(transport)

    def close(self) -> None:
        for transport in self._open:
            transport.close()

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class _Server:
    """The process that forks, started at the first command."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._owner = 0

    def send(self, message: bytes, fds: list[int]) -> None:
        if self._control is None or self._owner != os.getpid():
            self._start()
        assert self._control is not None
        packed = array.array("i", fds)
        self._control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed)])

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._owner = os.getpid()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", SERVER, str(theirs.fileno())],
                cwd="/",
                env=kept,
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                start_new_session=True,
            )
        atexit.register(self._stop, process)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        if self._control is not None:
            self._control.close()
        process.wait()


_SERVER = _Server()


def can_start(words: list[str], env: Mapping[str, str], popen: Mapping[str, Any]) -> bool:
    """Whether a fork is the same as a new interpreter, as far as a test could tell."""
    own = {name for name in env if name.startswith(("PYTHON", "LC_", "LD_"))} <= _OF_PYTHON
    size = sum(map(len, words)) + sum(len(value) for value in env.values())
    return POSSIBLE and own and popen.keys() <= _SELF_MADE and size < LARGEST


async def start(
    words: list[str], *, cwd: Path, env: Mapping[str, str], stdin: int, **popen: Any
) -> WarmProcess:
    """Start it; the arguments are those of :func:`asyncio.create_subprocess_exec`."""
    with contextlib.ExitStack() as stack:
        streams = []
        ours: dict[str, int] = {}
        for name, given in (
            ("stdin", stdin),
            ("stdout", popen["stdout"]),
            ("stderr", popen["stderr"]),
        ):
            if given == PIPE:
                ends = os.pipe()
                theirs, ours[name] = ends if name == "stdin" else reversed(ends)
                stack.callback(os.close, theirs)
            elif given == DEVNULL:
                theirs = os.open(os.devnull, os.O_RDWR)
                stack.callback(os.close, theirs)
            else:
                theirs = given if isinstance(given, int) else given.fileno()
            streams.append(theirs)
        answer, other = socket.socketpair()
        stack.callback(other.close)
        what = {"args": words, "cwd": str(cwd), "env": env, "umask": popen.get("umask")}
        _SERVER.send(json.dumps(what).encode(), [other.fileno(), *streams])
    reader, writer = await asyncio.open_connection(sock=answer)
    pid = int(await reader.readline())
    process = WarmProcess(pid, asyncio.create_task(_end(reader, writer)))
    for name, fd in ours.items():
        await process.connect(name, fd)
    return process


async def _end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    line = await reader.readline()
    writer.close()
    assert line, "the process that forks is gone"
    return int(line)
