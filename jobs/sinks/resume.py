"""What an output holds already: built by one pass over it, looked up for every row."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from typing import Self, get_args

from ..compact import CompactMap, OffsetTable
from ..manifest.account import Account
from ..model import FINAL, Status
from ..records import Format, Stored, read
from ..reuse.copies import ANSWERED

BLOCK = 1 << 20
_MASK64 = 0xFFFF_FFFF_FFFF_FFFF
_STATUSES: tuple[Status, ...] = get_args(Status)
_CODES = {status: code for code, status in enumerate(_STATUSES)}
_WIDTH = 8
assert len(_STATUSES) <= _WIDTH  # noqa: S101 - a status more needs a wider code


def key(*words: str) -> int:
    """64 bits for an id, or for an id and its fingerprint; different in every process."""
    return hash(words) & _MASK64


def lines(fd: int) -> Iterator[bytes]:
    """Every line of the file from its beginning, the torn one at its end included."""
    with open(fd, "rb", buffering=BLOCK, closefd=False) as file:
        file.seek(0)
        yield from file


class ResumeIndex:
    """The lines of an output, and which rows they prove to be done.

    About 45 bytes a line in memory. ``size`` is where the whole lines end (bytes), ``tail`` what
    follows them: a line that was torn when a run was killed. ``unreadable`` counts lines that are
    no results, ``first_unreadable`` is the number of the first one; they are kept wherever they
    came from. ``kept`` has a byte a line: 1 where the finished file is to have the line.
    ``account`` is what the lines come to. ``asked``, where there is one, leads from what was asked
    to the line that has the answer.
    """

    __slots__ = (
        "_rows",
        "account",
        "asked",
        "first_unreadable",
        "formats",
        "kept",
        "readable",
        "size",
        "starts",
        "tail",
        "unreadable",
    )

    def __init__(self, asked: OffsetTable | None = None) -> None:
        self.asked = asked
        self._rows = CompactMap()  # (id, fingerprint) -> number of the line, and its status
        self.starts = array("Q")
        self.kept = bytearray()
        self.size = 0
        self.tail = b""
        self.readable = 0
        self.unreadable = 0
        self.first_unreadable: int | None = None
        self.formats: set[Format] = set()
        self.account = Account()

    @classmethod
    def of(cls, fd: int, asked: OffsetTable | None = None) -> Self:
        """Read the whole file: seconds for a million lines."""
        index = cls(asked)
        if os.fstat(fd).st_size:
            for line in lines(fd):
                index._add(line)
        return index

    def status(self, row_id: str, fingerprint: str) -> Status | None:
        """How the row ended, where the output proves that it did; None where it is to run."""
        found = self._find(row_id, fingerprint)
        return None if found is None else _STATUSES[found % _WIDTH]

    def done(self, row_id: str, fingerprint: str) -> bool:
        """Whether the output has this id with this fingerprint and a final status."""
        return self._find(row_id, fingerprint) is not None

    def line(self, row_id: str, fingerprint: str) -> int | None:
        """The number of the line that proves it, from 0."""
        found = self._find(row_id, fingerprint)
        return None if found is None else found // _WIDTH

    def _find(self, row_id: str, fingerprint: str) -> int | None:
        """What :meth:`_remember` was given for this row."""
        return self._rows.get(key(row_id, fingerprint))

    def _remember(self, row_id: str, fingerprint: str, value: int) -> None:
        """A row is done; of several lines that say so the last one stands."""
        self._rows.put(key(row_id, fingerprint), value)

    def outlives(self, row_id: str) -> bool:  # noqa: ARG002 - others may know better
        """Whether the result of a row that this run did not read is kept."""
        return True

    def skip(self, row_id: str, fingerprint: str) -> int:
        """Mark the line of a row that is done as part of the finished file; its number."""
        line = self.line(row_id, fingerprint)
        if line is None:
            raise KeyError(row_id)
        self.kept[line] = 1
        return line

    def append(self, start: int) -> int:
        """Take in a line of this run, so that it can be put in order; its number."""
        self.starts.append(start)
        self.kept.append(1)
        return len(self.starts) - 1

    def end_tail(self) -> None:
        """What follows the whole lines was given its line feed: it is a line like the others."""
        line, self.tail = self.tail + b"\n", b""
        self._add(line)

    def _add(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            self.tail = line
            return
        number = len(self.starts)
        self.starts.append(self.size)
        self.size += len(line)
        stored = self._read(line)
        if stored is None:
            self._add_unreadable(line, number)
            return
        self.readable += 1
        self.kept.append(0)
        self.formats.add(stored.format)
        self.account.add(stored)
        if stored.status in FINAL:
            value = number * _WIDTH + _CODES[stored.status]
            self._remember(stored.id, stored.fingerprint, value)
            if self.asked is not None and stored.status in ANSWERED:
                self.asked.put(hash(stored.fingerprint), self.starts[number])

    def _read(self, line: bytes) -> Stored | None:
        """What is looked at of a line; None where it is no result."""
        return read(line)

    def _add_unreadable(self, line: bytes, number: int) -> None:
        self.kept.append(1)
        if not line.isspace():
            self.unreadable += 1
            if self.first_unreadable is None:
                self.first_unreadable = number + 1

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<ResumeIndex {len(self)} rows done, {len(self.starts)} lines>"
