"""What the operating system's refusals mean for an output, and what to do about them."""

from __future__ import annotations

import errno
from pathlib import Path

from ..errors import SinkError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def unopened(error: OSError, path: Path) -> SinkError:
    """Why the output could not be opened."""
    return SinkError(f"{path}: {_why_unopened(error, path)}")


def unwritten(error: OSError, name: str, *, resumable: bool = True) -> SinkError:
    """Why a write failed, in a job that had begun."""
    again = " (what is written is safe, and the same command goes on from there)"
    if not resumable:
        again = " (an output file, -o FILE, can be resumed)"
    if error.errno in _FULL:
        return SinkError(f"{name}: {_reason(error)}: free some space and run again{again}")
    return SinkError(f"{name}: can't be written: {_reason(error)}{again}")


def untidied(error: OSError, path: Path) -> SinkError:
    """Why the new file could not take the old one's place."""
    return SinkError(
        f"{path}: every result is safe, but the file could not be written anew to leave out "
        f"lines that are superseded or torn: {_reason(error)}; {_cure(error, path)} "
        "and run the same command again"
    )


def meddled(path: Path, what: str) -> SinkError:
    """Another program did something to the file that no results survive."""
    return SinkError(f"{path}: another program {what} while this run wrote it")


def rescued(path: Path, place: Path) -> str:
    """What became of the results of a file that was taken away."""
    if place == path:
        return "it is put back, and the same command goes on from there"
    return f"the results that this run wrote are in {place}; see which of the two you want to keep"


def _why_unopened(error: OSError, path: Path) -> str:
    code = error.errno
    if code == errno.EISDIR:
        return f"is a folder: name a file in it, such as {path / 'results.jsonl'}"
    if code == errno.ENOENT:
        return f"the folder {path.parent} does not exist: create it, or name another output (-o)"
    if code == errno.ENOTDIR:
        return "a part of the path is a file, not a folder: name another output (-o)"
    if code in (errno.EACCES, errno.EPERM):
        return "no permission to read and write it: change that, or name another output (-o)"
    if code == errno.EROFS:
        return "the file system is read-only: name an output on another one (-o)"
    if code in _FULL:
        return f"{_reason(error)}: free some space, or name another output (-o)"
    return f"can't be opened: {_reason(error)}"


def _cure(error: OSError, path: Path) -> str:
    if error.errno in _FULL:
        return "free some space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"allow files to be created in {path.parent}"
    return "put that right"


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if error.errno == errno.EDQUOT:
        return "the disk quota is used up"
    if error.errno == errno.EFBIG:
        return "the file has reached the largest size allowed"
    return error.strerror or str(error)
