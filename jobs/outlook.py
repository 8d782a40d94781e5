"""How far a job has come, and how long it will take still: numbers, for whoever shows them."""

from __future__ import annotations

import math

from .model import GOOD
from .summary import Tally


class Outlook:
    """The tally's state ``elapsed`` seconds after the start.

    This one counts rows; what counts otherwise says so in a class of its own.
    """

    def __init__(self, tally: Tally, elapsed: float, *, stopping: bool = False) -> None:
        self.tally = tally
        self.elapsed = max(elapsed, 1e-6)
        self.stopping = stopping
        self.ran = sum(tally.rows.values())
        self.done = self.ran + sum(tally.skipped.values())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.done} of {self.whole}>"

    @property
    def whole(self) -> int | None:
        """Of how many ``done`` is a part, as far as can be told."""
        return self.tally.started.total

    @property
    def reached(self) -> tuple[int, int | None]:
        """How far, of how much; None where that is not known."""
        return self.done, self.tally.started.total

    @property
    def to_come(self) -> float | None:
        """How many rows are still to run; None where that is not known."""
        total = self.tally.started.total
        return None if total is None else total - self.done

    @property
    def failed(self) -> int:
        return sum(n for status, n in self.tally.rows.items() if status not in GOOD)

    @property
    def left(self) -> float | None:
        """Seconds to the end: by the pace so far, and never faster than the limits allow.

        Limits that the server named count like the user's.
        """
        started, rows = self.tally.started, self.to_come
        if rows is None:
            return None
        first = self.tally.traffic.get(started.model)
        rpm = started.rpm if first is None or first.rpm is None else first.rpm
        tpm = started.tpm if first is None or first.tpm is None else first.tpm
        estimates = []
        if self.ran:
            estimates.append(rows * self.elapsed / self.ran)
            usage = self.tally.usage
            tokens = (usage.input_tokens + usage.output_tokens) / self.ran
            if tpm:
                estimates.append(rows * tokens / tpm * 60)
        if rpm:
            estimates.append(rows / rpm * 60)
        return max(estimates, default=None)


class ChunkOutlook(Outlook):
    """Goes by the bytes of the documents as long as nobody knows how many chunks there are."""

    def __init__(self, tally: Tally, elapsed: float, *, stopping: bool = False) -> None:
        super().__init__(tally, elapsed, stopping=stopping)
        self.covering = tally.covering
        self.done = self.covering.ended

    @property
    def bytes(self) -> int | None:
        """The size of the documents; None where it is of no use, or of no use any more."""
        return None if self.covering.chunks is not None else self.tally.started.bytes or None

    @property
    def whole(self) -> int | None:
        return self.chunks

    @property
    def chunks(self) -> int | None:
        """How many there are, as far as can be told."""
        covering, size = self.covering, self.bytes
        if size is None or not covering.ended_bytes:
            return covering.chunks
        return max(covering.ended, math.ceil(covering.ended * size / covering.ended_bytes))

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
