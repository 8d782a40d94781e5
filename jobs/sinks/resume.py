"""What an output holds already: built by one pass over it, looked up for every row."""

from __future__ import annotations

from collections.abc import Sequence

from ..compact import CompactMap
from ..model import FINAL, Status
from ..records import Stored
from ..spans import SpanTable
from .done import DoneTable
from .outputlines import DONE, MASK64, STATUSES, TidyLines, key, lines

_TAKEN: list[tuple[Status, int]] = [(status, -1) for status in STATUSES]


class ResumeIndex(TidyLines):
    """Which rows the lines of an output prove to be done.

    About 7 bytes a line in memory; 12 where the index is ``numbered``: it knows then which line it
    is that proves it.
    """

    __slots__ = ("_again", "_done")

    def __init__(self, asked: SpanTable | None = None, *, numbered: bool = False) -> None:
        super().__init__(asked, numbered=numbered)
        self._done = DoneTable(0)
        self._again = CompactMap()  # of rows that several lines prove to be done: the last one

    def read(self, fd: int) -> None:
        self._done = DoneTable(_count(fd) + 1, numbered=self.kept is not None)
        super().read(fd)

    def take(self, row_id: str, fingerprint: str) -> tuple[Status, int] | None:
        done = self._done
        slot = done.find(hash((row_id, fingerprint)))
        if slot < 0:
            return None
        done.mark(slot)
        return self._taken(slot)

    def take_all(self, rows: Sequence[tuple[str, str]]) -> list[tuple[Status, int] | None]:
        code = self._done.code
        slots = self._done.mark_all([hash(row) for row in rows])
        if self.kept is None:
            return [None if slot < 0 else _TAKEN[code(slot)] for slot in slots]
        return [None if slot < 0 else self._taken(slot) for slot in slots]

    def _taken(self, slot: int) -> tuple[Status, int]:
        taken = _TAKEN[self._done.code(slot)]
        return taken if self.kept is None else (taken[0], self.keep(self._done.number(slot)))

    @property
    def superseded(self) -> int:
        return self.readable - self._done.marked if self.kept is None else super().superseded

    def keeps(self, number: int, stored: Stored) -> bool:
        if self.kept is not None:
            return super().keeps(number, stored)
        if stored.status not in FINAL:
            return False
        mark = key(stored.id, stored.fingerprint)
        slot = self._done.find(mark)
        return slot >= 0 and self._done.is_marked(slot) and self._again.get(mark) in (None, number)

    def _find(self, row_id: str, fingerprint: str) -> int | None:
        slot = self._done.find(key(row_id, fingerprint))
        return None if slot < 0 else self._done.code(slot)

    def _remember(
        self,
        first: int,
        starts: Sequence[int],  # noqa: ARG002 - others want them
        found: Sequence[Stored | None],
    ) -> None:
        done = [stored for stored in found if stored is not None and stored.status in FINAL]
        numbers: Sequence[int] = range(first, first + len(found))
        if len(done) < len(found):
            numbers = [n for n in numbers if (it := found[n - first]) and it.status in FINAL]
        names = zip([it.id for it in done], [it.fingerprint for it in done], strict=True)
        keys = list(map(hash, names))
        codes = [DONE[it.status] for it in done]
        replaced = self._done.put_all(keys, codes, numbers)
        if self.kept is None:
            for which in replaced:
                self._again.put(keys[which] & MASK64, numbers[which])

    def __len__(self) -> int:
        return len(self._done)

    def __repr__(self) -> str:
        return f"<ResumeIndex {len(self)} rows done, {self.count} lines>"


def _count(fd: int) -> int:
    """How many lines the file has; to iterate is twice as fast as to count line feeds."""
    count = 0
    for _ in lines(fd):
        count += 1
    return count
