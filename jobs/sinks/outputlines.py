"""The lines of an output, read once from its beginning to its end."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Self, get_args

from ..manifest.account import Account
from ..model import FINAL, Status
from ..records import Format, Stored, read_all
from ..reuse.copies import ANSWERED
from ..spans import SpanTable

BLOCK = 1 << 20
AT_ONCE = 1 << 18
"""Bytes of lines that are taken in together."""

MASK64 = 0xFFFF_FFFF_FFFF_FFFF
STATUSES: tuple[Status, ...] = get_args(Status)
DONE = {status: code for code, status in enumerate(STATUSES) if status in FINAL}
"""The codes of the statuses that prove a row to be done."""

WIDTH = 8
assert len(STATUSES) <= WIDTH  # noqa: S101 - a status more needs a wider code


def key(*words: str) -> int:
    """64 bits for an id, or for an id and its fingerprint; different in every process."""
    return hash(words) & MASK64


def lines(fd: int) -> Iterator[bytes]:
    """Every line of the file from its beginning, the torn one at its end included."""
    with open(fd, "rb", buffering=BLOCK, closefd=False) as file:
        file.seek(0)
        yield from file


def blocks(fd: int) -> Iterator[list[bytes]]:
    """The same, in lists of neighbours: what is done for many at a time costs less a line."""
    with open(fd, "rb", buffering=BLOCK, closefd=False) as file:
        file.seek(0)
        while block := file.readlines(AT_ONCE):
            yield block


class OutputLines(ABC):
    """What the lines of an output say; who reads it on remembers which rows they prove to be done.

    ``count`` is the number of lines. ``size`` is where the whole lines end (bytes), ``tail`` what
    follows them: a line that was torn when a run was killed. ``unreadable`` counts lines that are
    no results, ``first_unreadable`` is the number of the first one; they are kept wherever they
    came from. ``account`` is what the lines come to. ``asked``, where there is one, leads from what
    was asked to the line that has the answer. ``kept`` has a byte a line where lines are told apart
    by their numbers: 1 where the finished file is to have the line.
    """

    __slots__ = (
        "account",
        "asked",
        "count",
        "first_unreadable",
        "formats",
        "kept",
        "readable",
        "size",
        "tail",
        "unreadable",
    )

    def __init__(self, asked: SpanTable | None = None, *, numbered: bool = False) -> None:
        self.asked = asked
        self.kept = bytearray() if numbered else None
        self.count = 0
        self.size = 0
        self.tail = b""
        self.readable = 0
        self.unreadable = 0
        self.first_unreadable: int | None = None
        self.formats: set[Format] = set()
        self.account = Account()

    @classmethod
    def of(cls, fd: int, asked: SpanTable | None = None) -> Self:
        """Read the whole file: seconds for a million lines."""
        index = cls(asked)
        index.read(fd)
        return index

    def read(self, fd: int) -> None:
        """Take in every line of the file."""
        if os.fstat(fd).st_size:
            for block in blocks(fd):
                self._add(block)

    def status(self, row_id: str, fingerprint: str) -> Status | None:
        """How the row ended, where the output proves that it did; None where it is to run."""
        found = self._find(row_id, fingerprint)
        return None if found is None else STATUSES[found % WIDTH]

    def done(self, row_id: str, fingerprint: str) -> bool:
        """Whether the output has this id with this fingerprint and a final status."""
        return self._find(row_id, fingerprint) is not None

    @abstractmethod
    def _find(self, row_id: str, fingerprint: str) -> int | None:
        """A number whose lowest three bits are the code of the row's status; None is not done."""

    @abstractmethod
    def _remember(self, first: int, starts: Sequence[int], found: Sequence[Stored | None]) -> None:
        """Which rows these lines prove to be done; of several lines the last one stands.

        ``first`` is the number of the first line, ``starts`` are the first bytes of all.
        """

    def end_tail(self) -> None:
        """What follows the whole lines was given its line feed: it is a line like the others."""
        line, self.tail = self.tail + b"\n", b""
        self._add([line])

    def _add(self, lines: list[bytes]) -> None:
        """Take in some that follow each other; only the last one may be torn."""
        if not lines[-1].endswith(b"\n"):
            self.tail = lines.pop()
        first = self.count
        self.count = first + len(lines)
        starts = list(accumulate(map(len, lines), initial=self.size))
        self.size = starts.pop()
        found = self._read(lines)
        readable = [stored for stored in found if stored is not None]
        self.readable += len(readable)
        kinds: set[type[Stored]] = set(map(type, readable))
        self.formats.update(kind.format for kind in kinds)
        self.account.add_all(readable)
        if self.kept is not None:
            self.kept.extend([stored is None for stored in found])
        if len(readable) < len(found):
            self._add_unreadable(lines, found, first)
        self._remember(first, starts, found)
        if self.asked is not None:
            answers = [it for it in found if it is not None and it.status in ANSWERED]
            if len(answers) < len(found):
                both = zip(starts, found, strict=True)
                starts = [start for start, it in both if it is not None and it.status in ANSWERED]
            self.asked.put_all([hash(it.fingerprint) for it in answers], starts)

    def _read(self, lines: Sequence[bytes]) -> list[Stored | None]:
        """What is looked at of each; None where it is no result."""
        return read_all(lines)

    def _add_unreadable(
        self, lines: Sequence[bytes], found: Sequence[Stored | None], first: int
    ) -> None:
        for number, (line, stored) in enumerate(zip(lines, found, strict=True), first):
            if stored is None and not line.isspace():
                self.unreadable += 1
                if self.first_unreadable is None:
                    self.first_unreadable = number + 1

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.count} lines, {self.readable} results>"


class TidyLines(OutputLines):
    """Lines of which the finished file is to have a part; told of those that this run needs.

    ``count`` is also of those lines of this run that :meth:`append` was told of.
    """

    __slots__ = ()

    @property
    def superseded(self) -> int:
        """How many lines the finished file is not to have."""
        return 0 if self.kept is None else self.kept.count(0)

    def keeps(self, number: int, stored: Stored) -> bool:  # noqa: ARG002 - others may know better
        """Whether it is to have that one, which says this."""
        return self.kept is None or bool(self.kept[number])

    def keep(self, number: int) -> int:
        """It is to have that one."""
        if self.kept is not None:
            self.kept[number] = 1
        return number

    @abstractmethod
    def take(self, row_id: str, fingerprint: str) -> tuple[Status, int] | None:
        """How the row ended; the line that says so is part of the finished file from now on.

        None where the row is to run. The number is that of the line, where numbers are kept.
        """

    def take_all(self, rows: Sequence[tuple[str, str]]) -> list[tuple[Status, int] | None]:
        """The same for many."""
        return [self.take(row_id, fingerprint) for row_id, fingerprint in rows]

    def append(self) -> int:
        """A line of this run was written, and is to be put in order; its number."""
        if self.kept is not None:
            self.kept.append(1)
        self.count += 1
        return self.count - 1

    def outlives(self, row_id: str) -> bool:  # noqa: ARG002 - others may know better
        """Whether the result of a row that this run did not read is kept."""
        return True
