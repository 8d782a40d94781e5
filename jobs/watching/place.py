"""Where the sockets of running jobs are: a folder that its owner alone can enter.

Who publishes takes the first folder that will do; who looks for jobs looks into all of them, as a
job of cron knows no runtime folder, and the user's session does.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

SUFFIX = ".sock"
UNREADY = ".new"
"""Behind the name of a socket on which nobody listens yet."""

LONGEST = 100
"""Bytes of a socket's path; Linux takes 108 and macOS 104, the zero byte at its end included."""

SHARED = Path("/tmp")  # noqa: S108 - what is made there is checked
"""The same for every process of a host, whatever its TMPDIR."""

_NAME = re.compile(r"([0-9a-f]{8,16})-([0-9a-f]{1,8})\.sock(\.new)?")


class Unsafe(OSError):
    """A folder that another user could look into, or has made."""


def can_publish() -> bool:
    """Whether this system has what it takes."""
    return hasattr(socket, "AF_UNIX") and hasattr(os, "geteuid")


def job_name(started_ns: int, pid: int) -> str:
    """What a job is called: no two of a host are called the same."""
    return f"{started_ns:x}-{pid:x}"


def pid_of(name: str) -> int | None:
    """The process of a job or socket of that name; None where it is no such name."""
    found = _NAME.fullmatch(name if SUFFIX in name else name + SUFFIX)
    return None if found is None else int(found[2], 16)


def folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where jobs of this user may be, the best first.

    That is ``llmbatch`` in ``XDG_RUNTIME_DIR`` where it is absolute and the user's own (XDG Base
    Directory Specification 0.8), in systemd's place for it, else a folder beside the temporary
    ones.
    """
    uid = os.geteuid()
    named = (Path(environ.get("XDG_RUNTIME_DIR", "")), Path(f"/run/user/{uid}"))
    for parent in dict.fromkeys(named):
        with suppress(OSError, ValueError):
            if parent.is_absolute() and parent.stat().st_uid == uid:
                yield parent / "llmbatch"
    yield SHARED / f"llmbatch-{uid}"


class Runtime:
    """Such a folder while it is open: whatever is done to its name, it stays the one we checked."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def open(cls, path: Path, *, make: bool = False) -> Self:
        """Raises OSError where it is not there, :class:`Unsafe` where it is not for us alone."""
        if make:
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(fd)
            if found.st_uid != os.geteuid():
                raise Unsafe(f"{path}: is another user's")
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise Unsafe(f"{path}: other users may enter it")
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd)

    def names(self) -> list[str]:
        """Of all sockets that are jobs', the oldest first."""
        return sorted(name for name in os.listdir(self._fd) if _NAME.fullmatch(name))  # noqa: PTH208 - by its descriptor

    def address(self, name: str) -> str:
        """By which the system finds the socket; raises OSError where no path is short enough."""
        address = str(self.path / name)
        if len(os.fsencode(address)) > LONGEST:
            address = f"/proc/self/fd/{self._fd}/{name}"
            if not os.path.exists(os.path.dirname(address)):  # noqa: PTH110, PTH120
                raise OSError(f"{self.path}: is too long for a socket")
        return address

    def rename(self, name: str, new: str) -> None:
        os.rename(name, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def chmod(self, name: str, mode: int) -> None:
        os.chmod(name, mode, dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Safe where it is gone already."""
        with suppress(OSError):
            os.unlink(name, dir_fd=self._fd)

    def sweep(self) -> None:
        """Remove the sockets of jobs that were killed: nobody listens on them."""
        for name in self.names():
            pid = pid_of(name)
            if pid is not None and not _alive(pid) and self._deaf(name):
                self.remove(name)

    def _deaf(self, name: str) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self.address(name))
            except ConnectionRefusedError:
                return True
        return False

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Runtime {self.path}>"


def open_to_publish(environ: Mapping[str, str]) -> Runtime | None:
    """The first folder that will do, made where it is not there; None where there is none."""
    if not can_publish():
        return None
    for path in folders(environ):
        with suppress(OSError):
            return Runtime.open(path, make=True)
    return None


def open_all(environ: Mapping[str, str]) -> list[Runtime]:
    """Every folder that may hold sockets of jobs, and is safe; to be closed."""
    found = []
    for path in folders(environ) if can_publish() else ():
        with suppress(OSError):
            found.append(Runtime.open(path))
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
