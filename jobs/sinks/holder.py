"""Who holds a locked output, as far as the system tells for sure."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from ..manifest.manifest import Manifest, read_manifest

PROC = Path("/proc")


class Holder(Struct, frozen=True):
    """A process, and since when its run lasts; None where that is not known."""

    pid: int
    since: datetime | None = None

    def __str__(self) -> str:
        if self.since is None:
            return f"process {self.pid}"
        return f"process {self.pid}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


def holder(fd: int, path: Path) -> Holder | None:
    """The process whose lock is on the file, where /proc tells it. ``path`` is the file's.

    Its manifest says when the run began, else the process does. A manifest alone proves nothing:
    it may be that of a run which was killed, and its number another process's by now.
    """
    manifest = read_manifest(path)
    pid = _locker(fd)
    if pid is None:
        if manifest is None or not _has_open(manifest.pid, fd) or not _is_of_here(manifest):
            return None
        pid = manifest.pid
    if manifest is not None and manifest.pid == pid and _is_of_here(manifest):
        with suppress(ValueError):
            return Holder(pid, datetime.fromisoformat(manifest.started_at).astimezone(UTC))
    return Holder(pid, _began(pid))


def _is_of_here(manifest: Manifest) -> bool:
    """Whether a run of this host wrote it, and has not said that it ended.

    A process that began after the run is another one which has its number.
    """
    if manifest.host != socket.gethostname() or manifest.state not in ("running", "tidying"):
        return False
    began = _began(manifest.pid)
    try:
        started = datetime.fromisoformat(manifest.started_at)
    except ValueError:
        return False
    return began is not None and (began - started).total_seconds() < 1.5


def _locker(fd: int) -> int | None:
    status = os.fstat(fd)
    try:
        table = (PROC / "locks").read_text()
    except OSError:
        return None
    for row in table.splitlines():
        words = row.split()  # "1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF"
        if len(words) < 6 or words[1] != "FLOCK" or not words[4].isdigit() or words[4] == "0":
            continue
        major, _, rest = words[5].partition(":")
        minor, _, inode = rest.partition(":")
        device = os.makedev(int(major, 16), int(minor, 16))
        if inode == str(status.st_ino) and device == status.st_dev:
            return int(words[4])
    return None


def _has_open(pid: int, fd: int) -> bool:
    mine = os.fstat(fd)
    try:
        for entry in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                if os.path.samestat(mine, entry.stat()):
                    return True
    except OSError:
        pass
    return False


def _began(pid: int) -> datetime | None:
    """When the process began, to the hundredth of a second or so; see proc(5)."""
    try:
        # The name in parentheses may hold anything; field 22 is 20 words behind it.
        ticks = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
        boot = next(
            int(line.split()[1])
            for line in (PROC / "stat").read_text().splitlines()
            if line.startswith("btime ")
        )
        return datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK"), UTC)
    except (OSError, ValueError, IndexError, StopIteration):
        return None
