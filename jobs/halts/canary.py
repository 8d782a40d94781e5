"""Rows that run before the rest, and the verdict that the rest waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Generic, Protocol, TypeVar

from ..drain import Drain, Stop
from ..events import Event, Noted, RowFinished, RowSkipped
from ..ports import Clock, Observer
from .measured import Ended, Measured
from .rule import COUNTED, DEFAULT, Rule
from .watch import over_count, over_limit, over_share

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Rows(Protocol[R_co]):
    """A source whose rows can be given back."""

    def requests(self) -> AsyncGenerator[R_co, None]: ...


def spread(count: int, total: int) -> Sequence[int]:
    """The places, from 0, of ``count`` of ``total`` rows, evenly over all of them."""
    return range(total) if count >= total else [n * total // count for n in range(count)]


class Canary:
    """Counts how its rows end, and asks for the end of the job where they break a rule.

    Rows that an earlier run has done count with the status that they had. A share that is broken
    whatever becomes of the other rows is not waited for. ``waited`` is the time in seconds that
    the source waited for the verdict: the engine takes it for a slow source.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        size: int,
        *,
        drain: Drain,
        clock: Clock,
        observe: Observer,
    ) -> None:
        self._rules = tuple(rules) or (DEFAULT,)
        self.size = size
        self._drain = drain
        self._clock = clock
        self._observe = observe
        self._given = 0
        self._rows = Measured()
        self._verdict: asyncio.Future[None] | None = None
        self.open = True
        self.waited = 0.0

    def __call__(self, event: Event) -> None:
        """Nothing but the canary's rows ends before its verdict."""
        if not self.open:
            return
        if isinstance(event, RowFinished):
            self._rows.add(Ended.of(event.result))
        elif isinstance(event, RowSkipped):
            self._rows.add(Ended(event.status))
        else:
            return
        for rule in self._rules:
            if why := self._certain(rule):
                self._halt(rule, why)
                return
        if self._rows.rows >= self._given:
            self._wake()

    async def rows_of(self, rows: AsyncGenerator[R, None]) -> AsyncGenerator[R, None]:
        """The first of the rows, as many as it has."""
        while self._given < self.size:
            row = await anext(rows, None)
            if row is None:
                return
            self._given += 1
            yield row

    async def verdict(self) -> bool:
        """Wait until every row that was given has ended; whether the others may be sent."""
        if self.open and self._rows.rows < self._given:
            self._verdict = asyncio.get_running_loop().create_future()
            began = self._clock.now()
            try:
                await self._verdict
            finally:
                self._verdict = None
                self.waited += self._clock.now() - began
        for rule in self._rules:
            if self.open and (why := self._broken(rule)):
                self._halt(rule, why)
        passed, self.open = self.open, False
        if passed:
            self._observe(Noted(_passed(self._rows)))
        return passed

    def _certain(self, rule: Rule) -> str | None:
        """Why the rule is broken, whatever becomes of the rows that have not ended."""
        if rule.metric not in COUNTED:
            return None
        count = self._rows.counts[rule.metric]
        if not rule.share:
            return over_count(rule, count, "of it")
        return over_share(rule, count, self.size, "its")

    def _broken(self, rule: Rule) -> str | None:
        """Why the rule is broken now that all of them have ended."""
        if rule.metric in COUNTED and not rule.share:
            return self._certain(rule)
        return over_limit(rule, self._rows, 1, "its")

    def _halt(self, rule: Rule, why: str) -> None:
        self.open = False
        self._wake()
        self._drain.request(Stop("halt", f"the canary broke {rule}: {why}"))

    def _wake(self) -> None:
        if self._verdict is not None and not self._verdict.done():
            self._verdict.set_result(None)

    def __repr__(self) -> str:
        return f"<Canary {self._rows!r} of {self.size}>"


def _passed(rows: Measured) -> str:
    failed = rows.counts["failed"]
    return f"the canary has passed: {failed:,} of its {rows.rows:,} rows failed"


class CanarySource(Generic[R]):
    """The canary's rows, and once they have passed the rest.

    ``first`` gives the canary's rows; where there is no ``rest``, the others behind them as well.
    """

    def __init__(
        self, canary: Canary, first: Rows[R], rest: Callable[[], Rows[R]] | None = None
    ) -> None:
        self._canary = canary
        self._first = first
        self._rest = rest

    async def requests(self) -> AsyncGenerator[R, None]:
        """Raises SourceError, as its sources do."""
        async with aclosing(self._first.requests()) as rows:
            async for row in self._canary.rows_of(rows):
                yield row
            if not await self._canary.verdict():
                return
            if self._rest is None:
                async for row in rows:
                    yield row
        if self._rest is not None:
            async with aclosing(self._rest().requests()) as rows:
                async for row in rows:
                    yield row

    def __repr__(self) -> str:
        return f"<CanarySource {self._first!r}, {self._canary!r}>"
