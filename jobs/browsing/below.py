"""Files below one folder, and no others: no way up, no link, nothing hidden, nothing special."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class NotThere(LookupError):
    """No such file below the folder, or none that may be read; the text says which."""


def open_below(root: Path, file: str) -> int:
    """The descriptor of a regular file at that path below ``root``; its owner closes it.

    Each part of the path is opened from the one before it, so that nobody can put a link in
    between. Raises :class:`NotThere`.
    """
    *folders, name = parts = file.split("/")
    if not all(map(_plain, parts)):
        raise NotThere(f"there is no file {file!r} here")
    try:
        here = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
        try:
            for folder in folders:
                inner = os.open(folder, _FOLDER, dir_fd=here)
                os.close(here)
                here = inner
            fd = os.open(name, _FILE, dir_fd=here)
        finally:
            with suppress(OSError):
                os.close(here)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise NotThere(f"can't open {file!r}: {why}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotThere(f"{file!r} is no regular file")
    return fd


def read_below(root: Path, file: str, most: int) -> bytes:
    """The first ``most`` bytes of that file. Raises :class:`NotThere`."""
    fd = open_below(root, file)
    with open(fd, "rb", buffering=0) as stream:
        try:
            return _all_of(stream.fileno(), most)
        except OSError as error:
            raise NotThere(f"can't read {file!r}: {error.strerror}") from None


def _all_of(fd: int, most: int) -> bytes:
    pieces = []
    while most and (piece := os.read(fd, min(most, 1 << 20))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _plain(part: str) -> bool:
    return bool(part) and not part.startswith(".") and "\0" not in part
