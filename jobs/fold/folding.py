"""Results of chunks and folds in, the rows of the next folds out, until one report is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..model import GOOD, Fold, Request, Result
from .annotator import Annotator
from .citations import present
from .part import Part
from .tree import FoldTask, Tree

Ask = Callable[[str, Fold], Request]
"""The request that folds the parts of this text."""


class Folding:
    """The fold of an analysis while it runs. ``ask`` makes the request of a fold.

    ``draft`` hears the text of the report as it is written, with its citations as they will stand;
    None where it begins anew. ``quotes`` says that the model was asked to quote.
    """

    def __init__(
        self, tree: Tree, ask: Ask, draft: Callable[[str | None], None], *, quotes: bool
    ) -> None:
        self._tree = tree
        self._quotes = quotes
        self._ask = ask
        self._draft = draft
        self._open: dict[str, FoldTask] = {}
        self._changed = asyncio.Event()
        self._live: Annotator | None = None
        self._shown = False
        self.folds = 0
        self.cut = 0
        self.failure: str | None = None
        self.last: Annotator | None = None
        """What wrote the report, with its counts; None where no fold did."""

    @property
    def root(self) -> Part | None:
        """The report; None while there is none, and where nothing was found."""
        return self._tree.root

    @property
    def finished(self) -> bool:
        return self._tree.over

    def left(self) -> tuple[Part, ...]:
        """The parts that could not be folded into one."""
        return tuple(self._tree.left()) if self._tree.stuck else ()

    def add(self, number: int, part: Part | None) -> None:
        """What chunk ``number`` gave; None where that is nothing, or it failed."""
        self._tree.add(number - 1, part)
        self._changed.set()

    def empty(self, number: int) -> None:
        self.add(number, None)

    def counted(self, chunks: int) -> None:
        self._tree.close(chunks)
        self._changed.set()

    async def changed(self) -> None:
        await self._changed.wait()

    def next(self) -> Request | None:
        self._changed.clear()
        task = self._tree.ready()
        if task is None:
            return None
        shown = present(task.parts)
        fold = Fold(
            level=task.level,
            number=task.number,
            first_chunk=task.first,
            last_chunk=task.last,
            sources=tuple(chunk.number for chunk in shown.sources),
            final=task.final,
        )
        row = self._ask(shown.text, fold)
        self._open[row.id] = task
        return row

    def heard(self, row: Request, text: str | None) -> None:
        """A piece of the answer to ``row`` has come; None where an attempt at it begins."""
        task = self._open.get(row.id)
        if task is None or not task.final:
            return
        if text is None:
            if self._shown:
                self._shown = False
                self._draft(None)
            self._live = Annotator(task.parts, quotes=self._quotes)
        elif self._live is not None:
            piece = self._live.feed(text)
            piece = piece if self._shown else piece.lstrip()
            if piece:
                self._shown = True
                self._draft(piece)

    def taken(self, result: Result) -> None:
        """How a fold ended."""
        task = self._open.pop(result.id)
        self.folds += 1
        part = None
        if result.status in GOOD and isinstance(result.output, str) and result.output.strip():
            self.cut += result.status == "truncated"
            annotator = Annotator(task.parts, quotes=self._quotes)
            annotator.feed(result.output)
            annotator.end()
            part = annotator.part(task.first, task.last)
            if task.final:
                self.last = annotator
        else:
            why = result.error.message if result.error else f"its answer is {_words(result)}"
            self.failure = f"{result.id} failed: {why}"
        self._tree.done(task, part)
        self._changed.set()

    def __repr__(self) -> str:
        return f"<Folding {self._tree!r}>"


def _words(result: Result) -> str:
    """What is wrong with an answer that came without an error."""
    if result.status in GOOD:
        return "empty"
    return f"{result.status}, which is final: another --fold-prompt, or --fold concat, does without"


class NoFolding:
    """Stands where nothing is folded by a model: the map is all there is."""

    finished = True

    def next(self) -> Request | None:
        return None

    def add(self, number: int, part: Part | None) -> None: ...

    def empty(self, number: int) -> None: ...

    def counted(self, chunks: int) -> None: ...

    async def changed(self) -> None:
        await asyncio.Event().wait()  # nothing ever does
