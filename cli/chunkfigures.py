"""How far an analysis has come, in chunks and folds."""

from __future__ import annotations

from llmbatch.jobs.outlook import ChunkOutlook

from .figures import Figures


class ChunkFigures(ChunkOutlook, Figures):
    """The outlook in words: this one is about chunks."""

    unit = ""  # the count says it
    pace = "requests"

    @property
    def counted(self) -> str:
        chunks = self.chunks
        if chunks is None:
            return _chunks(self.done)
        about = "" if self.bytes is None else "about "
        return f"{self.done:,} of {about}{_chunks(chunks)}"

    def beside(self) -> list[str]:
        folds = self.tally.folds
        return [f"{folds:,} fold" + "s" * (folds != 1)] if folds else []


def _chunks(number: int) -> str:
    return f"{number:,} chunk" + "s" * (number != 1)
