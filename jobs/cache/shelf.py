"""What is done to the database: answers put in batches, the least lately used ones taken out."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from .database import (
    FAILURES,
    PAGE,
    NotOurs,
    Unusable,
    key_of,
    open_database,
    pragma,
    used_bytes,
    vacuum,
)
from .place import FILE

BATCH = 256
"""Answers of one transaction."""

_PAGES = 3
"""Pages that one answer touches, beside those that it fills."""


_PUT = "REPLACE INTO answers (key, fingerprint, used, created, answer) VALUES (?, ?, ?, ?, ?)"


class Entry(Struct, frozen=True):
    """An answer to be put, or (None) to be marked as used."""

    fingerprint: str
    answer: bytes | None = None


class Stats(Struct, frozen=True):
    """``bytes`` on the disk; ``oldest`` is when the oldest answer came, in seconds since 1970."""

    folder: str
    entries: int
    bytes: int
    hits: int
    oldest: int | None


class Shelf:
    """Writes to the database; blocks, so that it belongs into a thread. Raises sqlite3.Error.

    ``limit`` is the most bytes on the disk, the log of what is not merged yet (WAL) included: an
    eighth of it, and 16 MB at most, is left to that.
    """

    def __init__(self, database: sqlite3.Connection, limit: int) -> None:
        self._database = database
        log = min(16_000_000, limit // 8)
        self._room = limit - log
        self.batch = max(1, min(BATCH, log // 2 // (PAGE * _PAGES)))
        self.largest = log // 4
        """Bytes of the largest answer that is kept."""
        database.execute(f"PRAGMA wal_autocheckpoint = {max(1, log // 2 // PAGE)}")
        database.execute(f"PRAGMA journal_size_limit = {log}")

    def put(self, entries: Sequence[Entry], hits: int = 0) -> None:
        """One transaction; before it, room is made. ``entries`` are at most ``batch``."""
        new = [entry.answer for entry in entries if entry.answer is not None]
        if new:
            self._make_room(sum(map(len, new)) + PAGE * len(new))
        now = int(time.time())
        with _Transaction(self._database) as database:
            for entry in entries:
                key = key_of(entry.fingerprint)
                if entry.answer is None:
                    database.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key))
                else:
                    row = (key, entry.fingerprint, now, now, entry.answer)
                    database.execute(_PUT, row)
            if hits:
                database.execute("UPDATE counts SET value = value + ? WHERE name = 'hits'", (hits,))

    def _make_room(self, need: int) -> None:
        """Take out what was not used for longest, a batch at a time: each is a part of the log."""
        database = self._database
        while used_bytes(database) + need > self._room:
            with _Transaction(database):
                gone = database.execute(
                    "DELETE FROM answers WHERE id IN "
                    "(SELECT id FROM answers ORDER BY used, created LIMIT ?)",
                    (self.batch,),
                ).rowcount
            if not gone:
                return
            self._shrink()

    def _shrink(self) -> None:
        """Give pages back to the file system where there are more than there may be."""
        database = self._database
        if PAGE * pragma(database, "page_count") > self._room:
            vacuum(database, self.batch * _PAGES)

    def __repr__(self) -> str:
        return f"<Shelf of {self._room} bytes>"


class _Transaction:
    """Takes the lock at its beginning: one that began by reading could not wait for it later."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        self._database.execute("BEGIN IMMEDIATE")
        return self._database

    def __exit__(self, kind: object, *exc: object) -> None:
        if kind is None:
            self._database.execute("COMMIT")
        elif self._database.in_transaction:
            self._database.execute("ROLLBACK")


def stats(folder: Path) -> Stats | None:
    """What the cache of this folder holds; None where there is none. Raises ConfigError."""
    if not (folder / FILE).is_file():
        return None
    database = open_database(folder)
    try:
        entries, oldest = database.execute("SELECT count(*), min(created) FROM answers").fetchone()
        hits = database.execute("SELECT value FROM counts WHERE name = 'hits'").fetchone()[0]
    except (*FAILURES, TypeError) as error:
        raise Unusable(f"{folder / FILE}: the cache is corrupt ({error}): clear it") from None
    finally:
        database.close()
    return Stats(str(folder), entries, _on_disk(folder), hits, oldest)


def clear(folder: Path) -> tuple[int | None, int]:
    """Take out all answers: how many there were (None: unreadable), and the bytes they had.

    A file that is corrupt, or of another version, is removed. Raises ConfigError where it is no
    cache of this project's.
    """
    path = folder / FILE
    size = _on_disk(folder)
    if not path.is_file():
        return 0, 0
    try:
        database = open_database(folder)
        try:
            return _empty(database), size - _left(folder, database)
        finally:
            database.close()
    except NotOurs:
        raise
    except (Unusable, sqlite3.DatabaseError, UnicodeDecodeError):
        for part in _parts(folder):
            part.unlink(missing_ok=True)
        return None, size


def _empty(database: sqlite3.Connection) -> int:
    with _Transaction(database):
        gone = database.execute("DELETE FROM answers").rowcount
        database.execute("UPDATE counts SET value = 0")
    vacuum(database)
    return gone


def _left(folder: Path, database: sqlite3.Connection) -> int:
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return _on_disk(folder)


def _parts(folder: Path) -> list[Path]:
    return [folder / f"{FILE}{end}" for end in ("", "-wal", "-shm")]


def _on_disk(folder: Path) -> int:
    return sum(part.stat().st_size for part in _parts(folder)[:2] if part.is_file())
