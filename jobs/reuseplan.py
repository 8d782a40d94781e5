"""What a job need not ask again, or pay in full: rows that ask or begin the same, other jobs' rows.

Composed here, for `run` and `analyze`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .config import JobConfig
from .errors import ConfigError
from .events import CacheLost
from .ports import Clock, Observer, Sink, TextHeard, Worker
from .reuse.twins import Answers, RecentAnswers, Twins
from .reuse.warming import Beginnings, Warming, Warmth
from .sinks.file import FileSink
from .sources.grouping import Grouped, Rows
from .spans import SpanTable

if TYPE_CHECKING:
    from .cache.answers import Cache

OFF = (None, "", "off")

Order = Literal["finish", "input"]


class ReusePlan:
    """Found out before anything is sent; ``table`` is for an output that is opened.

    Raises ConfigError where what was asked for can't work.
    """

    def __init__(self, config: JobConfig, clock: Clock, environ: Mapping[str, str]) -> None:
        self.config = config
        self.table: SpanTable | None = None
        self._clock = clock
        self._beginning = Beginnings()
        self._warmth: Warmth | None = None
        self._moves = False
        self._cache: Cache | None = None
        self._folder: Path | None = None
        if config.cache in OFF or config.cache is None:
            return
        from .cache.place import bytes_of, cache_folder, check_folder

        if not config.dedupe:
            raise ConfigError(
                "--no-dedupe asks every row, and --cache does not ask what was asked before: leave "
                "one of them out (--cache=off)"
            )
        self._limit = bytes_of(config.cache_size)
        self._folder = cache_folder(config.cache, environ)
        check_folder(config.cache, environ, _has_input(config))

    def expect(self, total: int | None, order: Order, *, stream: bool) -> None:
        """So many rows there are; None where nobody knows. ``stream`` says that the output is one.

        Rows are neither held back nor moved where they come or go in an order of their own.
        """
        if self.config.dedupe:
            self.table = SpanTable(total)
        if total is not None and (order == "finish" or not stream):
            self._warmth = Warmth(self._clock)
            self._moves = order == "finish"

    @property
    def warms(self) -> bool:
        """Whether the first row of those that begin alike goes ahead of the others."""
        return self._warmth is not None

    def warm(self) -> None:
        """Do so in this process, whose rows are some of a job's."""
        self._warmth = Warmth(self._clock)

    def grouped(self, source: Rows) -> Rows:
        """The rows; those that begin alike next to each other, where order is free."""
        return Grouped(source, self._beginning, self._clock) if self._moves else source

    @property
    def heard(self) -> Sequence[TextHeard]:
        """Who is to be told of the first tokens."""
        return () if self._warmth is None else (self._warmth.heard,)

    @asynccontextmanager
    async def open(self, observe: Observer, *, begun: bool = False) -> AsyncGenerator[None, None]:
        """The cache, where one is wanted, until it is closed again.

        Raises ConfigError; where the job has ``begun`` elsewhere, it goes on without.
        """
        if self._folder is None:
            yield
            return
        from .cache.answers import Cache

        try:
            self._cache = cache = await asyncio.to_thread(
                Cache, self._folder, self._limit, lambda why: observe(CacheLost(why))
            )
        except ConfigError as error:
            if not begun:
                raise
            observe(CacheLost(str(error)))
            yield
            return
        cache.start()
        try:
            yield
        finally:
            await cache.aclose()

    async def check_cache(self) -> None:
        """Raise ConfigError where what others are to open can't be a cache."""
        if self._folder is not None:
            from .cache.database import open_database

            (await asyncio.to_thread(open_database, self._folder)).close()

    async def settle(self) -> None:
        """Every row has its end: what the cache is to keep is on its way to the disk."""
        if self._cache is not None:
            await self._cache.aclose()

    def around(self, worker: Worker, sink: Sink) -> Worker:
        """What is put around the asking of a row, from the inside out."""
        answers = self.answers(sink)
        worker = self.alone(worker)
        return worker if answers is None else Twins(worker, answers, self._clock)

    def alone(self, worker: Worker) -> Worker:
        """The same where another process knows which rows ask the same."""
        if self._warmth is not None:
            worker = Warming(worker, self._warmth, self._beginning)
        return self.cached(worker)

    def answers(self, sink: Sink) -> Answers | None:
        """Where answers are found again that other rows may share; None where none do."""
        if not self.config.dedupe:
            return None
        readable = isinstance(sink, FileSink) and sink.index.asked is not None
        return sink if readable and isinstance(sink, FileSink) else RecentAnswers()

    def cached(self, worker: Worker) -> Worker:
        """The worker with the cache alone."""
        if self._cache is None:
            return worker
        from .cache.caching import Cached

        return Cached(worker, self._cache, self._clock)

    def __repr__(self) -> str:
        return f"<ReusePlan, dedupe={self.config.dedupe}, cache={self._folder}>"


def _has_input(config: JobConfig) -> bool:
    return bool(config.inputs or getattr(config, "documents", ()))
