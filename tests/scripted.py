"""Scripted providers, and rows asked through the real routes, gates and breakers, in virtual time.

The scripted provider is the far side of ``ports.Provider``:

    ran = Ran(Scripted([Overloaded("no")], [*words("hi"), DONE]))
    result = run_virtual(ran.row(ask()))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.jobs.breaker import Breaker
from llmbatch.jobs.budget.funds import Funds
from llmbatch.jobs.budget.ledger import NOTHING, Amount, Caps
from llmbatch.jobs.budget.spending import Spending
from llmbatch.jobs.budget.till import Till
from llmbatch.jobs.call import Call
from llmbatch.jobs.config import JobConfig, PriceConfig
from llmbatch.jobs.dialects import ANY_SERVER, Dialect
from llmbatch.jobs.drain import Drain, Stop
from llmbatch.jobs.errors import ProviderError
from llmbatch.jobs.events import Event
from llmbatch.jobs.fitting import Fit
from llmbatch.jobs.lane import Lane
from llmbatch.jobs.limits import open_gate
from llmbatch.jobs.model import Delta, Quota, Request, Result, Row
from llmbatch.jobs.ports import Hear, TextHeard
from llmbatch.jobs.prices.book import PriceBook
from llmbatch.jobs.retry import RetryPolicy
from llmbatch.jobs.routes import Routes
from llmbatch.jobs.tokens import TokenCounter
from virtualtime import VirtualClock

Step = float | Delta | ProviderError | Quota
DONE = Delta(status="ok", finish_reason="stop")
HALF = 0.5
"""What the scripted ``random`` draws: the first wait is 0.25 s, each further one twice that."""


class Scripted:
    """Plays one script an attempt: a number is a pause in seconds, an error is raised.

    ``always`` is played when the scripts are used up. ``wholes`` notes which attempts asked for the
    answer in one piece, ``times`` when each of them came.
    """

    def __init__(
        self, *attempts: Sequence[Step], name: str = "scripted", always: Sequence[Step] = ()
    ) -> None:
        self.name = name
        self.start = None
        self.attempts = list(attempts)
        self.always = always
        self.asked: list[Request] = []
        self.wholes: list[bool] = []
        self.times: list[float] = []
        self.closed = 0

    def script(self, request: Request, whole: bool) -> Sequence[Step]:
        """What to play for this attempt; tests may put their own function in its place."""
        return self.attempts.pop(0) if self.attempts else self.always

    async def stream(
        self, request: Request, *, whole: bool = False, hear: Hear | None = None
    ) -> AsyncGenerator[Delta, None]:
        self.asked.append(request)
        self.wholes.append(whole)
        self.times.append(VirtualClock().now())
        try:
            for step in self.script(request, whole):
                if isinstance(step, Delta):
                    yield step
                elif isinstance(step, ProviderError):
                    raise step
                elif isinstance(step, Quota):
                    assert hear is not None
                    hear(step)
                else:
                    await VirtualClock().sleep(step)
        finally:
            self.closed += 1

    async def aclose(self) -> None: ...


class Ending(Exception):
    """What a seat raises when the job ends."""


@dataclass
class Chair:
    """A seat that writes down what happens to it."""

    ending: bool = False
    sending: bool = False
    log: list[str] = field(default_factory=list)

    def __enter__(self) -> None:
        self.log.append(f"waits, sending={self.sending}")
        if self.ending:
            raise Ending

    def __exit__(self, *exc: object) -> None:
        self.log.append("is back")


class Ran:
    """A job's routes, one a provider, and what came of the rows that were asked through them."""

    def __init__(
        self,
        *providers: Scripted,
        seat: Chair | None = None,
        retries: int = 3,
        max_outage: float = 600.0,
        dialects: Sequence[Dialect] = (),
        drop: bool = False,
        prices: Mapping[str, PriceConfig] | None = None,
        caps: Caps | None = None,
        earlier: Amount = NOTHING,
        funds: Funds | None = None,
        heard: Sequence[TextHeard] = (),
        **limits: Any,
    ) -> None:
        self.heard = heard
        self.providers = providers
        self.provider = providers[0]
        self.seat = seat or Chair()
        self.drain = Drain()
        self.events: list[Event] = []
        self.limits: dict[str, Any] = {"concurrency": 4, "rpm": None, "tpm": None} | limits
        self.retries = retries
        self.max_outage = max_outage
        self.dialects = dialects
        self.drop = drop
        self.caps = caps
        self.earlier = earlier
        self.funds = funds
        self.spending: Spending | None = None
        self.till: Till | None = None
        self.prices = PriceBook(JobConfig(prices=prices or {}))
        self.routes: Routes | None = None
        self.end: Callable[[Stop], None] | None = None

    def lane(self, place: int, provider: Scripted) -> Lane:
        dialect = self.dialects[place] if self.dialects else ANY_SERVER
        label = f"{provider.name}/m{place}"
        gate = open_gate(
            route=label,
            ceiling=256,
            counter=TokenCounter() if self.limits["tpm"] else None,
            shared=None,
            observe=self.events.append,
            **self.limits,
        )
        return Lane(
            provider,
            gate,
            Breaker(label, VirtualClock().now, self.events.append),
            Fit(provider.name, dialect, self.drop),
            model=f"m{place}",
            prices=self.prices,
        )

    def call(self) -> Call:
        """To be made inside the running loop."""
        self.routes = Routes(
            [self.lane(place, provider) for place, provider in enumerate(self.providers)],
            max_outage=self.max_outage,
            drain=self.drain,
            clock=VirtualClock(),
            observer=self.events.append,
            end=self.end,
        )
        if self.caps is not None:
            if self.funds is None:
                self.funds = self.till = Till(self.caps, self.drain, self.earlier)
            self.spending = Spending(self.caps, self.prices, self.funds)
        return Call(
            self.routes,
            RetryPolicy(retries=self.retries),
            clock=VirtualClock(),
            observer=self.events.append,
            random=lambda: HALF,
            spending=self.spending,
            heard=self.heard,
        )

    async def row(self, row: Row) -> Result:
        try:
            return await self.call()(row, self.seat)
        finally:
            assert self.routes is not None
            self.routes.close()

    async def until_stopped(self, count: int) -> float:
        """Ask so many rows at once; when the job was asked to end, no row having its end yet."""
        call = self.call()
        tasks = [asyncio.create_task(call(ask(id=f"r{n}"), Chair())) for n in range(count)]
        stopped = asyncio.get_running_loop().create_future()
        self.drain.listen(lambda stop: stopped.set_result(VirtualClock().now()))
        at: float = await stopped
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert self.routes is not None
        self.routes.close()
        return at


def ask(**more: Any) -> Request:
    """A row; its endpoint is one whose input counts its own tokens."""
    values: dict[str, Any] = {
        "id": "q1", "line": 7, "path": "in.jsonl", "endpoint": "completions", "model": "gpt-4o",
        "fingerprint": "f00d", "input": range(10), "metadata": {"tag": 1},
    }  # fmt: skip
    return Request(**{**values, **more})


def words(*texts: str) -> list[Delta]:
    return [Delta(text=text) for text in texts]
