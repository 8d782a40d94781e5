"""The file of the cache: one SQLite database in WAL mode, its tables, and what may be wrong."""

from __future__ import annotations

import os
import sqlite3
import time
from hashlib import blake2b
from pathlib import Path

from ..errors import ConfigError
from .place import FILE, make_folder

APPLICATION = 0x4C4C4D42
"""``PRAGMA application_id``: "LLMB"."""

VERSION = 1
"""``PRAGMA user_version``: of the tables, and of what stands in them."""

PAGE = 4096
"""Bytes of a page."""

_DIGEST = 8
"""Bytes in front of an answer."""

PATIENCE = 10.0
"""Seconds to wait for another process that writes, off the event loop."""

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What a database that is damaged may raise: an error's own words can be damaged, too."""

# Answers stand in the order in which they came: what is random is an index, which is small.
_TABLES = """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    key INTEGER NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    used INTEGER NOT NULL,
    created INTEGER NOT NULL,
    answer BLOB NOT NULL
);
CREATE INDEX by_use ON answers (used, created);
CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counts VALUES ('hits', 0);
"""


class NotOurs(ConfigError):
    """The file is a database, but no cache of this project's."""


class Unusable(ConfigError):
    """The file is corrupt, or of another version: it can be cleared."""


def open_database(folder: Path) -> sqlite3.Connection:
    """The database of this folder, made where there is none. It blocks, for seconds at most.

    Raises ConfigError that says what to do.
    """
    make_folder(folder)
    path = folder / FILE
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if not os.access(folder, os.W_OK | os.X_OK):  # beside the file stand two of SQLite's own
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise ConfigError(
            f"{folder}: the cache can't be written: {error.strerror}: name another folder, "
            "--cache=DIR"
        ) from None
    database: sqlite3.Connection | None = None
    try:
        database = connect(path, PATIENCE)
        _settle(database, path)
    except FAILURES as error:
        if database is not None:
            database.close()
        raise _explained(error, path) from None
    except BaseException:
        if database is not None:
            database.close()
        raise
    return database


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """A connection whose transactions are begun and ended by hand; ``patience`` in seconds."""
    return sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=32
    )


def key_of(fingerprint: str) -> int:
    """64 bits with a sign, as SQLite's row numbers are."""
    digest = blake2b(fingerprint.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def sealed(fingerprint: str, answer: bytes) -> bytes:
    """The answer behind its digest: SQLite does not notice when a byte of it changes."""
    return _digest(fingerprint, answer) + answer


def unsealed(fingerprint: str, stored: bytes) -> bytes:
    """Raises ValueError where it is not what was sealed."""
    answer = stored[_DIGEST:]
    if stored[:_DIGEST] != _digest(fingerprint, answer):
        raise ValueError("the entry is damaged")
    return answer


def _digest(fingerprint: str, answer: bytes) -> bytes:
    return blake2b(answer, digest_size=_DIGEST, key=fingerprint.encode()[:64]).digest()


def used_bytes(database: sqlite3.Connection) -> int:
    """Bytes of the database that hold something."""
    return PAGE * (pragma(database, "page_count") - pragma(database, "freelist_count"))


def pragma(database: sqlite3.Connection, name: str) -> int:
    """A number that SQLite says of itself."""
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def vacuum(database: sqlite3.Connection, pages: int = 0) -> None:
    """Give unused pages back to the file system; 0 is all of them."""
    # Not with execute(), which makes one step of it where it takes one a page.
    database.executescript(f"PRAGMA incremental_vacuum({pages})")


def is_busy(error: Exception) -> bool:
    """Whether another process was in the way, and nothing is wrong."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in BUSY


def _settle(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file, under its lock; look whose an older one is."""
    if path.stat().st_size:
        whose = pragma(database, "application_id")
        if whose != APPLICATION and (whose or _tables(database)):
            raise NotOurs(
                f"{path}: is a database, but no cache of llmbatch: name another folder, --cache=DIR"
            )
    else:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute(f"PRAGMA page_size = {PAGE}")
    _to_wal(database)
    database.execute("PRAGMA synchronous = NORMAL")  # in WAL mode that never corrupts
    database.execute("BEGIN IMMEDIATE")
    try:
        if not pragma(database, "user_version") and not _tables(database):
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
    if (found := pragma(database, "user_version")) != VERSION:
        raise Unusable(
            f"{path}: the cache is of version {found}, and this llmbatch knows {VERSION}: "
            f"{_clear(path)}"
        )
    database.execute("SELECT id FROM answers ORDER BY used LIMIT 1").fetchone()


def _to_wal(database: sqlite3.Connection) -> None:
    """Two that make a new file at once can be in each other's way in spite of SQLite's patience."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise ConfigError(
                "the cache needs SQLite's WAL mode, which the file system does not bear: name a "
                "folder on a local disk, --cache=DIR"
            )
        return


def _tables(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _explained(error: Exception, path: Path) -> ConfigError:
    if is_busy(error):
        return ConfigError(f"{path}: another process holds the cache: {error}: try again")
    corrupt = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
    garbled = isinstance(error, UnicodeDecodeError)
    if garbled or getattr(error, "sqlite_errorcode", 0) & 0xFF in corrupt:
        return Unusable(f"{path}: the cache is corrupt ({error}): {_clear(path)}")
    return ConfigError(
        f"{path}: the cache can't be opened: {error}: name another folder, --cache=DIR"
    )


def _clear(path: Path) -> str:
    return (
        f"`llmbatch cache clear --cache '{path.parent}'` removes it, --cache=DIR names another one"
    )
