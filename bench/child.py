"""Processes that are measured: started here, awaited with wait4, and ended here whatever happens.

Figures come from the kernel's accounting of the ended child (`wait4`): user and system time, and
peak resident memory, of the whole process with its start-up.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes of one ``ru_maxrss``."""


class BenchFailed(Exception):
    """A case could not be measured, or what it measured is wrong; the message is printed."""


class Ended(Struct, frozen=True):
    """A child's end: ``wall`` and ``cpu`` in seconds, ``peak_rss`` in bytes.

    ``code`` is the exit code, or minus the signal that ended it. ``wall`` runs until it was
    awaited: of several at a time it means nothing.
    """

    code: int
    wall: float
    cpu: float
    peak_rss: int
    out: bytes
    err: bytes


def own_peak(ended: Ended) -> int:
    """The peak memory of a child, in bytes; BenchFailed where it may be that of this process.

    A child's peak counts what it was before exec, a copy of this process.
    """
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    if floor >= ended.peak_rss:
        raise BenchFailed(f"the measuring process itself took {floor / 1e6:.0f} MB")
    return ended.peak_rss


class Child:
    """A process from its start on; made by :func:`started`."""

    __slots__ = ("_began", "_process", "err", "kill_after", "name", "out")

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        name: str,
        kill_after: float,
        out: IO[bytes],
        err: IO[bytes],
    ) -> None:
        self._began = time.perf_counter()
        self._process = process
        self.name = name
        self.kill_after = kill_after
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"Child({self.name!r}, pid={self._process.pid})"

    def kill(self) -> None:
        """SIGKILL, unless it was awaited already."""
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for its end."""
        _, status, used = os.wait4(self._process.pid, 0)
        wall = time.perf_counter() - self._began
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.out.seek(0)
        self.err.seek(0)
        return Ended(
            code=self._process.returncode,
            wall=wall,
            cpu=used.ru_utime + used.ru_stime,
            peak_rss=used.ru_maxrss * RSS_UNIT,
            out=self.out.read(),
            err=self.err.read(),
        )

    def succeed(self) -> Ended:
        """Wait for its end; anything but exit code 0 is BenchFailed."""
        ended = self.end()
        if ended.code == -signal.SIGKILL:
            raise BenchFailed(f"{self.name} was not done after {self.kill_after:g} s")
        if ended.code:
            why = last_words(ended.err)
            raise BenchFailed(f"{self.name} ended with code {ended.code}: {why}")
        return ended

    def discard(self) -> None:
        """Let nothing of it stay."""
        self.kill()
        if self._process.returncode is None:
            self._process.wait()


_running: set[Child] = set()


@contextmanager
def started(
    argv: Sequence[str | Path],
    cwd: Path,
    kill_after: float,
    more: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """A process that ends with the context at the latest, and with SIGKILL after so many seconds.

    ``more`` is added to its environment.
    """
    environment = {**_environment(), **(more or {})}
    name = "bare" if "bench.bare" in argv else Path(argv[0]).name
    with TemporaryFile() as out, TemporaryFile() as err:
        process = subprocess.Popen(
            argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        child = Child(process, name, kill_after, out, err)
        killer = threading.Timer(kill_after, child.kill)
        killer.daemon = True
        killer.start()
        _running.add(child)
        try:
            yield child
        finally:
            killer.cancel()
            _running.discard(child)
            child.discard()


def end_all() -> None:
    """Whoever waits for a child gets its end at once."""
    for child in tuple(_running):
        child.kill()


def run(argv: Sequence[str | Path], cwd: Path, kill_after: float) -> Ended:
    """Run to the end, or SIGKILL it after so many seconds (then ``code`` is -9)."""
    with started(argv, cwd, kill_after) as child:
        return child.end()


def succeed(argv: Sequence[str | Path], cwd: Path, seconds: float) -> Ended:
    """Run to the end within so many seconds; anything but exit code 0 is BenchFailed."""
    with started(argv, cwd, seconds) as child:
        return child.succeed()


def _environment() -> dict[str, str]:
    """Ours, without what would change a run: settings, keys, proxies."""
    dropped = ("LLMBATCH_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "PYTHON")
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(dropped) and not key.lower().endswith("_proxy")
    }


def last_words(err: bytes) -> str:
    """The end of a child's standard error on one line, without this machine's paths."""
    text = " / ".join(err.decode(errors="replace").strip().splitlines()[-2:])
    for path in (ROOT, Path.home()):
        text = text.replace(str(path), "...")
    return text[-300:] or "it said nothing"
