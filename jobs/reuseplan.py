"""What a job need not ask again: rows that ask the same. Composed here, for `run` and `analyze`."""

from __future__ import annotations

from .compact import OffsetTable
from .config import JobConfig
from .ports import Clock, Sink, Worker
from .sinks.file import FileSink
from .twins import RecentAnswers, Twins


class ReusePlan:
    """Found out before anything is sent; ``table`` is for an output that is opened."""

    def __init__(self, config: JobConfig, clock: Clock) -> None:
        self.config = config
        self.table: OffsetTable | None = None
        self._clock = clock

    def expect(self, total: int | None) -> None:
        """So many rows there are; None where nobody knows."""
        if self.config.dedupe:
            self.table = OffsetTable(total)

    def around(self, worker: Worker, sink: Sink) -> Worker:
        """What is put around the asking of a row, from the inside out."""
        if self.config.dedupe:
            readable = isinstance(sink, FileSink) and sink.index.asked is not None
            answers = sink if readable and isinstance(sink, FileSink) else RecentAnswers()
            worker = Twins(worker, answers, self._clock)
        return worker

    def __repr__(self) -> str:
        return f"<ReusePlan, dedupe={self.config.dedupe}>"
