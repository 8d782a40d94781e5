"""The output file while this run holds it: whole lines appended, or all of it replaced at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from ..errors import SinkError
from .lock import FLAGS, lock, open_locked
from .problems import meddled, rescued, unopened, untidied, unwritten

BLOCK = 1 << 20
"""Bytes copied at a time."""

READ = 1 << 14
"""Bytes that are read at once of a line whose length is not known."""

Span = tuple[int, int]
"""Where a piece of the file begins, and how many bytes it has."""

_sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class HeldFile:
    """An output file, locked. After a write failed, all further ones are refused."""

    __slots__ = ("_broken", "_named", "astray", "fd", "path", "size")

    def __init__(self, path: Path) -> None:
        """Raises OutputLocked and SinkError. ``path`` may be a link: what it points to is held."""
        try:
            self.path = Path(os.path.realpath(path))
        except OSError as error:
            raise unopened(error, path) from error
        self.fd = open_locked(self.path)
        self.size = os.fstat(self.fd).st_size
        self._named = False  # whether the folder's entry is known to be on disk
        self._broken: str | None = None
        self.astray = False  # whether another program took the name away from what is written

    def append(self, line: bytes) -> None:
        """Hand one whole line to the operating system, or none of it."""
        if self._broken is not None:
            raise SinkError(self._broken)
        done = 0
        try:
            done = os.write(self.fd, line)
            while done < len(line):
                done += os.write(self.fd, line[done:])
        except OSError as error:
            self._take_back(done)
            raise self._fail(error) from error
        self.size += done

    def line_at(self, start: int) -> bytes:
        """The line that begins there, without its end. Raises OSError."""
        pieces = []
        while piece := os.pread(self.fd, READ, start):
            line, end, _ = piece.partition(b"\n")
            pieces.append(line)
            if end:
                break
            start += len(piece)
        return b"".join(pieces)

    def lines_with(self, mark: bytes, start: int, end: int | None) -> list[bytes]:
        """The lines of a span in which ``mark`` stands; ``end`` None is that of the file.

        Raises OSError.
        """
        size = (self.size if end is None else end) - start
        pieces = []
        while size > 0 and (piece := os.pread(self.fd, size, start)):
            pieces.append(piece)
            start, size = start + len(piece), size - len(piece)
        text = b"".join(pieces)
        return [line for line in text.split(b"\n") if mark in line] if mark in text else []

    def sync(self) -> None:
        """Wait until what was appended is on the disk, and is what the file's name leads to."""
        self.check()
        try:
            _sync_data(self.fd)
        except OSError as error:
            raise self._fail(error) from error
        if not self._named:
            sync_folder(self.path.parent)
            self._named = True

    def replace(self, spans: Iterable[Span]) -> None:
        """Put a new file that holds only these pieces in the place of this one.

        At any moment there is one whole file, the old or the new. Raises SinkError, and the old
        file stays as it was.
        """
        self.check()
        self._put(spans, self.path)

    def rescue(self) -> None:
        """Give what is written a name again; raises a SinkError that says which."""
        place = self.path
        while place.exists():
            place = place.with_name(f"{place.name}.rescued")
        try:
            self._put([(0, os.fstat(self.fd).st_size)], place)
        except SinkError as error:
            raise SinkError(f"{self._broken}, and its results are lost") from error
        raise SinkError(f"{self._broken}: {rescued(self.path, place)}")

    def check(self) -> None:
        """Raise SinkError where another program took the file, and with it the results, away."""
        size = self.size  # before the look: it only grows
        try:
            there = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise self._meddled("deleted it", astray=True) from None
        except OSError:  # nothing is known then
            return
        mine = os.fstat(self.fd)
        if not os.path.samestat(mine, there):
            raise self._meddled("put another file in its place", astray=True)
        if mine.st_size < size:
            raise self._meddled("cut it short", astray=False)

    def _meddled(self, what: str, *, astray: bool) -> SinkError:
        self.astray = astray
        problem = meddled(self.path, what)
        self._broken = str(problem)
        return problem

    def _put(self, spans: Iterable[Span], place: Path) -> None:
        draft = self.path.with_name(f".{self.path.name}.llmbatch-tmp")
        try:
            draft.unlink(missing_ok=True)  # of a run that was killed: only the holder makes one
            fd = os.open(draft, FLAGS | os.O_EXCL, 0o600)
            try:
                size = self._copy(spans, fd)
                self._dress(fd)
                os.fsync(fd)
                lock(fd, place)
                draft.replace(place)
            except BaseException:
                os.close(fd)
                draft.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise untidied(error, self.path) from error
        os.close(self.fd)
        self.fd, self.size = fd, size
        sync_folder(place.parent)

    def close(self) -> None:
        """Let go of the file and its lock. Safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _copy(self, spans: Iterable[Span], target: int) -> int:
        buffer = bytearray()
        size = 0
        for start, length in spans:
            size += length
            while length:
                piece = os.pread(self.fd, min(length, BLOCK), start)
                if not piece:
                    raise OSError(0, "the file became shorter while it was read")
                buffer += piece
                start += len(piece)
                length -= len(piece)
                if len(buffer) >= BLOCK:
                    _write_all(target, buffer)
                    buffer.clear()
        _write_all(target, buffer)
        return size

    def _dress(self, fd: int) -> None:
        """Give the new file the owner and the mode of the old one."""
        old, new = os.fstat(self.fd), os.fstat(fd)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            with suppress(PermissionError):
                os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, old.st_mode & 0o7777)

    def _take_back(self, written: int) -> None:
        """Remove the first bytes of a line whose rest could not be written."""
        with suppress(OSError):  # then they are a torn last line, which the next run drops
            if written and os.fstat(self.fd).st_size == self.size + written:
                os.ftruncate(self.fd, self.size)

    def _fail(self, error: OSError) -> SinkError:
        problem = unwritten(error, str(self.path))
        self._broken = str(problem)
        return problem

    def __repr__(self) -> str:
        return f"<HeldFile {self.path}, {self.size} bytes>"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    with suppress(OSError):  # a folder may be writable without being readable
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write_all(fd: int, data: bytearray) -> None:
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.write(fd, view[done:])
