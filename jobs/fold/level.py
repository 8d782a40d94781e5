"""One level of the fold tree: consecutive parts in, the groups that are folded, their results out.

A level is a function of its parts in their order, whatever the times at which they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from .part import Part
from .split import Count, split


class FoldTask(Struct, frozen=True):
    """Parts that are to be folded into one, at least two of them, in the document's order.

    ``level`` counts from 1, ``number`` from 1 within it, in the document's order. ``final`` makes
    it the report.
    """

    level: int
    number: int
    parts: tuple[Part, ...]
    final: bool = False

    @property
    def first(self) -> int:
        """The number of the first chunk it covers."""
        return self.parts[0].first

    @property
    def last(self) -> int:
        """The number of the last chunk it covers."""
        return self.parts[-1].last


class Room(Struct, frozen=True):
    """``budget`` is the tokens of parts that one fold may take, by ``count``."""

    budget: int
    count: Count

    def split(self, part: Part) -> list[Part]:
        """Pieces of which any two fit together."""
        return split(part, self.budget // 2, self.count)


class _Slot:
    """What becomes of a group: ``pieces`` for the next level once it is folded.

    ``left`` are its own parts, where the fold failed.
    """

    __slots__ = ("left", "pieces", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.pieces: list[Part] | None = None
        self.left: tuple[Part, ...] = ()


class Level:
    """``take`` the pieces in order, then ``close``; ``tasks`` are what is to be folded.

    A level hands up at most two thirds as many pieces as it has taken, at any time, and keeps the
    others: so the levels come to an end, soon, even where folds are longer than what they fold.
    Where each fold makes one piece of two or more, that keeps nothing back: three pieces in two
    groups are the most that is handed up.
    """

    __slots__ = (
        "_closed",
        "_folds",
        "_given",
        "_group",
        "_held",
        "_number",
        "_open",
        "_room",
        "_slots",
        "_taken",
        "_tokens",
        "tasks",
    )

    def __init__(self, number: int, room: Room) -> None:
        self._number = number
        self._room = room
        self._group: list[Part] = []
        self._tokens = 0
        self._slots: deque[_Slot] = deque()  # in order, those that are not read yet
        self._open: dict[int, _Slot] = {}
        self._folds = 0
        self._taken = 0  # pieces in the slots that are read
        self._held: deque[Part] = deque()
        self._given = 0
        self._closed = False
        self.tasks: deque[FoldTask] = deque()

    def __len__(self) -> int:
        slots = sum(len(slot.pieces or slot.left) for slot in self._slots)
        tasks = sum(len(task.parts) for task in self.tasks)
        return len(self._group) + len(self._held) + slots + tasks

    def __repr__(self) -> str:
        return f"<Level {self._number}: {self._folds} folds, {len(self)} parts held>"

    def take(self, piece: Part) -> None:
        """The next piece."""
        size = self._room.count(piece)
        if self._group and self._tokens + size > self._room.budget:
            self._end_group()
        self._group.append(piece)
        self._tokens += size

    def close(self) -> None:
        """There are no more pieces."""
        if self._closed:
            return
        self._closed = True
        if self._group:
            self._end_group(final=not self._slots and not self._taken)

    def done(self, task: FoldTask, part: Part | None) -> None:
        """What a fold has made; None keeps its parts for :meth:`left`, for good.

        Raises ValueError where that fold is not open.
        """
        slot = self._open.pop(task.number, None)
        if slot is None:
            raise ValueError(f"fold {task.number} of level {self._number} is not open")
        if part is None:
            slot.left = task.parts
        else:
            slot.pieces = self._room.split(part)

    def hand_up(self) -> tuple[list[Part], bool]:
        """Pieces for the next level, and whether they are its last ones."""
        while self._slots and self._slots[0].pieces is not None:
            slot = self._slots.popleft()
            self._taken += slot.size
            self._held.extend(slot.pieces or ())
        pieces = []
        while self._held and 3 * (self._given + 1) <= 2 * self._taken:
            pieces.append(self._held.popleft())
            self._given += 1
        return pieces, self._closed and not self._slots and not self._held

    def left(self) -> Iterator[Part]:
        """The parts that it holds, in order."""
        yield from self._held
        for slot in self._slots:
            yield from slot.pieces or slot.left
        yield from self._group

    def _end_group(self, *, final: bool = False) -> None:
        slot = _Slot(len(self._group))
        if len(self._group) == 1:  # nothing to fold it with: the next level has it as it is
            slot.pieces = self._group
        else:
            self._folds += 1
            self._open[self._folds] = slot
            self.tasks.append(FoldTask(self._number, self._folds, tuple(self._group), final))
        self._slots.append(slot)
        self._group, self._tokens = [], 0
