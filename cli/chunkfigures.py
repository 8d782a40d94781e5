"""How far an analysis has come, in chunks and folds."""

from __future__ import annotations

import math

from llmbatch.jobs.summary import Tally

from .figures import Figures


class ChunkFigures(Figures):
    """Goes by the bytes of the documents as long as nobody knows how many chunks there are."""

    unit = ""  # the count says it
    pace = "requests"

    def __init__(self, tally: Tally, elapsed: float, *, stopping: bool = False) -> None:
        super().__init__(tally, elapsed, stopping=stopping)
        self.covering = tally.covering
        self.done = self.covering.ended

    @property
    def bytes(self) -> int | None:
        """The size of the documents; None where it is of no use, or of no use any more."""
        return None if self.covering.chunks is not None else self.tally.started.bytes or None

    @property
    def chunks(self) -> int | None:
        """How many there are, as far as can be told."""
        covering, size = self.covering, self.bytes
        if size is None or not covering.ended_bytes:
            return covering.chunks
        return max(covering.ended, math.ceil(covering.ended * size / covering.ended_bytes))

    @property
    def counted(self) -> str:
        chunks = self.chunks
        if chunks is None:
            return _chunks(self.done)
        about = "" if self.bytes is None else "about "
        return f"{self.done:,} of {about}{_chunks(chunks)}"

    @property
    def reached(self) -> tuple[int, int | None]:
        size = self.bytes
        if size is None:
            return self.done, self.covering.chunks
        return min(self.covering.ended_bytes, size), size

    @property
    def to_come(self) -> float | None:
        """Folds are to come in the number in which they came so far."""
        chunks, folds = self.chunks, self.tally.folds
        if chunks is None:
            return None
        asked = self.ran - folds
        return (chunks - self.done) * (1 + (folds / asked if asked > 0 else 0))

    def beside(self) -> list[str]:
        folds = self.tally.folds
        return [f"{folds:,} fold" + "s" * (folds != 1)] if folds else []


def _chunks(number: int) -> str:
    return f"{number:,} chunk" + "s" * (number != 1)
