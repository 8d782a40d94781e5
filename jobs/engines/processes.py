"""All cores: workers over disjoint slices of the rows, one process each with its own loop.

This side owns what there is one of: the input, the order, who is asked, the output, the events.
"""

from __future__ import annotations

import asyncio
import pickle
from collections import deque
from collections.abc import AsyncGenerator

from ..drain import Drain, Stop
from ..errors import LlmbatchError, SourceError
from ..events import BreakerClosed, BreakerOpened, Draining, Event, Noted, SourceWaited
from ..ports import Clock, Observer, Sink
from ..workers import messages
from ..workers.crew import Crew, RawSource
from ..workers.messages import Broken, Bye, Done, Ending, Finish, Happened, Named, Want
from ..workers.process import Hand
from ..workers.roll import Roll
from ..workers.rows import Out, Place, RawLine
from .chorus import Chorus
from .local import NOTICEABLE, first

STILLBORN = 3
"""Workers of each number that may die in a row before any asks for rows."""

FRUITLESS = 10
"""Workers of each number that may die in a row before any of them has answered a row."""

LEAVE = 5.0
"""Seconds that a worker gets to leave by itself when it has said goodbye."""


class ProcessEngine:
    """Gives rows to workers that want some, and takes their results.

    A worker that dies is replaced and its rows are asked again. When ``drain`` is asked for all of
    them are told; each lets go of what it has not sent, as :class:`.local.LocalEngine` does.
    """

    def __init__(self, crew: Crew, *, drain: Drain, clock: Clock, observer: Observer) -> None:
        self._crew = crew
        self._drain = drain
        self._clock = clock
        self._observe = observer
        self._places: dict[Hand, Place] = {}
        self._again: deque[Out] = deque()
        self._exhausted = False
        self._broken: SourceError | None = None
        self._stillborn = self._fruitless = 0
        self._wanted = asyncio.Event()
        self._there: set[int] = set()
        self._all_there = asyncio.Event()
        self._draining: list[Draining] = []
        self._told = False
        self._chorus = Chorus(observer, clock.now, crew.starts)
        self._reading: list[asyncio.Task[None]] = []
        self._deadline: asyncio.TimerHandle | None = None

    async def run(self, source: RawSource, sink: Sink) -> None:
        """Until every row has its end or the drain is done; raises the first error of the job."""
        crew = self._crew
        self._roll = Roll(
            sink,
            crew.claims,
            self._observe,
            sources=crew.sources,
            default_id=crew.default_id,
            ids=crew.ids,
            row_of=crew.row_of,
            changed=self._row_ended,
        )
        rows = source.requests()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(1, crew.size + 1):
                    group.create_task(self._keep(number))
                self._reading = [
                    group.create_task(self._feed(rows)),
                    group.create_task(self._roll.judge()),
                ]
                self._drain.listen(self._end)
        except BaseExceptionGroup as errors:
            raise first(errors) from None
        finally:
            if self._deadline is not None:
                self._deadline.cancel()
            await rows.aclose()
        if self._broken is not None:
            raise self._broken

    async def _keep(self, number: int) -> None:
        """Have a worker of this number, and another one where it dies, until the job ends."""
        while True:
            try:
                hand = await Hand.start(number, self._crew.setup(number))
            except OSError as error:
                raise LlmbatchError(f"a worker process can't be started: {error}") from error
            place = self._places[hand] = Place(hand)
            patience = 0.0
            try:
                for desk in set(self._crew.desks.values()):
                    desk.came(hand)
                self._greet(hand)
                said_bye = await self._attend(place)
                patience = LEAVE
            finally:
                del self._places[hand]
                how = await hand.aclose(patience)
                for desk in set(self._crew.desks.values()):
                    desk.left(hand)
                self._chorus.left(number)
            if said_bye or self._drain.stop is not None:
                self._check_drained()
                return
            await self._replace(place, how)

    def _greet(self, hand: Hand) -> None:
        """It may come when everything is over."""
        if self._drain.stop is not None:
            hand.channel.send(Ending(self._drain.stop.cause, self._drain.stop.message))
        elif self._finished:
            hand.channel.send(Finish())

    async def _attend(self, place: Place) -> bool:
        """Listen to a worker; whether it said goodbye before it went."""
        channel = place.hand.channel
        while (message := await channel.get()) is not None:
            match message:
                case Done():
                    self._fruitless = 0
                    if await self._roll.done(place, message):
                        place.answered = self._clock.now()
                case Named():
                    self._roll.name(message)
                case Want():
                    self._stillborn = 0
                    place.wants += message.rows
                    self._arrived(place.hand.number)
                    self._serve(place)
                case Happened():
                    event = pickle.loads(message.event)  # noqa: S301 - our own process
                    self._happened(place.hand.number, event)
                case Ending():
                    if message.cause != "outage" or not self._others_answer(place):
                        self._drain.request(Stop(message.cause, message.message))
                case Broken():
                    raise pickle.loads(message.error)  # noqa: S301 - our own process
                case Bye():
                    if message.lag is not None:
                        self._crew.lagged(message.lag)
                    return True
                case _:
                    self._crew.desks[type(message)].take(place.hand, message)
        return False

    def _others_answer(self, place: Place) -> bool:
        """Whether the server answers while it does not answer this worker, which then waits on."""
        since = self._clock.now() - self._crew.max_outage
        return any(o.answered > since for o in self._places.values() if o is not place)

    def _arrived(self, number: int) -> None:
        """A worker is there, or died before it was: nobody waits for it any more."""
        if not self._all_there.is_set():
            self._there.add(number)
            if len(self._there) == self._crew.size:
                self._all_there.set()

    def _serve(self, place: Place) -> None:
        """Rows that were with a worker which died come first."""
        again = self._again
        for _ in range(len(again)):
            if place.wants <= 0:
                break
            out = again.popleft()
            if out.suspect and place.suspect is not None:
                again.append(out)
            elif out in self._roll:
                place.give(out)
        if place.wants > 0:
            self._wanted.set()

    def _serve_all(self) -> None:
        for place in self._places.values():
            self._serve(place)

    async def _feed(self, rows: AsyncGenerator[RawLine, None]) -> None:
        """Read rows as workers want them, once all of them are there: then each has its share."""
        places = self._places
        await self._all_there.wait()
        while True:
            place = max(places.values(), key=lambda place: place.wants, default=None)
            if place is None or place.wants <= 0:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            raw = await self._read(rows)
            if raw is None:
                break
            out = self._roll.add(raw)
            if place.hand in places and place.wants > 0:  # it may have gone meanwhile
                place.give(out)
            else:
                self._again.append(out)
                self._serve_all()
        self._exhausted = True
        self._check_finished()

    async def _read(self, rows: AsyncGenerator[RawLine, None]) -> RawLine | None:
        began = self._clock.now()
        try:
            raw = await anext(rows, None)
        except SourceError as error:
            self._broken, raw = error, None
        waited = self._clock.now() - began
        if waited > NOTICEABLE:
            self._observe(SourceWaited(waited))
        return raw

    async def _replace(self, place: Place, how: str) -> None:
        """A worker died: what it had is asked again, by whoever wants it first."""
        hand, rows = place.hand, len(place.holds)
        again = "" if not rows else ": its row is" if rows == 1 else f": its {rows} rows are"
        again = again and f"{again} asked again"
        self._observe(Noted(f"worker {hand.number} (process {hand.pid}) {how}{again}"))
        self._again.extend(await self._roll.lost(place, how))
        self._arrived(hand.number)
        self._stillborn, self._fruitless = self._stillborn + 1, self._fruitless + 1
        size = self._crew.size
        if self._stillborn > STILLBORN * size or self._fruitless > FRUITLESS * size:
            text = f"worker processes end before they have done anything; the last one {how}"
            self._drain.request(Stop("fatal", text))
        self._serve_all()

    @property
    def _finished(self) -> bool:
        return self._exhausted and not len(self._roll)

    def _row_ended(self) -> None:
        if self._again:
            self._serve_all()
        self._check_finished()

    def _check_finished(self) -> None:
        if self._finished and self._drain.stop is None:
            self._stop_reading()
            for place in self._places.values():
                place.hand.channel.send(Finish())

    def _end(self, stop: Stop) -> None:
        """No more rows; each worker tells how many it still waits for."""
        self._stop_reading()
        for place in self._places.values():
            place.hand.channel.send(Ending(stop.cause, stop.message))
        if stop.cause != "budget":  # what is paid for has all the time it takes
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._crew.grace + LEAVE, self._end_the_silent)

    def _end_the_silent(self) -> None:
        """Workers end by themselves when their rows had their time; who does not is stuck."""
        for place in self._places.values():
            hand = place.hand
            self._observe(
                Noted(f"worker {hand.number} (process {hand.pid}) does not end, and is ended")
            )
            hand.kill()

    def _stop_reading(self) -> None:
        for task in self._reading:
            task.cancel()

    def _happened(self, number: int, event: Event) -> None:
        if isinstance(event, Draining):
            self._draining.append(event)
            self._check_drained()
            return
        self._chorus.heard(number, event)
        # Whether somebody answers there is found out by one of them for all.
        news: messages.Out | messages.Back
        if isinstance(event, BreakerOpened):
            news = messages.Out(event.route, event.reason, event.cooldown)
        elif isinstance(event, BreakerClosed):
            news = messages.Back(event.route)
        else:
            return
        for place in self._places.values():
            if place.hand.number != number:
                place.hand.channel.send(news)

    def _check_drained(self) -> None:
        """All workers have said how many rows are under way: that is told once."""
        told = self._draining
        if told and len(told) >= len(self._places) and not self._told:
            self._told = True
            self._observe(Draining(told[0].reason, sum(t.in_flight for t in told), told[0].grace))

    def __repr__(self) -> str:
        return f"<ProcessEngine, {len(self._places)} workers>"
