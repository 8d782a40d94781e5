"""From a job to its workers: how many there are, and what each of them is made of."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Self

from msgspec import Struct, structs

from .budget.desk import BudgetDesk
from .config import JobConfig
from .engines.processes import ProcessEngine
from .keys import Key
from .lanes import shared_by
from .limits.adaptive import START
from .limits.gate import budget_of
from .limits.leases import Leases
from .limits.line import Line
from .model import Row
from .pipeline import Pipeline
from .ports import Observer, Sink
from .preparation import Preparation
from .processes import share
from .providers.registry import Route
from .reuse.claims import Claims
from .reuseplan import ReusePlan
from .sources.formats import Format
from .sources.ids import StreamIds
from .sources.inputs import Input
from .summary import Tally
from .watching.desk import FlowDesk
from .workers.crew import Crew, Desk, RawSource
from .workers.rows import Out, RawLine


class Order(Struct, frozen=True, kw_only=True):
    """What a worker is made of. ``routes`` are those of the job, with this worker's share of each.

    It is worker ``number`` of ``size``. ``whole``: a row is handed back with its result; ``warms``:
    see :attr:`ReusePlan.warms`. ``start`` is where ``concurrency: auto`` begins. ``environ`` is
    None where it is the process's.
    """

    config: JobConfig
    routes: Sequence[Route]
    inputs: Sequence[Input]
    whole: bool
    warms: bool
    start: int
    number: int
    size: int
    environ: Mapping[str, str] | None = None

    def packed(self) -> bytes:
        """For a worker's eyes alone: it holds the keys."""
        keys = [None if route.key is None else route.key.reveal() for route in self.routes]
        bare = structs.replace(self, routes=[structs.replace(r, key=None) for r in self.routes])
        return pickle.dumps((bare, keys))

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The keys are masked wherever they are shown, as in the process they came from."""
        bare, keys = pickle.loads(data)  # noqa: S301 - from the process that started this one
        routes = [
            structs.replace(route, key=None if key is None else Key(key))
            for route, key in zip(bare.routes, keys, strict=True)
        ]
        return structs.replace(bare, routes=routes)  # type: ignore[no-any-return]


class RawLines:
    """A parser that leaves lines as they are: a worker looks into them."""

    def parse(
        self,
        line: bytes,
        number: int,
        path: str,
        form: Format | None = None,  # noqa: ARG002 - the worker knows it
        read_at: float = 0.0,  # noqa: ARG002
    ) -> RawLine:
        return RawLine(path, number, line)


class Workers:
    """The workers of one job; ``rows`` says that observers want to see the rows that they had."""

    def __init__(
        self,
        pipeline: Pipeline,
        prepared: Preparation,
        reuse: ReusePlan,
        size: int,
        *,
        rows: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._prepared = prepared
        self._reuse = reuse
        self._size = size
        self._rows = rows
        self._inputs = {source.path: source for source in prepared.inputs}

    async def ask(self, source: RawSource, sink: Sink, observe: Observer, tally: Tally) -> None:
        """Ask every row of the source; the tally's meter is told of the workers' loops.

        Raises as :class:`.engines.processes.ProcessEngine`.
        """
        pipeline, prepared = self._pipeline, self._prepared
        answers = self._reuse.answers(sink)
        twice = all(source.rereadable for source in prepared.inputs)
        crew = Crew(
            size=self._size,
            setup=lambda number: self._order(number).packed(),
            sources={source.path: place for place, source in enumerate(prepared.inputs)},
            default_id=self._default_id,
            ids=None if twice else StreamIds(prepared.inputs),
            row_of=self._row_of if self._rows else None,
            claims=None if answers is None else Claims[Out](answers),
            desks=self._desks(observe, tally),
            starts={number: self._start(number) for number in range(1, self._size + 1)},
            max_outage=pipeline.config.max_outage,
            lagged=tally.lag.elsewhere,
            grace=pipeline.config.grace,
        )
        engine = ProcessEngine(crew, drain=pipeline.drain, clock=pipeline.clock, observer=observe)
        await engine.run(source, sink)

    def _desks(self, observe: Observer, tally: Tally) -> dict[type, Desk]:
        """Who answers what workers ask for. Raises :class:`.errors.ConfigError`."""
        leases = self._leases(observe)
        tally.flow = flow = FlowDesk(leases.use)
        desks: dict[type, Desk] = dict.fromkeys(Leases.TAKES, leases)
        desks.update(dict.fromkeys(FlowDesk.TAKES, flow))
        if self._pipeline.till is not None:
            desks.update(dict.fromkeys(BudgetDesk.TAKES, BudgetDesk(self._pipeline.till)))
        return desks

    def _leases(self, observe: Observer) -> Leases:
        """The limits of all workers together. Raises :class:`.errors.ConfigError`."""
        config, environ = self._pipeline.config, self._pipeline.environ
        lines = []
        for lane, route in enumerate(self._pipeline.routes):
            shared = shared_by(route, config, environ)
            line = Line(lane, route.label, partial(budget_of, shared), observe)
            line.limit(route.rpm, route.tpm)
            lines.append(line)
        return Leases(lines)

    def _order(self, number: int) -> Order:
        config, environ = self._pipeline.config, self._pipeline.environ
        return Order(
            config=structs.replace(
                config, max_concurrency=share(config.max_concurrency, number, self._size)
            ),
            routes=[
                structs.replace(
                    route,
                    concurrency=route.concurrency
                    if route.concurrency == "auto"
                    else share(route.concurrency, number, self._size),
                )
                for route in self._pipeline.routes
            ],
            inputs=self._prepared.inputs,
            whole=self._prepared.whole,
            warms=self._reuse.warms,
            start=self._start(number),
            number=number,
            size=self._size,
            environ=None if environ is os.environ else dict(environ),
        )

    def _start(self, number: int) -> int:
        """Where ``auto`` begins in this worker: all together begin where one process does."""
        most = share(self._pipeline.config.max_concurrency, number, self._size)
        return min(most, share(START, number, self._size))

    def _default_id(self, raw: RawLine) -> str:
        found = self._inputs[raw.path].format.read_id(raw.text)
        return found or self._prepared.parser.default_id(raw.number, raw.path, raw.text)

    def _row_of(self, raw: RawLine) -> Row:
        form = self._inputs[raw.path].format
        return self._prepared.parser.parse(raw.text, raw.number, raw.path, form)
