"""The bytes of a document: unpacked, watched for change, every trouble a SourceError."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from typing import BinaryIO, cast

from ...errors import SourceError
from ..stored import STDIN, explain, faults, open_raw, read_some, refusal, unpack

_ENDS = 1 << 12  # bytes at both ends that tell whether a longer file is still the same
_MEMORY = 1 << 24  # bytes of a pipe that are held in memory, where a format needs to seek


class Stream:
    """A document's bytes in order. ``name`` is as the user gave it.

    Of an uncompressed file so much is read as it had when it was opened: what is appended
    meanwhile is left out. Every other change is an error, when its end is read.
    """

    __slots__ = (
        "_at",
        "_begin",
        "_ended",
        "_faults",
        "_first",
        "_head",
        "_last",
        "_raw",
        "_seekable",
        "_stream",
        "compression",
        "name",
    )

    def __init__(self, name: str, compression: str = "") -> None:
        self.name = name
        self.compression = compression
        self._faults = faults(compression)
        try:
            self._raw = open_raw(name)
            self._first = os.fstat(self._raw.fileno())
        except (OSError, ValueError) as error:
            raise refusal(name, error) from None
        self._stream = unpack(self._raw, compression)
        self._at = 0
        self._seekable: BinaryIO | None = None
        self._begin = b""
        self._ended = False
        self._head = b""
        self._last = b""

    def __repr__(self) -> str:
        return f"Stream({self.name}, {self._at:,} bytes read)"

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        if self._seekable is not None:
            self._seekable.close()
        self._stream.close()
        self._raw.close()

    @property
    def size(self) -> int | None:
        """Bytes; None where that is not known before they are read."""
        known = stat.S_ISREG(self._first.st_mode) and not self.compression
        return self._first.st_size or None if known else None

    def peek(self, size: int) -> bytes:
        """So many bytes of what comes next, fewer only at the end."""
        self._head += self.fill(max(0, size - len(self._head)), ahead=True)
        return self._head[:size]

    def read(self, size: int, *, ahead: bool = False) -> bytes:
        """At least one byte until the end; raises SourceError, also for a file that changed."""
        if self._head and not ahead:
            data, self._head = self._head[:size], self._head[size:]
            return data
        if self._ended:  # a terminal would go on behind its end
            return b""
        known = self.size
        wanted = size if known is None else min(size, known - self._at)
        try:
            data = read_some(self._stream, wanted) if wanted else b""
        except self._faults as error:
            raise SourceError(explain(error, self.compression), path=self.name) from error
        self._at += len(data)
        if data:
            self._last = data[-_ENDS:]
            self._begin = self._begin or data[:_ENDS]
        else:
            self._ended = True
            self.check()
        return data

    def fill(self, size: int, *, ahead: bool = False) -> bytes:
        """So many bytes, fewer only at the end."""
        parts = []
        while size and (data := self.read(size, ahead=ahead)):
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def seekable(self) -> BinaryIO:
        """The whole in a file that can be read at any place; what can't be is copied to one.

        It is closed with the stream.
        """
        if self.size is not None and self.name != STDIN:
            self._raw.seek(0)
            self._seekable = io.BufferedReader(cast(io.RawIOBase, self._raw))
            return self._seekable
        copy = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_MEMORY))  # noqa: SIM115
        self._seekable = copy
        while data := self.read(1 << 18):
            copy.write(data)
        copy.seek(0)
        return copy

    def check(self) -> None:
        """Raises SourceError where the file is no longer the one that was opened."""
        now = os.fstat(self._raw.fileno())
        before = self._first
        if not stat.S_ISREG(now.st_mode) or self.name == STDIN:
            return
        if (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
            return
        if self.size is not None and now.st_size > before.st_size and self._is_appended():
            return
        raise SourceError(
            f"it changed while it was read: it had {before.st_size:,} bytes, and now "
            f"{now.st_size:,}: run the same command again",
            path=self.name,
        )

    def _is_appended(self) -> bool:
        """Whether what was read first and last still stands there."""
        file, last = self._raw.fileno(), self._last
        same = os.pread(file, len(self._begin), 0) == self._begin
        return same and os.pread(file, len(last), self._at - len(last)) == last
