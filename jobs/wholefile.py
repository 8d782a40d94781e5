"""A file that is written whole or not at all: a draft beside it, then a rename."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


def write_whole(path: Path, pieces: Iterable[bytes], mode: int | None = None) -> None:
    """Write the pieces to ``path``, synced; what stood there stands until all of them are written.

    ``mode`` is that of a file which was not there, and of its draft; None leaves it to the umask. A
    link stays one; a pipe or a device is written to, as nothing can take its place. Raises OSError,
    and whatever making the pieces raises.
    """
    if is_special(path):
        with path.open("ab") as file:
            file.writelines(pieces)
        return
    target = Path(os.path.realpath(path))
    draft, fd = _open_draft(target, 0o666 if mode is None else mode)
    try:
        with open(fd, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            with suppress(OSError):
                draft.chmod(_mode_of(target, mode))
            draft.replace(target)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _mode_of(target: Path, mode: int | None) -> int:
    """The mode that a file has, or else the one that it is to have. Raises OSError for neither."""
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        if mode is None:
            raise
        return mode


def _open_draft(target: Path, mode: int) -> tuple[Path, int]:
    """A draft of its own, and its descriptor; that of a writer who was killed is used up.

    It is locked while it is written to: where another process writes the same file, or nothing can
    be locked, there is one with the process's number in its name.
    """
    draft = target.with_name(f".{target.name}.llmbatch-tmp")
    with suppress(OSError):
        fd = os.open(draft, _FLAGS, mode)
        if _is_mine(fd, draft):
            os.truncate(fd, 0)
            return draft, fd
        os.close(fd)
    draft = _draft_of(target)
    return draft, os.open(draft, _FLAGS | os.O_TRUNC, mode)


def _draft_of(target: Path) -> Path:
    """The longest name that is needed."""
    return target.with_name(f".{target.name}.{os.getpid()}.llmbatch-tmp") if target.name else target


def _is_mine(fd: int, draft: Path) -> bool:
    """Whether nobody else has it, and nobody has put it into its place since it was opened."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(fd), draft.stat())
    except OSError:
        return False


def is_special(path: Path) -> bool:
    """Whether it is to be written to, not to be replaced: a pipe, /dev/null, /dev/stderr."""
    try:
        return path.is_relative_to("/dev") or not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # it is not there yet
        return False


def drop_ours(path: str, begin: bytes) -> None:
    """Take away what an earlier run wrote, as its ``begin`` tells: nobody is to take it for new.

    Whatever else is there stays.
    """
    place = Path(os.path.realpath(path))
    with suppress(OSError):
        if not is_special(place):
            with place.open("rb") as file:
                ours = file.read(len(begin)) == begin
            if ours:
                place.unlink()


def check_writable(path: str, flag: str) -> str | None:
    """Why a file could not be written whole to ``path``, in words that name ``flag``."""
    target = Path(path)
    try:
        _draft_of(target).lstat()
    except FileNotFoundError:
        pass
    except OSError as error:  # a name too long, a file for a folder, no permission on the way
        return f"{flag} {path}: {error.strerror}: name another file"
    if target.is_dir():
        return f"{flag} {path}: is a folder; name a file"
    if path.endswith("/"):
        return f"{flag} {path}: names a folder; name a file in it"
    if is_special(target):
        return None
    if not target.parent.is_dir():
        return f"{flag} {path}: the folder {target.parent} does not exist"
    if not os.access(target.parent, os.W_OK):
        return f"{flag} {path}: no permission to write into {target.parent}"
    return None
