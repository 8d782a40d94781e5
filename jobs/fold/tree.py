"""The hierarchical reduce: results of chunks in, whatever their order, the next fold out, one root.

What is folded with what depends on the parts alone, never on the times at which they come.
"""

from __future__ import annotations

from collections.abc import Iterator

from .level import FoldTask, Level, Room
from .part import Part
from .split import Count

__all__ = ["FoldTask", "Tree"]


class Tree:
    """``budget`` is the tokens of parts that one fold may take, ``count`` those of one part.

    The results of chunks are :meth:`add`-ed, in any order; :meth:`close` says how many there are.
    :meth:`ready` gives a fold as soon as its inputs are there and its group is certain: groups are
    runs of consecutive parts, each as long as the budget allows. :meth:`done` takes its result.

    A part of which two would not fit into a fold is split; a part without a neighbour to fold it
    with goes to the next level as it is. Parts are let go of as they are handed out.
    """

    __slots__ = (
        "_early",
        "_flying",
        "_levels",
        "_next",
        "_only",
        "_places",
        "_room",
        "_some",
        "failed",
        "root",
    )

    def __init__(self, budget: int, count: Count) -> None:
        self.root: Part | None = None
        """The whole, where :attr:`finished`; None where nothing was found."""
        self.failed = False
        """A fold has no result: there will be no root."""
        self._room = Room(budget, count)
        self._levels = [Level(1, self._room)]
        self._early: dict[int, Part | None] = {}  # came before its turn
        self._next = 0
        self._places: int | None = None
        self._only: Part | None = None  # the first part, while it is the only one
        self._some = False
        self._flying = 0

    def __len__(self) -> int:
        """How many parts it holds."""
        early = sum(part is not None for part in self._early.values())
        return early + sum(map(len, self._levels)) + (self._only is not None)

    def __repr__(self) -> str:
        places = "?" if self._places is None else self._places
        state = "finished" if self.finished else "failed" if self.failed else "open"
        return f"<Tree {self._next} of {places} places, {len(self)} parts held, {state}>"

    def add(self, place: int, part: Part | None) -> None:
        """What the chunk at ``place`` gave, 0-based; None where that is nothing.

        Raises ValueError for a place that has its result, or that there is not.
        """
        there = self._places is None or place < self._places
        if not there or place < self._next or place in self._early:
            raise ValueError(f"place {place} has its result already, or is none of {self!r}")
        self._early[place] = part
        while self._next in self._early:
            self._take(self._early.pop(self._next))
            self._next += 1
        self._climb(0)

    def close(self, places: int) -> None:
        """So many places there are. Raises ValueError where more than these have a result."""
        if places < max(self._next, *(place + 1 for place in self._early), 0):
            raise ValueError(f"{places} places are fewer than the results in {self!r}")
        self._places = places
        self._climb(0)

    def ready(self) -> FoldTask | None:
        """The next fold that can be made, None while there is none."""
        for level in self._levels:
            if level.tasks:
                self._flying += 1
                return level.tasks.popleft()
        return None

    def done(self, task: FoldTask, part: Part | None) -> None:
        """What became of a fold that :meth:`ready` gave; None where it failed.

        Folds that do not depend on a failed one go on. Raises ValueError for one that is not open.
        """
        index = task.level - 1
        self._levels[index].done(task, part)
        self._flying -= 1
        if part is None:
            self.failed = True
        elif task.final:
            self._levels.clear()
            self.root = part
        else:
            self._climb(index)

    @property
    def finished(self) -> bool:
        """The root is there, or nothing was found."""
        return self.root is not None or (self._complete and not self._some)

    @property
    def over(self) -> bool:
        """No fold is open, and none will come any more."""
        idle = self._flying == 0 and not any(level.tasks for level in self._levels)
        return self.finished or (self._complete and idle)

    @property
    def stuck(self) -> bool:
        """It is over without a root, because folds did not get shorter than what they fold."""
        return self.over and not self.finished and not self.failed

    def left(self) -> Iterator[Part]:
        """Where it is over without a root: the parts that there are, in the document's order.

        Together they stand for all that was added, each chunk once.
        """
        for level in reversed(self._levels):
            yield from level.left()

    @property
    def _complete(self) -> bool:
        return self._places == self._next

    def _take(self, part: Part | None) -> None:
        """The next part in order. The first one is held until it is known to have company."""
        if part is None:
            return
        if not self._some:
            self._some = True
            self._only = part
            return
        for whole in filter(None, (self._only, part)):
            for piece in self._room.split(whole):
                self._levels[0].take(piece)
        self._only = None

    def _climb(self, index: int) -> None:
        """Hand pieces up from level to level, from the one that has changed."""
        if self._complete and self._some and not self.finished:
            if self._only is not None:
                self.root, self._only = self._only, None
                return
            self._levels[0].close()
        while index < len(self._levels):
            pieces, over = self._levels[index].hand_up()
            index += 1
            if (pieces or over) and index == len(self._levels):
                self._levels.append(Level(index + 1, self._room))
            for piece in pieces:
                self._levels[index].take(piece)
            if over:
                self._levels[index].close()
