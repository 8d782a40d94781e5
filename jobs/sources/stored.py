"""The bytes that an input is stored in: opened, unpacked, and the words for what goes wrong."""

from __future__ import annotations

import gzip
import select
import stat
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import SourceError

STDIN = "-"


def _zstd() -> Any:
    """The zstd module: in the standard library since Python 3.14, a backport before."""
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # new in 3.14
    except ImportError:
        from backports import zstd
    return zstd


def _open_gzip(raw: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))


def _open_zstd(raw: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, _zstd().ZstdFile(raw, mode="rb"))


COMPRESSIONS: Mapping[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": _open_gzip,
    ".zst": _open_zstd,
}


def suffixes(path: str) -> tuple[str, str]:
    """The suffix that names the format, and the one of a known compression behind it, or ''."""
    name = Path(path)
    if name.suffix in COMPRESSIONS:
        return name.with_suffix("").suffix, name.suffix
    return name.suffix, ""


def open_raw(path: str) -> BinaryIO:
    """The bytes as stored, unbuffered: a read returns what is there. Raises OSError."""
    if path == STDIN:
        # Not sys.stdin: a thread that waits in its buffer would abort the interpreter's exit.
        return cast(BinaryIO, open(0, "rb", buffering=0, closefd=False))
    return cast(BinaryIO, open(path, "rb", buffering=0))


def unpack(raw: BinaryIO, compression: str) -> BinaryIO:
    """The same stream, decompressed; reading it raises :func:`faults`."""
    opened = COMPRESSIONS.get(compression)
    return raw if opened is None else opened(raw)


def read_some(stream: BinaryIO, size: int) -> bytes:
    """At most ``size`` bytes, at least one until the end; raises :func:`faults`."""
    read = getattr(stream, "read1", stream.read)
    while (data := cast("bytes | None", read(size))) is None:
        select.select([stream], [], [])  # whoever gave us this pipe made it non-blocking
    return data


def faults(compression: str) -> tuple[type[Exception], ...]:
    """What reading such a stream may raise."""
    known = (OSError, EOFError, zlib.error)
    return (*known, _zstd().ZstdError) if compression == ".zst" else known


def explain(error: Exception, compression: str) -> str:
    """One of the :func:`faults` in words that say what to do."""
    if isinstance(error, EOFError):
        return f"the {compression} data ends too early: the file was cut short"
    if isinstance(error, OSError) and error.errno is not None:
        return f"can't be read: {error.strerror}"
    return f"the {compression} data is damaged ({error}): make the file again"


def is_regular(path: str) -> bool:
    """Whether it is a file that can be read twice; False for a pipe or a device.

    Raises SourceError where it is missing or may not be read, and IsADirectoryError for a folder.
    """
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(path)
        if not stat.S_ISREG(mode):
            return False
        with open(path, "rb"):
            return True
    except IsADirectoryError:
        raise
    except (OSError, ValueError) as error:
        raise refusal(path, error) from None


def refusal(path: str, error: Exception) -> SourceError:
    """Why the system does not open it."""
    match error:
        case FileNotFoundError():
            return SourceError("no such file: check the name and the folder", path=path)
        case PermissionError():
            return SourceError("no permission to read it: check its owner and mode", path=path)
        case _:
            reason = getattr(error, "strerror", None) or str(error)
            return SourceError(f"can't be read: {reason}", path=path)
