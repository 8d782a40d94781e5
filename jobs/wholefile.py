"""A file that is written whole or not at all: a draft beside it, then a rename."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write the pieces to ``path``, synced; what stood there stands until all of them are written.

    A link stays one; a pipe or a device is written to, as nothing can take its place. Raises
    OSError, and whatever making the pieces raises.
    """
    if is_special(path):
        with path.open("ab") as file:
            file.writelines(pieces)
        return
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):
            draft.chmod(target.stat().st_mode & 0o7777)
        draft.replace(target)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def is_special(path: Path) -> bool:
    """Whether it is to be written to, not to be replaced: a pipe, /dev/null, /dev/stderr."""
    try:
        return path.is_relative_to("/dev") or not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # it is not there yet
        return False


def check_writable(path: str, flag: str) -> str | None:
    """Why a file could not be written whole to ``path``, in words that name ``flag``."""
    target = Path(path)
    if target.is_dir():
        return f"{flag} {path}: is a folder; name a file"
    if is_special(target):
        return None
    if not target.parent.is_dir():
        return f"{flag} {path}: the folder {target.parent} does not exist"
    if not os.access(target.parent, os.W_OK):
        return f"{flag} {path}: no permission to write into {target.parent}"
    return None
