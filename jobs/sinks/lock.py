"""One writer: the lock on the output file itself, so that nothing is left behind."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from ..errors import OutputLocked, SinkError
from .holder import holder
from .problems import unopened

if sys.platform != "win32":
    import fcntl

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def open_locked(path: Path) -> int:
    """A descriptor of the file, created where there is none; its lock is ours until it is closed.

    Raises OutputLocked where another run holds it, SinkError where it can't be opened.
    """
    while True:
        try:
            fd = os.open(path, FLAGS, 0o666)
        except OSError as error:
            raise unopened(error, path) from error
        try:
            lock(fd, path)
            # The last holder may have put a new file in this one's place before it let go.
            if _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def lock(fd: int, path: Path) -> None:
    """Take the lock, or raise OutputLocked at once."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = holder(fd, path)
        who = "another run" if found is None else f"another run ({found})"
        raise OutputLocked(
            f"{path}: {who} is writing it: wait for its end, or name another output (-o)"
        ) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise unopened(error, path) from error
        raise SinkError(
            f"{path}: its file system can't lock files, so that two runs could mix their lines: "
            "name an output on another one (-o)"
        ) from error


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
