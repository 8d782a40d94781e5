"""A model and its fallbacks, ready to be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from ..answerform import schema_of, validated
from ..drain import Stop
from ..errors import BudgetReached, ConnectionFailed, LlmbatchError
from ..lanes import Embedded
from ..model import Request, Result, Row
from ..pipeline import Pipeline
from ..ports import Observer
from ..preparation import row_parser
from .lanes import SharedLanes
from .seat import LetGo, Seat

Hear = Callable[[str | None], object]
"""Told each piece of an answer's text as it arrives; None says that what came so far is void."""


class Chain:
    """Asks questions over the lanes of one pipeline, until its routes have ended."""

    def __init__(self, pipeline: Pipeline, lanes: SharedLanes, observe: Observer) -> None:
        self.pipeline = pipeline
        self.drain = pipeline.drain
        self.schema = schema_of(pipeline.config)
        self._observe = observe
        self._seats: set[Seat] = set()
        self._parser = row_parser(pipeline.config, pipeline.routes, self.schema, several=False)
        opening = pipeline.opening(observe)
        opened = [lanes.get(route, opening, n) for n, route in enumerate(pipeline.routes)]
        self.routes = pipeline.over(opened, observe)
        self.drain.listen(self.let_go)

    @property
    def loads(self) -> str | None:
        """The name of the model that has to be loaded before it answers."""
        lane = self.routes.lanes[0]
        waits = isinstance(lane.provider, Embedded) and not lane.provider.started
        return lane.label if waits else None

    async def start(self) -> None:
        """Have it loaded. Raises ConfigError."""
        provider = self.routes.lanes[0].provider
        if provider.start is not None:
            await provider.start()

    def row(self, line: bytes, params: Mapping[str, Any], number: int) -> Row:
        """The question as a row. Raises ConfigError for parameters that nobody can be sent."""
        pipeline, parser = self.pipeline, self._parser
        if params:
            config = structs.replace(pipeline.config, params={**pipeline.config.params, **params})
            parser = row_parser(config, pipeline.routes, self.schema, several=False)
        return parser.parse(line, number, "-", read_at=pipeline.clock.now())

    async def ask(self, row: Row, hear: Hear) -> Result:
        """How it ended. Raises what ends the routes, where it is not sent any more."""
        worker = validated(
            self.pipeline.call(self.routes, self._observe, [Heard(hear)]),
            self.schema,
            clock=self.pipeline.clock,
            observer=self._observe,
            drain=self.drain,
        )
        seat = Seat()
        self._seats.add(seat)
        seat.task = task = asyncio.ensure_future(worker(row, seat))
        try:
            result = await task
        except LetGo:
            assert seat.stop is not None  # noqa: S101 - that is why it was let go
            raise self._ended(seat.stop) from None
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if seat.stop is None or (own is not None and own.cancelling()):
                raise
            raise self._ended(seat.stop) from None
        finally:
            self._seats.discard(seat)
        stop = self.drain.stop
        if stop is not None and result.status == "error":
            raise self._ended(stop)
        return result

    def let_go(self, stop: Stop) -> None:
        """Nothing more is sent; what is under way may finish."""
        for seat in tuple(self._seats):
            seat.let_go(stop)

    def _ended(self, stop: Stop) -> LlmbatchError:
        if stop.cause == "budget":
            return BudgetReached(stop.message)
        if stop.cause == "fatal":
            return self.routes.last_error()
        return ConnectionFailed(stop.message, provider=self.pipeline.first.name)

    def __repr__(self) -> str:
        return f"<Chain {self.pipeline!r}, {len(self._seats)} under way>"


class Heard:
    """Tells of an attempt that others were before it, where they brought anything."""

    __slots__ = ("_hear", "_told")

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._told = False

    def __call__(self, _row: Request, text: str | None) -> None:
        if text is not None or self._told:
            self._told = text is not None
            self._hear(text)
