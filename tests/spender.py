"""Jobs under a budget in virtual time: servers with random usage, and who counts what they bill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random

from scripted import DONE, Ran, Scripted, Step, ask, words

from llmbatch.jobs.budget.ledger import NOTHING, UNIT, Amount, Caps
from llmbatch.jobs.config import PriceConfig
from llmbatch.jobs.drain import Stop
from llmbatch.jobs.engines.local import LocalEngine
from llmbatch.jobs.errors import (
    BadRequest,
    ConnectionFailed,
    Overloaded,
    RateLimited,
    StreamBroken,
)
from llmbatch.jobs.model import Delta, Request, Result, Row, Status, Tidied, Usage
from virtualtime import VirtualClock

TEMPLATE = 64
"""Tokens that the servers here may add to what is in a prompt."""


@dataclass
class Habits:
    """How often an attempt fails, and how: shares of all attempts."""

    errors: float = 0.0
    refusals: float = 0.0
    breaks: float = 0.0


class Meter(Scripted):
    """A server that uses up to as much as a request allows, bills it, and mostly says so.

    ``usd`` and ``tokens`` are what it bills, whatever of that it told.
    """

    def __init__(self, name: str, price: PriceConfig, habits: Habits, rng: Random) -> None:
        super().__init__(name=name)
        self.price = price
        self.habits = habits
        self.rng = rng
        self.usd = 0.0
        self.tokens = 0

    def worst(self, request: Request) -> tuple[float, int]:
        """USD and tokens of the dearest answer."""
        read, said = len(str(request.input).encode()) + TEMPLATE, request.max_tokens or 0
        return (read * self.price.input + said * self.price.output) / 1e6, read + said

    def script(self, request: Request, whole: bool) -> Sequence[Step]:
        rng, habits, wait = self.rng, self.habits, self.rng.uniform(0, 3)
        drawn = rng.random()
        if drawn < habits.errors:
            kinds = [
                Overloaded("no", http_status=503),
                RateLimited("slow", http_status=429, retry_after=1.0),
                ConnectionFailed("gone"),
            ]
            return [wait, rng.choice(kinds)]
        drawn -= habits.errors
        if drawn < habits.refusals:
            return [wait, BadRequest("not this", http_status=400)]
        drawn -= habits.refusals
        usage = self._bill(request)
        if drawn < habits.breaks:
            half = Usage(usage.input_tokens, usage.output_tokens // 2)
            told = [Delta(usage=half)] if rng.random() < 0.5 else []
            return [*words("so"), wait, *told, StreamBroken("cut", http_status=200)]
        return [*words("so"), wait, DONE, Delta(usage=usage)]

    def _bill(self, request: Request) -> Usage:
        rng = self.rng
        read = len(str(request.input).encode()) + rng.randint(0, TEMPLATE)
        longest = request.max_tokens or 0
        said = longest if rng.random() < 0.3 else rng.randint(0, longest)
        self.usd += (read * self.price.input + said * self.price.output) / 1e6
        self.tokens += read + said
        return Usage(read, said)


@dataclass
class Kept:
    """A sink in memory."""

    results: dict[str, Result] = field(default_factory=dict)

    async def expect(self, row: Row) -> Status | None:
        found = self.results.get(row.id)
        return None if found is None else found.status

    async def write(self, result: Result) -> None:
        assert result.id not in self.results
        self.results[result.id] = result

    async def finish(self) -> Tidied:
        return Tidied()

    async def aclose(self) -> None: ...


class Rows:
    def __init__(self, rows: Sequence[Request]) -> None:
        self.rows = rows

    async def requests(self) -> AsyncIterator[Row]:
        for row in self.rows:
            yield row


class Study:
    """A job drawn from a seed: its rows, its servers and their prices."""

    def __init__(self, seed: int, habits: Habits, *, routes: int = 2, rows: int = 150) -> None:
        rng = self.rng = Random(seed)
        prices = [
            PriceConfig(input=rng.uniform(0.1, 20), output=rng.uniform(0.1, 80))
            for _ in range(routes)
        ]
        self.servers = [Meter(f"s{n}", price, habits, rng) for n, price in enumerate(prices)]
        self.prices = {f"s{n}/*": price for n, price in enumerate(prices)}
        self.rows = [
            ask(
                id=str(n),
                model="m0",
                input="x" * rng.randint(1, 400),
                params={"max_tokens": rng.randint(1, 300)},
            )
            for n in range(rows)
        ]
        self.concurrency = rng.choice([1, 2, 7, 16, 64])
        self.sink = Kept()

    @property
    def worst(self) -> tuple[float, int]:
        """USD and tokens that the dearest row may take."""
        cases = [server.worst(row) for server in self.servers for row in self.rows]
        return max(usd for usd, _ in cases), max(tokens for _, tokens in cases)

    @property
    def billed(self) -> tuple[float, int]:
        """USD and tokens, as the servers count them."""
        return sum(s.usd for s in self.servers), sum(s.tokens for s in self.servers)

    async def run(
        self, caps: Caps, earlier: Amount = NOTHING, *, interrupt: float | None = None
    ) -> Ran:
        """Go on with what is left of the rows, until somebody interrupts after so many seconds."""
        ran = Ran(
            *self.servers,
            retries=2,
            prices=self.prices,
            caps=caps,
            earlier=earlier,
            concurrency=self.concurrency,
        )
        call = ran.call()
        assert ran.routes is not None
        routes = ran.routes
        engine = LocalEngine(
            width=lambda: routes.width,
            drain=ran.drain,
            grace=0.5,
            clock=VirtualClock(),
            observer=ran.events.append,
        )
        if interrupt is not None:
            stop = Stop("SIGINT", "interrupted")
            asyncio.get_running_loop().call_later(interrupt, ran.drain.request, stop)
        try:
            await engine.run(Rows(self.rows), call, self.sink)
        finally:
            routes.close()
        assert ran.till is not None
        assert ran.till.aside == NOTHING, "every attempt settled what it had set aside"
        return ran


def used(ran: Ran) -> Amount:
    """What a later run has to count as used up."""
    assert ran.till is not None
    figures = ran.till.figures()
    return Amount(round(figures.used_usd * UNIT), figures.used_tokens)
