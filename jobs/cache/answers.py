"""The cache as a job uses it: looked up on the event loop, written by a thread of its own."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import UNSET, structs

from ..model import Result
from ..records import decode, encode
from .database import (
    FAILURES,
    connect,
    is_busy,
    key_of,
    open_database,
    sealed,
    unsealed,
)
from .place import FILE
from .shelf import Entry, Shelf

MOMENT = 0.005
"""Seconds for which a look-up waits for another process; after that it has found nothing."""

GATHER = 0.1
"""Seconds for which the thread gathers answers for one transaction."""

UNWRITTEN = 64 << 20
"""Bytes of answers that may wait to be written; what comes then is not kept."""

STALE = 600
"""Seconds after which an entry is marked as used again."""

LAST = 20.0
"""Seconds that the thread has at the end to write what is left."""

GIVE_UP = 3
"""Batches in a row that another process may keep from being written, each for seconds."""

_FIND = "SELECT fingerprint, used, answer FROM answers WHERE key = ?"


class Cache:
    """Answers by the fingerprint of what was asked; to be opened off the event loop.

    Whatever goes wrong with it after that costs no row: ``lost`` is told why, once, in the loop's
    thread, and from then on it finds and keeps nothing.
    """

    def __init__(self, folder: Path, limit: int, lost: Callable[[str], None]) -> None:
        """``limit`` in bytes. Raises ConfigError that says what to do."""
        self.folder = folder
        self.broken = False
        self._lost = lost
        self._writing = open_database(folder)
        try:
            self._shelf = Shelf(self._writing, limit)
            self._database = connect(folder / FILE, MOMENT)
        except BaseException:
            self._writing.close()
            raise
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        # Each of these is counted by one thread alone, so that none is lost.
        self._handed = self._written = 0
        self._hits = self._noted = 0
        self._closed = False
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._write, name="llmbatch-cache", daemon=True)

    def start(self) -> None:
        """Begin to write; in the loop that is to be told of a failure."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def unwritten(self) -> int:
        """Bytes of answers that wait for the thread."""
        return self._handed - self._written

    def find(self, fingerprint: str) -> Result | None:
        """The answer to that request, of another job; its row is nobody's."""
        if self.broken or self._closed:
            return None
        try:
            found = self._database.execute(_FIND, (key_of(fingerprint),)).fetchone()
            if found is None or found[0] != fingerprint:
                return None
            answer = decode(unsealed(fingerprint, found[2]))
            stale = found[1] < time.time() - STALE
        except FAILURES as error:
            if not is_busy(error):
                self._give_up(error)
            return None
        except (ValueError, TypeError, RecursionError):  # the entry is damaged: it is replaced
            return None
        self._hits += 1
        if stale:
            self._queue.put(Entry(fingerprint))
        return answer

    def keep(self, result: Result) -> None:
        """Have it written soon. What is a row's own is left out."""
        if self.broken or self._closed:
            return
        bare = structs.replace(
            result, id="", line=0, metadata={}, metrics=None, cost_usd=None,
            chunk=UNSET, fold=UNSET, quotes=UNSET,
        )  # fmt: skip
        answer = sealed(result.fingerprint, encode(bare))
        if len(answer) > self._shelf.largest or self.unwritten > UNWRITTEN:
            return
        self._handed += len(answer)
        self._queue.put(Entry(result.fingerprint, answer))

    async def aclose(self) -> None:
        """Write what is left, for seconds at most, and let go. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._let_go)
        if self._failure is not None:
            self._give_up(self._failure)
        elif not (self.folder / FILE).exists():
            self._give_up(FileNotFoundError("it was removed while the job ran"))

    def _let_go(self) -> None:
        if self._thread.ident is not None:
            self._thread.join(LAST)
        with suppress(sqlite3.Error):
            self._database.close()
        if not self._thread.is_alive():
            with suppress(sqlite3.Error):
                self._writing.close()

    def _write(self) -> None:
        """The thread: batch after batch, until the end of the job, or of the cache."""
        busy = 0
        ended = False
        while not (ended or self.broken):
            batch, ended = self._gathered()
            hits = self._hits - self._noted
            self._noted += hits
            try:
                if batch or hits:
                    self._shelf.put(batch, hits)
                busy = 0
            except FAILURES as error:
                busy = busy + 1 if is_busy(error) else GIVE_UP
                if busy >= GIVE_UP:
                    self._tell(error)
            self._written += sum(len(entry.answer or b"") for entry in batch)

    def _gathered(self) -> tuple[list[Entry], bool]:
        """What there is to write, and whether that is all there will be."""
        entry = self._queue.get()
        batch: list[Entry] = []
        until = time.monotonic() + GATHER
        size = 0
        while entry is not None:
            batch.append(entry)
            size += len(entry.answer or b"")
            if len(batch) >= self._shelf.batch or size >= self._shelf.largest:
                return batch, False
            try:
                entry = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return batch, False
        return batch, True

    def _tell(self, error: Exception) -> None:
        self._failure = error
        with suppress(RuntimeError):  # the loop is closed already
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._give_up, error)

    def _give_up(self, error: Exception) -> None:
        if not self.broken:
            self.broken = True
            self._queue.put(None)
            self._lost(f"{self.folder / FILE}: {error}")

    def __repr__(self) -> str:
        return f"<Cache in {self.folder}{', lost' if self.broken else ''}>"
