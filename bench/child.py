"""Processes that are measured: started here, awaited with wait4, and ended here whatever happens.

Figures come from the kernel's accounting of the ended child (`wait4`): user and system time, and
peak resident memory, of the whole process with its start-up.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec
from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes of one ``ru_maxrss``."""


class BenchFailed(Exception):
    """A case could not be measured, or what it measured is wrong; the message is printed."""


class Ended(Struct, frozen=True):
    """A child's end: ``wall`` and ``cpu`` in seconds, ``peak_rss`` in bytes.

    ``code`` is the exit code, or minus the signal that ended it.
    """

    code: int
    wall: float
    cpu: float
    peak_rss: int
    out: bytes
    err: bytes


def run(argv: Sequence[str | Path], cwd: Path, kill_after: float) -> Ended:
    """Run to the end, or SIGKILL it after so many seconds (then ``code`` is -9)."""
    with TemporaryFile() as out, TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(
            argv, cwd=cwd, env=_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        killer = threading.Timer(kill_after, os.kill, (child.pid, signal.SIGKILL))
        killer.daemon = True
        killer.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - start
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            killer.cancel()
            if child.returncode is None:
                child.kill()
                child.wait()
        out.seek(0)
        err.seek(0)
        return Ended(
            code=child.returncode,
            wall=wall,
            cpu=used.ru_utime + used.ru_stime,
            peak_rss=used.ru_maxrss * RSS_UNIT,
            out=out.read(),
            err=err.read(),
        )


def succeed(argv: Sequence[str | Path], cwd: Path, seconds: float) -> Ended:
    """Run to the end within so many seconds; anything but exit code 0 is BenchFailed."""
    ended = run(argv, cwd, seconds)
    if ended.code == -signal.SIGKILL:
        raise BenchFailed(f"{_name(argv)} was not done after {seconds:g} s")
    if ended.code:
        raise BenchFailed(f"{_name(argv)} ended with code {ended.code}: {last_words(ended.err)}")
    return ended


class Server:
    """The counting server while it runs."""

    __slots__ = ("port",)

    def __init__(self, port: int) -> None:
        self.port = port

    def __repr__(self) -> str:
        return f"Server(port={self.port})"

    def url(self, **plan: float | str) -> str:
        """A base URL whose answers follow ``plan`` (fields of :class:`.answers.Plan`)."""
        settings = "".join(f"/{key}={value}" for key, value in plan.items())
        return f"http://127.0.0.1:{self.port}{settings}/v1"

    def requests(self) -> int:
        """Requests for an answer so far."""
        return int(self._stats("/stats")["requests"])

    def arrivals(self) -> list[float]:
        """When they arrived, in seconds of a monotonic clock."""
        return sorted(self._stats("/stats?arrivals")["arrivals"])

    def _stats(self, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return msgspec.json.decode(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def serving() -> Iterator[Server]:
    """A fresh server in its own process; it ends with the context, or when we die."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise BenchFailed("the local server did not start")
        yield Server(int(line))
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """Ours, without what would change a run: settings, keys, proxies."""
    dropped = ("LLMBATCH_", "OPENAI_", "PYTHON")
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(dropped) and not key.lower().endswith("_proxy")
    }


def _name(argv: Sequence[str | Path]) -> str:
    return "bare" if "bench.bare" in argv else Path(argv[0]).name


def last_words(err: bytes) -> str:
    """The end of a child's standard error on one line, without this machine's paths."""
    text = " / ".join(err.decode(errors="replace").strip().splitlines()[-2:])
    for path in (ROOT, Path.home()):
        text = text.replace(str(path), "...")
    return text[-300:] or "it said nothing"
