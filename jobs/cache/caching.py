"""Around the asking of a row: what another job asked already is not asked again."""

from __future__ import annotations

from ..model import Request, Result, Row
from ..ports import Clock, Seat, Worker
from ..reuse.copies import of_cached, storable
from .answers import Cache


class Cached:
    """A worker that looks into the cache first, and keeps good answers there."""

    __slots__ = ("_cache", "_clock", "_worker")

    def __init__(self, worker: Worker, cache: Cache, clock: Clock) -> None:
        self._worker = worker
        self._cache = cache
        self._clock = clock

    async def __call__(self, row: Row, seat: Seat) -> Result:
        """How the row ended; raises what the worker raises."""
        if not isinstance(row, Request):
            return await self._worker(row, seat)
        answer = self._cache.find(row.fingerprint)
        if answer is not None:
            return of_cached(row, answer, self._clock.now(), self._clock.wall())
        result = await self._worker(row, seat)
        if storable(result):
            self._cache.keep(result)
        return result

    def __repr__(self) -> str:
        return f"<Cached {self._cache!r} around {self._worker!r}>"
