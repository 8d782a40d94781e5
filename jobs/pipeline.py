"""What every job is run with, whatever its rows are: routes, limits, an engine, their order."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from msgspec import ValidationError, convert, structs

from .budget.funds import Funds
from .budget.ledger import Amount, Caps, in_units
from .budget.spending import Spending, unpriced
from .budget.till import Till
from .call import Call
from .clock import SystemClock
from .config import JobConfig
from .drain import Drain
from .embedded.weights import require
from .engines.local import LocalEngine
from .errors import ConfigError
from .events import JobStarted, Noted
from .halts.rule import Rule
from .halts.watch import rules_of
from .lane import Lane
from .lanes import Opening, Part, fit_of, most_in_flight
from .manifest.manifest import Carried
from .ports import Observer, Sink, Source, TextHeard, Worker
from .prices.book import PriceBook
from .providers.registry import Route, resolve
from .retry import RetryPolicy
from .routes import Routes
from .sources.parameters import job_params
from .summary import Tally

REPORTS_COSTS = "openrouter"
"""The provider that says of each answer what it cost."""

C = TypeVar("C", bound=JobConfig)
S = TypeVar("S", bound=Sink)
T = TypeVar("T")


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop, which halves the cost of a stream, where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(main)
    return uvloop.run(main)


def refuse_in_loop(name: str) -> None:
    """Raise RuntimeError where an event loop runs; ``name`` is the function that a user called."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        f"{name} can't run where an event loop runs already, as in a notebook: "
        f"write `await {name}_async(config)` there"
    )


def checked(config: C) -> C:
    """The same with its types made sure of, which nobody did for one that was made by hand."""
    kind = type(config)
    try:
        return convert(structs.asdict(config), kind, from_attributes=True)
    except ValidationError as error:
        raise ConfigError(f"{kind.__name__}: {error}") from None


class Pipeline:
    """Routes as the configuration names them, ready to be opened.

    Raises ConfigError for whatever of it could not work. ``routes`` are those of the configuration
    where they are known, with their keys. ``ceiling`` is how many requests may be in flight,
    ``weights`` are those of the embedded models.
    """

    def __init__(
        self,
        config: JobConfig,
        environ: Mapping[str, str] | None,
        drain: Drain | None,
        routes: Sequence[Route] | None = None,
    ) -> None:
        self.config = config
        self.environ = os.environ if environ is None else environ
        self.drain = drain or Drain()
        self.clock = SystemClock()
        self.routes = resolve(config, self.environ) if routes is None else tuple(routes)
        self.first = self.routes[0]
        self.prices = PriceBook(config, self.routes)
        self._check_prices()
        self.till: Till | None = None
        self.spending: Spending | None = None
        self.part: Part | None = None
        self.ceiling = most_in_flight(self.routes, config.max_concurrency)
        self.weights = {
            route.target: require(route.embedded, self.environ)
            for route in self.routes
            if route.embedded is not None
        }

    def check_fallbacks(self) -> None:
        """A route that could not answer a single row is a mistake to be told before the night.

        Raises ConfigError; what single rows ask is found out with each of them.
        """
        config = self.config
        params, _ = job_params(config.params, config.endpoint)
        for route in self.routes[1:]:
            if problem := fit_of(route, config).problem(config.endpoint, params):
                raise ConfigError(f"fallback {route.label}: {problem}")

    def halt_rules(self) -> tuple[Rule, ...]:
        """The rules of ``halt_on``. Raises ConfigError for one about costs that nobody knows."""
        rules = rules_of(self.config.halt_on)
        first, prices = self.first, self.prices
        told = first.name == REPORTS_COSTS and first.official
        if prices.of(first.name, first.model) is None and prices.billed(first.name) and not told:
            for rule in rules:
                if rule.metric == "cost_per_row":
                    raise ConfigError(
                        f"--halt-on {rule}: {prices.unknown(first.name, first.model)}"
                    )
        return rules

    def _check_prices(self) -> None:
        """Money that nobody can count can't be kept within a budget. Raises ConfigError."""
        if self.config.max_cost is None:
            return
        prices = self.prices
        for route in self.routes:
            if prices.billed(route.name) and prices.of(route.name, route.model) is None:
                raise ConfigError(unpriced(prices, route.name, route.model))

    def budget(
        self, carried: Carried, tally: Tally, observe: Observer, *, lasting: bool = True
    ) -> None:
        """Keep what the job uses up within its caps, of which earlier runs took ``carried``.

        ``lasting`` says that a later run can go on with the output.
        """
        caps = self._caps
        if caps == Caps():
            return
        if caps.cost is not None and carried.unpriced:
            several = f"{carried.unpriced:,} row{'' if carried.unpriced == 1 else 's'} of "
            rows = "" if carried.usd is None else several
            known = f"what {rows}earlier runs cost is not known: the budget counts it as nothing"
            observe(Noted(known))
        earlier = Amount(in_units(carried.usd or 0.0), carried.tokens)
        self.till = till = Till(caps, self.drain, earlier, lasting=lasting)
        tally.budget = till.figures
        self.drain.before_cut(till.cut)
        self.pay_from(till)

    def pay_from(self, funds: Funds) -> None:
        """Pay for what is asked here out of these where the job has caps."""
        if self._caps != Caps():
            self.spending = Spending(self._caps, self.prices, funds)

    @property
    def _caps(self) -> Caps:
        return Caps(self.config.max_cost, self.config.max_tokens_total)

    def used(self) -> Carried | None:
        """What this run and the ones before it used up, at worst; None where there is no budget."""
        if self.till is None:
            return None
        figures = self.till.figures()
        money = figures.max_cost is not None or figures.used_usd > 0
        return Carried(figures.used_usd if money else None, figures.used_tokens)

    def started(self, output: str, total: int | None, size: int | None = None) -> JobStarted:
        """What observers are told first; ``size`` in bytes."""
        first, *others = self.routes
        auto = first.concurrency == "auto"
        return JobStarted(
            total=total,
            output=output,
            model=first.label,
            concurrency=self.ceiling if first.concurrency == "auto" else first.concurrency,
            rpm=first.rpm,
            tpm=first.tpm,
            auto=auto,
            fallbacks=[route.label for route in others],
            bytes=size,
            max_cost=self.config.max_cost,
            spent_before=0.0 if self.till is None else self.till.figures().earlier_usd,
        )

    @asynccontextmanager
    async def asking(self, observe: Observer) -> AsyncGenerator[Routes, None]:
        """The routes, until they are closed again. Raises ConfigError."""
        async with AsyncExitStack() as stack:
            opening, lanes = self.opening(observe), []
            for place, route in enumerate(self.routes):
                lane = opening.lane(route, place)
                stack.push_async_callback(lane.provider.aclose)
                lanes.append(lane)
            routes = self.over(lanes, observe)
            stack.callback(routes.close)
            yield routes

    @asynccontextmanager
    async def output(self, open_sink: Callable[[], S]) -> AsyncGenerator[S, None]:
        """The output, until it is closed again. Raises what ``open_sink`` does."""
        sink = await asyncio.to_thread(open_sink)
        try:
            yield sink
        finally:
            await sink.aclose()

    async def pump(
        self,
        source: Source,
        routes: Routes,
        sink: Sink,
        observe: Observer,
        *,
        around: Callable[[Worker], Worker] = lambda worker: worker,
        heard: Sequence[TextHeard] = (),
    ) -> None:
        """Ask every row of the source; ``around`` may put something around the asking of a row."""
        config = self.config
        engine = LocalEngine(
            width=lambda: routes.width,
            drain=self.drain,
            grace=config.grace,
            clock=self.clock,
            observer=observe,
        )
        await engine.run(source, around(self.call(routes, observe, heard)), sink)

    def call(self, routes: Routes, observe: Observer, heard: Sequence[TextHeard] = ()) -> Call:
        """How a single row is asked."""
        config = self.config
        return Call(
            routes,
            RetryPolicy(retries=config.retries, max_wait=config.max_wait),
            clock=self.clock,
            observer=observe,
            random=random.random,
            heard=heard,
            spending=self.spending,
        )

    def opening(self, observe: Observer) -> Opening:
        """How the lane of each route is opened."""
        return Opening(
            config=self.config,
            environ=self.environ,
            clock=self.clock,
            observe=observe,
            prices=self.prices,
            weights=self.weights,
            ceiling=self.ceiling,
            part=self.part,
        )

    def over(self, lanes: Sequence[Lane], observe: Observer) -> Routes:
        """The routes over lanes that are open; the caller closes both."""
        return Routes(
            lanes,
            max_outage=self.config.max_outage,
            drain=self.drain,
            clock=self.clock,
            observer=observe,
            end=None if self.part is None else self.part.end,
        )

    def __repr__(self) -> str:
        return f"<Pipeline {', '.join(route.label for route in self.routes)}>"


def import_senders() -> None:
    """Import aiohttp, the most of the start: after a job may be refused, and off its clock."""
    from .providers.certificates import import_aiohttp

    import_aiohttp()
    from .providers import opening  # noqa: F401 - Python keeps it for the lanes
