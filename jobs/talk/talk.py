"""The composition root of a conversation: from a JobConfig to questions and their answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec import structs

from ..budget.figures import Budget
from ..budget.ledger import Amount, Caps, in_units
from ..budget.till import Till
from ..config import JobConfig
from ..drain import Drain, Stop
from ..errors import BudgetReached
from ..events import (
    AttemptFailed,
    BreakerClosed,
    BreakerOpened,
    Event,
    Noted,
    RouteStopped,
    RowFinished,
)
from ..model import Rejected, Result
from ..pipeline import Pipeline, checked, import_senders
from ..ports import Observer
from ..progress import rejected
from ..providers.registry import switched
from .chain import Chain, Hear
from .lanes import SharedLanes
from .messages import Message, as_line, problem
from .models import offered

_MOVES = (AttemptFailed, BreakerOpened, BreakerClosed, RouteStopped)
"""After these, questions that wait for a route look again."""


@asynccontextmanager
async def open_talk(
    config: JobConfig,
    environ: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
) -> AsyncGenerator[Talk, None]:
    """A conversation with the models of a configuration, until it is closed again.

    Of a job's settings those count that are about the asking: models, parameters, limits, retries,
    prices, budgets, ``system`` and ``schema``; those about rows and files are left out. Keys come
    from ``environ``, by default the process's own; nothing is connected before the first question.
    """
    talk = Talk(config, os.environ if environ is None else environ, observers)
    try:
        yield talk
    finally:
        await talk.aclose()


class Talk:
    """Asks questions, several at once if need be, over the same routes as a job.

    ``models`` are offered, the first one is asked where nobody names another. Routes that have
    ended (a key was refused, a server was away for too long) are tried anew with the next question.
    """

    def __init__(
        self, config: JobConfig, environ: Mapping[str, str], observers: Sequence[Observer]
    ) -> None:
        config = checked(config)
        self.config = structs.replace(
            config,
            template=None,
            endpoint=config.endpoint if config.endpoint == "responses" else "chat",
        )
        self.environ = environ
        self.models = offered(config, environ)
        self._observers = tuple(observers)
        self._lanes = SharedLanes()
        self._chains: dict[str, Chain] = {}
        self._opening = asyncio.Lock()
        self._asked = 0
        self._under_way = 0
        self._caps = Caps(config.max_cost, config.max_tokens_total)
        self._till: Till | None = None
        self._reached: Stop | None = None

    async def check(self, model: str | None = None) -> None:
        """Make sure that the model can be asked. Raises ConfigError."""
        await self._chain(model)

    async def ask(
        self,
        messages: Sequence[Message],
        hear: Hear,
        *,
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Result:
        """How the question ended; ``hear`` is told the text of its answer as it arrives.

        To stop it, cancel the task that awaits this: the stream is closed. A question that failed
        is a result, with the reason under ``error``. Raises ConfigError where this model can't be
        asked at all, BudgetReached, and ProviderError where no route is left.
        """
        self._asked += 1
        number, wrong = self._asked, problem(messages)
        chain = await self._chain(model)
        if wrong is not None:
            row: Any = Rejected(id=str(number), line=number, path="-", reason=wrong)
        else:
            row = chain.row(as_line(messages), params or {}, number)
        if isinstance(row, Rejected):
            return rejected(row)
        if (loads := chain.loads) is not None:
            self._observe(Noted(f"loading the model {loads}"))
        self._under_way += 1
        try:
            result = await chain.ask(row, hear)
        finally:
            self._under_way -= 1
            self._look_again()
            if not self._under_way:
                await self._lanes.close_dead()
        self._observe(RowFinished(result, row.path, row))
        return result

    async def prepare(self, model: str | None = None) -> None:
        """Make sure that the model can be asked, and load one of this machine. As :meth:`ask`."""
        chain = await self._chain(model)
        await chain.start()

    @property
    def budget(self) -> Budget | None:
        """What the conversation has used up, where there is a cap."""
        return None if self._till is None else self._till.figures()

    async def aclose(self) -> None:
        """Close every connection; no question may be under way."""
        for chain in self._chains.values():
            chain.routes.close()
        self._chains.clear()
        await self._lanes.aclose()

    async def _chain(self, model: str | None) -> Chain:
        """The one of this model, made anew where its routes have ended."""
        name = model or self.models[0]
        async with self._opening:
            self._refill()
            chain = self._chains.get(name)
            if chain is not None and chain.drain.stop is None:
                return chain
            if chain is not None:
                chain.routes.close()
            pipeline = await asyncio.to_thread(self._pipeline, name)
            if self._till is not None:
                pipeline.pay_from(self._till)
            chain = self._chains[name] = Chain(pipeline, self._lanes, self._observe)
            return chain

    def _pipeline(self, model: str) -> Pipeline:
        """It may read a key's file, or run a command for it. Raises ConfigError."""
        pipeline = Pipeline(switched(self.config, model), self.environ, Drain())
        pipeline.check_fallbacks()
        pipeline.prices.prepare()
        import_senders()
        return pipeline

    def _refill(self) -> None:
        """Pay from what is left of the budget: a smaller question may fit still."""
        if self._caps == Caps() or (self._till is not None and self._reached is None):
            return
        if self._under_way and self._reached is not None:
            raise BudgetReached(self._reached.message)
        figures = None if self._till is None else self._till.figures()
        used = Amount(in_units(figures.used_usd), figures.used_tokens) if figures else Amount(0, 0)
        drain, self._reached = Drain(), None
        self._till = Till(self._caps, drain, used, lasting=False)
        drain.listen(self._budget_reached)
        for chain in self._chains.values():
            chain.pipeline.pay_from(self._till)

    def _budget_reached(self, stop: Stop) -> None:
        self._reached = stop
        for chain in self._chains.values():
            chain.let_go(stop)

    def _observe(self, event: Event) -> None:
        for observer in self._observers:
            observer(event)
        if isinstance(event, _MOVES):
            self._look_again()

    def _look_again(self) -> None:
        """A lane may be one of several chains, whose questions wait in lines of their own."""
        for chain in self._chains.values():
            chain.routes.changed()

    def __repr__(self) -> str:
        return f"<Talk with {self.models[0]}, {self._asked} questions>"
