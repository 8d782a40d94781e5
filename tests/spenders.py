"""Jobs under one budget whose rows several workers ask, all in one loop and in virtual time.

The messages are the real ones, encoded, in order, and some of them take their time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from random import Random
from typing import Any, cast

import msgspec
from scripted import Ran
from spender import Habits, Kept, Study

from llmbatch.jobs.budget.desk import BudgetDesk
from llmbatch.jobs.budget.excess import Excess
from llmbatch.jobs.budget.ledger import NOTHING, Amount, Caps
from llmbatch.jobs.budget.remote import RemoteFunds
from llmbatch.jobs.budget.till import Till
from llmbatch.jobs.drain import Drain, Stop
from llmbatch.jobs.engines.local import LocalEngine
from llmbatch.jobs.model import Request, Row
from llmbatch.jobs.workers.messages import (
    Aside,
    Ending,
    Learned,
    read_from_worker,
    read_to_worker,
)
from virtualtime import VirtualClock

_encode = msgspec.msgpack.Encoder().encode


class Wire:
    """One way of a channel: what is sent is handed over in order, each after a ``delay``."""

    def __init__(self, take: Callable[[Any], None], read: Any, delay: Callable[[], float]) -> None:
        self._take = take
        self._read = read
        self._delay = delay
        self._on_it: deque[bytes] = deque()
        self._moving: asyncio.Task[None] | None = None
        self.cut = False

    def send(self, message: object) -> None:
        """Of one that is cut it is lost."""
        if self.cut:
            return
        self._on_it.append(_encode([message]))
        if self._moving is None:
            self._moving = asyncio.create_task(self._move())

    async def _move(self) -> None:
        while self._on_it:
            await VirtualClock().sleep(self._delay())
            for message in self._read(self._on_it.popleft()):
                self._take(message)
        self._moving = None

    async def empty(self) -> None:
        """Return when all that was sent has come."""
        while self._moving is not None:
            await self._moving

    def __repr__(self) -> str:
        return f"<Wire, {len(self._on_it)} on it>"


class Line:
    """A worker's line to the desk: ``funds`` is its end, and it is itself the hand at the other."""

    def __init__(self, desk: BudgetDesk, delay: Callable[[], float] = lambda: 0.0) -> None:
        self.desk = desk
        self.up = Wire(lambda message: desk.take(cast(Any, self), message), read_from_worker, delay)
        self.channel = Wire(self._heard, read_to_worker, delay)
        self.funds = RemoteFunds(cast(Any, self.up))
        self.ran: Ran | None = None
        self.funds.begin()

    def _heard(self, message: Any) -> None:
        ran = self.ran
        match message:
            case Aside():
                self.funds.answered(message)
            case Learned() if ran is not None and ran.spending is not None:
                ran.spending.widen(
                    message.lane, Excess(message.input, message.output, message.markup)
                )
            case Ending() if ran is not None:
                ran.drain.request(Stop(message.cause, message.message))

    async def die(self) -> None:
        """What has left the worker still comes, and then it is gone."""
        self.up.cut = self.channel.cut = True
        await self.up.empty()
        self.desk.left(cast(Any, self))

    def __repr__(self) -> str:
        return f"<Line {self.up!r} {self.channel!r}>"


class Shared:
    """The rows of a job, of which each worker takes the next one."""

    def __init__(self, rows: deque[Request], taken: list[Request]) -> None:
        self.rows = rows
        self.taken = taken

    async def requests(self) -> AsyncIterator[Row]:
        while self.rows:
            self.taken.append(self.rows.popleft())
            yield self.taken[-1]


class Studies(Study):
    """The same job with several workers, some of which are killed after so many seconds."""

    def __init__(self, seed: int, habits: Habits, *, workers: int = 2, rows: int = 150) -> None:
        super().__init__(seed, habits, rows=rows)
        self.seed = seed
        self.workers = workers
        self.drain = Drain()

    async def ask(
        self, caps: Caps, earlier: Amount = NOTHING, *, deaths: int = 0, interrupt: float = 0.0
    ) -> Till:
        """Go on with what is left of the rows."""
        random = Random(self.seed + 1)
        self.drain = Drain()
        till = Till(caps, self.drain, earlier)
        desk = BudgetDesk(till)
        rows = deque(row for row in self.rows if row.id not in self.sink.results)
        if interrupt:
            stop = Stop("SIGINT", "interrupted")
            asyncio.get_running_loop().call_later(interrupt, self.drain.request, stop)

        def delay() -> float:
            return random.choice([0.0, 0.0, random.uniform(0, 0.05)])

        async def keep(deaths: int) -> None:
            for life in range(deaths + 1):
                line, taken = Line(desk, delay), list[Request]()
                last = life == deaths
                work = asyncio.create_task(self._work(caps, line, Shared(rows, taken)))
                done, _ = await asyncio.wait([work], timeout=None if last else random.uniform(0, 6))
                if done:
                    work.result()
                    await line.die()
                    return
                line.up.cut = line.channel.cut = True  # nothing of what it does now is heard
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                await line.die()
                rows.extendleft(row for row in taken if row.id not in self.sink.results)

        async with asyncio.TaskGroup() as group:
            for number in range(self.workers):
                group.create_task(keep(deaths if number == 0 else 0))
        assert till.aside == NOTHING, "all that was set aside was settled"
        return till

    async def _work(self, caps: Caps, line: Line, source: Shared) -> None:
        concurrency = max(1, self.concurrency // self.workers)
        ran = line.ran = Ran(
            *self.servers,
            retries=2,
            prices=self.prices,
            caps=caps,
            funds=line.funds,
            concurrency=concurrency,
        )
        call = ran.call()
        self.drain.listen(lambda stop: line.channel.send(Ending(stop.cause, stop.message)))
        routes = ran.routes
        assert routes is not None
        engine = LocalEngine(
            width=lambda: routes.width,
            drain=ran.drain,
            grace=0.5,
            clock=VirtualClock(),
            observer=ran.events.append,
        )
        try:
            await engine.run(source, call, self.sink)
        finally:
            routes.close()


__all__ = ["Kept", "Line", "Studies", "Wire"]
