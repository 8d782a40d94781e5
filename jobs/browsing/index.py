"""The rows of a results file as columns of numbers: some forty bytes a row, however long it is.

It grows with the file, a piece at a time, and knows when the file is another one by now.
"""

from __future__ import annotations

import os
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import get_args

import msgspec
from msgspec import Struct

from ..model import Status
from ..records import read

BLOCK = 256 << 10
LONGEST = 64 << 20
"""Bytes of a line; a longer one is no result."""

STATUSES: tuple[str, ...] = get_args(Status)
_NUMBERS = {status: number for number, status in enumerate(STATUSES)}
_TAIL = 64
UNKNOWN = -1.0
"""A figure that the line does not have; none that it has is below zero."""


class _Times(Struct, gc=False):
    latency_s: float | None = None
    ttft_s: float | None = None
    attempts: int = 0


class _Tokens(Struct, gc=False):
    output_tokens: int = 0


class _Row(Struct, gc=False):
    """As much of a line as the index keeps."""

    id: str
    fingerprint: str
    status: Status
    usage: _Tokens | None = None
    cost_usd: float | None = None
    metrics: _Times | None = None


class Index:
    """The rows of the file behind a descriptor, as far as they were read: to ``read_to``, bytes.

    ``starts`` are where their lines begin. ``unreadable`` counts lines that are no results. It is
    for one thread at a time.
    """

    __slots__ = (
        "_file",
        "_tail",
        "attempts",
        "cost",
        "latency",
        "output_tokens",
        "read_to",
        "starts",
        "statuses",
        "ttft",
        "unreadable",
    )

    def __init__(self, fd: int) -> None:
        self._file = _identity(fd)
        self._tail = b""
        self.starts = array("Q")
        self.statuses = bytearray()
        self.latency = array("d")
        self.ttft = array("d")
        self.cost = array("d")
        self.output_tokens = array("I")
        self.attempts = array("H")
        self.read_to = 0
        self.unreadable = 0

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"<Index of {len(self)} rows, {self.read_to} bytes>"

    def counts(self) -> dict[str, int]:
        """How many rows ended how."""
        return {STATUSES[each]: count for each, count in sorted(Counter(self.statuses).items())}

    def is_of(self, fd: int) -> bool:
        """Whether this is still the file that was read, and has only grown. Raises OSError."""
        if _identity(fd) != self._file or os.fstat(fd).st_size < self.read_to:
            return False
        return os.pread(fd, len(self._tail), self.read_to - len(self._tail)) == self._tail

    def advance(self, fd: int, seconds: float) -> bool:
        """Read on for so long at most; True where all whole lines are read. Raises OSError."""
        until = time.monotonic() + seconds
        size = BLOCK
        while True:
            block = os.pread(fd, size, self.read_to)
            end = block.rfind(b"\n") + 1
            if end:
                self._add(block[:end])
                size = BLOCK
            elif len(block) < size:
                return True
            elif size < LONGEST:
                size *= 2
            elif not self._skip(fd):
                return True
            if time.monotonic() > until:
                return False

    def _add(self, block: bytes) -> None:
        lines = block.split(b"\n")
        lines.pop()
        starts: Sequence[int]
        rows: Sequence[_Row | None]
        starts = list(accumulate((len(line) + 1 for line in lines), initial=self.read_to))[:-1]
        try:
            rows = _decode_lines(block)
            if len(rows) != len(lines):  # an empty line is passed over
                raise ValueError
        except (ValueError, RecursionError):
            rows = [_row(line) for line in lines]
            wrong = [n for n, row in enumerate(rows) if row is None]
            self.unreadable += sum(not lines[n].isspace() and lines[n] != b"" for n in wrong)
            starts = [start for start, row in zip(starts, rows, strict=True) if row is not None]
        self._extend(starts, [row for row in rows if row is not None])
        self.read_to += len(block)
        self._tail = block[-_TAIL:]

    def _extend(self, starts: Sequence[int], rows: Sequence[_Row]) -> None:
        none, nothing = _Times(), _Tokens()
        times = [row.metrics or none for row in rows]
        self.starts.extend(starts)
        self.statuses.extend([_NUMBERS[row.status] for row in rows])
        self.latency.extend([_figure(each.latency_s) for each in times])
        self.ttft.extend([_figure(each.ttft_s) for each in times])
        self.cost.extend([_figure(row.cost_usd) for row in rows])
        tokens = [(row.usage or nothing).output_tokens for row in rows]
        self.output_tokens.extend([min(max(each, 0), 0xFFFF_FFFF) for each in tokens])
        self.attempts.extend([min(max(each.attempts, 0), 0xFFFF) for each in times])

    def _skip(self, fd: int) -> bool:
        """Pass over a line that is too long; False where it has no end yet."""
        at = self.read_to + LONGEST
        while block := os.pread(fd, 16 * BLOCK, at):
            if (feed := block.find(b"\n")) >= 0:
                self.read_to = at + feed + 1
                self._tail = b"\n"
                self.unreadable += 1
                return True
            at += len(block)
        return False

    def line(self, fd: int, number: int) -> bytes:
        """The line of that row, without its end. Raises OSError."""
        start = self.starts[number]
        end = self.starts[number + 1] if number + 1 < len(self) else self.read_to
        return os.pread(fd, end - start, start).partition(b"\n")[0]

    def size(self, number: int) -> int:
        """Bytes up to the next row."""
        end = self.starts[number + 1] if number + 1 < len(self) else self.read_to
        return end - self.starts[number]


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _figure(value: float | None) -> float:
    return value if value is not None and value >= 0 else UNKNOWN


def _row(line: bytes) -> _Row | None:
    try:
        return _decode(line)
    except (ValueError, RecursionError):
        pass
    found = read(line)
    if found is None:
        return None
    tokens = None if found.usage is None else _Tokens(found.usage.output_tokens)
    return _Row(found.id, found.fingerprint, found.status, tokens, found.cost_usd)


_decode = msgspec.json.Decoder(_Row).decode
_decode_lines = msgspec.json.Decoder(_Row).decode_lines
