"""Which lines make up the finished file: each id exactly once, and nothing else lost."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise

from ..compact import CompactMap
from ..manifest.account import Account
from ..model import Tidied
from ..records import read
from .held import HeldFile, Span
from .outputlines import TidyLines, key, lines

_OPEN = 0xFFFF_FFFF_FFFF_FFFF
"""Stands for a row that has no line yet."""


class InputOrder:
    """The number of each row's line, in the input's order; 8 bytes a row.

    Rows are read in that order, but for those that come ``first``: their places in it, from 0.
    """

    __slots__ = ("_first", "_lines", "_open")

    def __init__(self, first: Sequence[int] = ()) -> None:
        self._first = first
        self._lines = array("Q")
        self._open: dict[str, int] = {}

    def expect(self, row_id: str) -> None:
        """Its place is here; to say so again moves nothing."""
        if row_id in self._open:
            return
        self._open[row_id] = len(self._lines)
        self._lines.append(_OPEN)

    def place(self, row_id: str, line: int) -> None:
        """Put the line where its row was read; one that nobody expected comes last."""
        place = self._open.pop(row_id, None)
        if place is None:
            self._lines.append(line)
        else:
            self._lines[place] = line

    def __iter__(self) -> Iterator[int]:
        return (line for line in self._in_order() if line != _OPEN)

    def _in_order(self) -> Iterator[int]:
        early, others = self._lines[: len(self._first)], iter(self._lines[len(self._first) :])
        at = 0
        for place, line in zip(self._first, early, strict=False):
            yield from islice(others, place - at)
            yield line
            at = place + 1
        yield from others

    def __repr__(self) -> str:
        return f"<InputOrder {len(self._lines)} rows, {len(self._open)} open>"


def tidy(file: HeldFile, index: TidyLines, order: InputOrder | None) -> Tidied:
    """Leave each id once, in ``order`` where there is one; takes seconds for a million lines.

    A file that is as it should be is not touched. Raises SinkError, and the old file stays whole.
    """
    kept, strangers = _chosen(file.fd, index)
    dropped = kept.count(0)
    if order is None:
        if dropped:
            file.replace(_runs(kept, _starts(file.fd), index.size, file.size))
    else:
        sequence = _sequence(kept, order)
        if dropped or any(a > b for a, b in pairwise(sequence)):
            file.replace(_spans(_starts(file.fd), sequence, file.size))
    if dropped:
        index.account = _counted(file.fd)
    return Tidied(dropped, strangers, index.unreadable)


def _starts(fd: int) -> array[int]:
    """Where each line begins."""
    starts, size = array("Q"), 0
    for line in lines(fd):
        starts.append(size)
        size += len(line)
    return starts


def _counted(fd: int) -> Account:
    account = Account()
    for line in lines(fd):
        if (stored := read(line)) is not None:
            account.add(stored)
    return account


def _chosen(fd: int, index: TidyLines) -> tuple[bytearray, int]:
    """A byte a line, 1 where it stays, and how many of them are of strangers.

    What stays is what the index keeps, and the last line of each id that this run neither answered
    nor skipped.
    """
    if not index.superseded:
        return bytearray(b"\1") * index.count, 0
    kept = bytearray()
    last = CompactMap()  # id -> the number of its last line, from 1; 0 where the run answered it
    for number, line in enumerate(lines(fd)):
        if number >= index.count:
            break
        stored = read(line)
        keeps = stored is None or index.keeps(number, stored)
        kept.append(keeps)
        if stored is not None and not keeps and index.outlives(stored.id):
            last.put(key(stored.id), number + 1)
    for number, line in enumerate(lines(fd)):
        if (number >= len(kept) or kept[number]) and (stored := read(line)) is not None:
            name = key(stored.id)
            if name in last:
                last.put(name, 0)
    strangers = 0
    for _, number in last.items():
        if number:
            kept[number - 1] = 1
            strangers += 1
    return kept, strangers


def _runs(kept: bytearray, starts: array[int], old: int, size: int) -> Iterator[Span]:
    """The kept lines in the file's own order, neighbours in one piece, and all of this run's.

    Those begin behind the ``old`` bytes.
    """
    begin = 0
    while (begin := kept.find(1, begin)) >= 0:
        end = kept.find(0, begin)
        if end < 0:
            break
        yield starts[begin], starts[end] - starts[begin]
        begin = end
    first = old if begin < 0 else starts[begin]
    yield first, size - first


def _sequence(kept: bytearray, order: Iterable[int]) -> array[int]:
    """The numbers of all kept lines: the input's rows in its order, then what else there is."""
    placed = bytearray(len(kept))
    sequence = array("Q")
    for line in order:
        sequence.append(line)
        placed[line] = 1
    rest = 0
    while (rest := placed.find(0, rest)) >= 0:
        if kept[rest]:
            sequence.append(rest)
        rest += 1
    return sequence


def _spans(starts: array[int], sequence: Iterable[int], size: int) -> Iterator[Span]:
    last = len(starts) - 1
    for line in sequence:
        end = starts[line + 1] if line < last else size
        yield starts[line], end - starts[line]
