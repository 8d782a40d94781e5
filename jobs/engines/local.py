"""All calls on one event loop: a pool of pumps from source through worker to sink."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from ..drain import Drain, Stop
from ..errors import LlmbatchError, SourceError
from ..events import Draining, RowFinished, RowSkipped, RowsSkipped, SourceWaited
from ..model import Row
from ..ports import Clock, Observer, Sink, Source, Worker

Place = asyncio.Future[tuple[Row | None] | None]
"""Of a pump that wants a row: it gets one (None where there is none), or its turn to read."""

NOTICEABLE = 0.001
"""A shorter wait for the source, in seconds, is not worth an event."""


BREATH = 500
"""Rows that are skipped in one go before the loop may turn to signals and timers."""

AT_ONCE = 32
"""Rows that are begun in one go before the loop may turn to streams, signals and timers."""

GROWTH = 16
"""For so many rows that were begun one pump more is opened at a time, up to ``AT_ONCE``."""


class Drained(Exception):
    """The job is ending, and this row is not to be sent again."""


class Seat:
    """One pump's place in the engine, and what its row is doing.

    The worker sets ``sending`` when a request goes out; it holds until the row's result is
    written or the row backs off. Used as a context it says that the row backs off, so that
    another row may be let in for as long.
    """

    __slots__ = ("_engine", "sending", "task")

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self.sending = False
        self.task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self.sending = False
        self._engine.park()

    def __exit__(self, *exc: object) -> None:
        self._engine.unpark()

    def __repr__(self) -> str:
        return f"<Seat {'sending' if self.sending else 'waiting'}>"


class LocalEngine:
    """Runs at most ``width()`` rows at a time, and lets others in for those that back off.

    The width is asked for whenever a row comes or goes, so it may change while the job runs: what
    is new of it is used with the next row that ends; pumps that are too many leave when their row
    has ended.

    Rows are read when a pump is free, so what is held in memory is at most four times the widest
    width in rows, however long the input. When ``drain`` is asked for, rows that were not sent yet
    are let go (a resumed run sends them), those with the provider have ``grace`` seconds to finish.
    Where a budget is what ends the job, they have all the time they take: they are paid for.
    """

    def __init__(
        self,
        *,
        width: Callable[[], int],
        drain: Drain,
        grace: float,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._width = width
        self._widest = 1
        self._drain = drain
        self._grace = grace
        self._clock = clock
        self._observe = observer
        self._seats: set[Seat] = set()
        self._parked = 0
        self._exhausted = False
        self._broken: SourceError | None = None
        self._reading = False
        self._wanting: deque[Place] = deque()
        self._begun = 0

    async def run(self, source: Source, worker: Worker, sink: Sink) -> None:
        """Pump until the source is dry or the drain is done; raises the first error of the job.

        A source that breaks ends the job like one that is dry: the rows it gave are finished
        first. A sink that breaks ends it at once.
        """
        self._rows: AsyncIterator[Row | RowsSkipped] = source.requests()
        self._worker = worker
        self._sink = sink
        deadline: asyncio.TimerHandle | None = None

        def drain(stop: Stop) -> None:
            nonlocal deadline
            self._let_go()
            # The row whose failure ends the job has its end; only the others may still finish.
            own = asyncio.current_task()
            in_flight = sum(seat.task is not own for seat in self._seats)
            grace = None if stop.cause == "budget" else self._grace
            self._observe(Draining(stop.message, in_flight, grace))
            if grace is not None:
                loop = asyncio.get_running_loop()
                deadline = loop.call_later(grace, self._cancel, list(self._seats))

        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._spawn()
                self._drain.listen(drain)
        except BaseExceptionGroup as errors:
            raise first(errors) from None
        finally:
            if deadline is not None:
                deadline.cancel()
            close = getattr(self._rows, "aclose", None)
            if close is not None:
                await close()
        if self._broken is not None:
            raise self._broken

    def park(self) -> None:
        """A row backs off: its place goes to another one, as far as memory allows."""
        if self._drain.stop is not None:
            raise Drained
        self._parked += 1
        self._grow()

    def unpark(self) -> None:
        """The row is back."""
        self._parked -= 1

    def _grow(self) -> None:
        """Open pumps where there is room, the more the more rows there were.

        New ones do the same when they have read a row, and so on up to the width; so there are
        never many more than rows.
        """
        width = self._width()
        if width > self._widest:
            self._widest = width
        at_once = min(AT_ONCE, 1 + self._begun // GROWTH)
        while (
            len(self._seats) - self._parked < width
            and len(self._seats) < 4 * self._widest
            and not self._exhausted
        ):
            self._spawn()
            at_once -= 1
            if at_once <= len(self._wanting):
                break

    def _too_many(self) -> bool:
        """One is always left, whatever the width: the rows must come to their end."""
        active = len(self._seats) - self._parked
        return active > 1 and active > self._width()

    def _spawn(self) -> None:
        seat = Seat(self)
        self._seats.add(seat)
        seat.task = self._group.create_task(self._pump(seat))

    async def _pump(self, seat: Seat) -> None:
        try:
            while not self._too_many():
                seat.sending = False
                row = await self._next()
                if row is None:
                    return
                self._grow()
                result = await self._worker(row, seat)
                await self._sink.write(result)
                self._observe(RowFinished(result, row.path, row))
        except Drained:
            return
        finally:
            self._seats.discard(seat)

    async def _next(self) -> Row | None:
        """The next row that is to run; None when there is none, or none is wanted any more.

        One pump reads at a time. While others wait for a row they get what it reads: were reading
        handed on from one to the next, rows would begin one a turn of the loop.
        """
        if self._reading:
            place: Place = asyncio.get_running_loop().create_future()
            self._wanting.append(place)
            try:
                given = await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled() and place.result() is None:
                    self._hand_on()
                raise
            if given is not None:
                return given[0]
        self._reading = True
        try:
            while True:
                row = await self._wanted()
                another = self._first_wanting() if self._wanting else None
                if another is None:
                    return row
                another.set_result((row,))
        finally:
            self._hand_on()

    def _hand_on(self) -> None:
        """The turn to read goes to whoever waits longest."""
        heir = self._first_wanting()
        self._reading = heir is not None
        if heir is not None:
            heir.set_result(None)

    def _first_wanting(self) -> Place | None:
        while self._wanting:
            place = self._wanting.popleft()
            if not place.done():  # else its pump was let go
                return place
        return None

    async def _wanted(self) -> Row | None:
        """Read on to a row that the output does not have."""
        self._begun += 1
        if not self._begun % AT_ONCE:
            await asyncio.sleep(0)
        skipped = 0
        while not self._exhausted and self._drain.stop is None:
            row = await self._read()
            if row is None:
                self._exhausted = True
                break
            if isinstance(row, RowsSkipped):
                if row.statuses:
                    self._observe(row)
                skipped += sum(row.statuses.values())
            elif (status := await self._sink.expect(row)) is not None:
                self._observe(RowSkipped(row.id, status))
                skipped += 1
            else:
                return row
            if skipped >= BREATH:
                skipped = 0
                await asyncio.sleep(0)
        return None

    async def _read(self) -> Row | RowsSkipped | None:
        began = self._clock.now()
        try:
            row = await anext(self._rows, None)
        except SourceError as error:
            self._broken = error
            row = None
        waited = self._clock.now() - began
        if isinstance(row, RowsSkipped):
            waited -= row.seconds
        if waited > NOTICEABLE:
            self._observe(SourceWaited(waited))
        return row

    def _let_go(self) -> None:
        waiting = [seat for seat in self._seats if not seat.sending]
        self._cancel(waiting)
        self._seats.difference_update(waiting)

    @staticmethod
    def _cancel(seats: list[Seat]) -> None:
        for seat in seats:
            if seat.task is not None:
                seat.task.cancel()

    def __repr__(self) -> str:
        return f"<LocalEngine {len(self._seats)} open, {self._parked} waiting>"


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to report: this project's own before any other, a group is never shown."""
    flat: list[BaseException] = []
    stack: list[BaseException] = [errors]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            flat.append(error)
    return next((e for e in flat if isinstance(e, LlmbatchError)), flat[-1])
