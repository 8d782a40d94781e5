"""The composition root of ``run``: from a JobConfig to objects to a Summary."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from .answerform import validated
from .chronicle import Chronicle
from .config import JobConfig
from .drain import Drain
from .errors import SourceError
from .events import Event
from .halts.canary import Canary, CanarySource, Rows, spread
from .halts.halting import Halting
from .model import Tidied
from .pipeline import Pipeline, checked, import_senders, refuse_in_loop, run_loop
from .ports import Observer, Sink, TextHeard, Worker, wants_rows
from .preparation import Preparation
from .processes import check_processes, cpu_seconds, crew_size
from .reuseplan import ReusePlan
from .sinks.file import FileSink
from .sinks.opening import is_stream, open_output
from .sources.files import FileSource, Which
from .sources.resumed import Resumed
from .sources.scan import scan
from .summary import NOTHING, Summary, Tally
from .summaryfile import drop_old_summary
from .watching.flow import OwnFlow

Ask = Callable[[Any, Sink], Awaitable[None]]
"""Has every row of a source asked, and its result put into the sink."""


def run_job(
    config: JobConfig,
    *,
    environ: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
) -> Summary:
    """Run a job to its end; see :func:`run_job_async`, which is for a running event loop."""
    refuse_in_loop("run_job")
    return run_loop(run_job_async(config, environ=environ, observers=observers))


async def run_job_async(
    config: JobConfig,
    *,
    environ: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
    heard: Sequence[TextHeard] = (),
    drain: Drain | None = None,
    tally: Tally | None = None,
) -> Summary:
    """Run a job: read, ask, write, resume; returns when every row has its end or the job stopped.

    Keys come from ``environ``, by default the process's own. ``heard`` are told of answers while
    they come (not of those that other processes get). ``drain`` ends it in order from outside.
    Raises ConfigError before anything is sent, SourceError and SinkError.
    """
    config = checked(config)
    check_processes(config, os.environ if environ is None else environ)
    job = _Job(Pipeline(config, environ, drain))
    return await job.run(tally or Tally(), observers, heard)


class _Job:
    """One run: what was found out before it, and what is open while it lasts."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.config = pipeline.config
        self.reuse = ReusePlan(pipeline.config, pipeline.clock, pipeline.environ)
        self.prepared = Preparation(pipeline.config, pipeline.routes)
        self.rules = pipeline.halt_rules()
        self.canary_places: Sequence[int] = ()
        self.processes = 1
        pipeline.check_fallbacks()

    async def run(
        self, tally: Tally, observers: Sequence[Observer], heard: Sequence[TextHeard]
    ) -> Summary:
        def observe(event: Event) -> None:
            if halting.canary is not None:
                event = halting.corrected(event)
            tally(event)
            for observer in observers:
                observer(event)
            if halting.watches:
                halting(event)

        config, pipeline, prepared = self.config, self.pipeline, self.prepared
        clock, drain = pipeline.clock, pipeline.drain
        if config.summary is not None:
            drop_old_summary(config.summary)
        pipeline.prices.prepare()
        tally.bill.prices = pipeline.prices
        began, used = clock.now(), cpu_seconds()
        chronicle = Chronicle(prepared.facts(), observe)
        total = await asyncio.to_thread(
            scan,
            prepared.inputs,
            prepared.parser,
            limit=config.limit,
            strict=config.strict,
            stopped=lambda: drain.stop is not None,
            counted=chronicle.rows.__setitem__,
        )
        if drain.stop is not None:
            tally(pipeline.started(prepared.output, None))
            return tally.summary(wall=clock.now() - began, stopped=drain.stop)
        self.processes = crew_size(config, pipeline.routes, total)
        self.reuse.expect(total, prepared.order, stream=is_stream(prepared.output))
        canary = config.canary if total is None or not config.canary else min(config.canary, total)
        halting = Halting(self.rules, drain, observe, canary=canary, clock=clock)
        self.canary_places = self._places(total, canary)

        def came_to(done: Tidied = NOTHING) -> Summary:
            cpu = cpu_seconds() - used
            return tally.summary(wall=clock.now() - began, cpu=cpu, stopped=drain.stop, tidied=done)

        async with (
            self._asking(observe, heard, tally, rows=wants_rows(observers)) as ask,
            pipeline.output(self._open_output) as sink,
            tally.lag,
        ):
            await chronicle.begin(sink, total)
            pipeline.budget(chronicle.carried, tally, observe, lasting=chronicle.lasting)
            observe(pipeline.started(prepared.output, total))
            source = self._source(total, halting.canary, sink)
            async with chronicle.until_broken(came_to):
                await self._ask(lambda: ask(source, sink), sink, chronicle)
                await self.reuse.settle()
                summary = came_to(await self._finish(sink, chronicle))
            await chronicle.end(summary)
        return summary

    @asynccontextmanager
    async def _asking(
        self, observe: Observer, heard: Sequence[TextHeard], tally: Tally, *, rows: bool
    ) -> AsyncGenerator[Ask, None]:
        """How the rows of a source are asked, in this process or in several; until it is closed."""
        pipeline, reuse = self.pipeline, self.reuse
        if self.processes > 1:
            from .crew import Workers  # most jobs have one process, all would wait

            await reuse.check_cache()
            workers = Workers(pipeline, self.prepared, reuse, self.processes, rows=rows)
            yield lambda source, sink: workers.ask(source, sink, observe, tally)
            return
        import_senders()
        async with reuse.open(observe), pipeline.asking(observe) as routes:
            tally.flow = OwnFlow([lane.gate for lane in routes.lanes])
            yield lambda source, sink: pipeline.pump(
                source,
                routes,
                sink,
                observe,
                around=lambda worker: self._around(worker, sink, observe),
                heard=(*reuse.heard, *heard),
            )

    async def _ask(
        self, ask: Callable[[], Awaitable[None]], sink: Sink, chronicle: Chronicle
    ) -> None:
        """Ask every row; of an input that breaks off midway there is a table all the same."""
        pipeline = self.pipeline
        try:
            async with chronicle.counting(pipeline.used, pipeline.drain, pipeline.till):
                await ask()
        except SourceError:
            if self.prepared.table is not None:
                await self._finish(sink, chronicle)
            raise

    async def _finish(self, sink: Sink, chronicle: Chronicle) -> Tidied:
        """Leave the output as it should be: that of a job that stopped early is left alone.

        A table is made whichever way a job ends, of what is done so far.
        """
        table, stopped = self.prepared.table, self.pipeline.drain.stop is not None
        if stopped and table is None:
            return NOTHING
        await chronicle.tidying()
        done = await sink.finish()
        await asyncio.to_thread(self.prepared.write_table)
        return NOTHING if stopped else done

    def _around(self, worker: Worker, sink: Sink, observe: Observer) -> Worker:
        """What is put around the asking of a row, from the inside out."""
        pipeline, schema = self.pipeline, self.prepared.schema
        worker = validated(
            worker, schema, clock=pipeline.clock, observer=observe, drain=pipeline.drain
        )
        return self.reuse.around(worker, sink)

    def _places(self, total: int | None, canary: int | None) -> Sequence[int]:
        """Where a canary of so many rows stands; nowhere where it is simply the first ones."""
        in_order = self.config.order == "input" and is_stream(self.prepared.output)
        if total is None or not canary or in_order or canary >= total:
            return ()
        return spread(canary, total)

    def _source(self, total: int | None, canary: Canary | None, sink: Sink) -> Rows[Any]:
        """The rows; those of a canary come first, from all over files where order is free."""
        if canary is None:
            return self._rows(total, sink)
        if not self.canary_places:
            return CanarySource(canary, self._rows(total, None))
        first = self._rows(total, None, self.canary_places, "alone")
        return CanarySource(canary, first, lambda: self._rows(total, sink, self.canary_places))

    def _rows(
        self,
        total: int | None,
        sink: Sink | None,
        places: Sequence[int] = (),
        which: Which = "others",
    ) -> Rows[Any]:
        """Rows of the input; where the ``sink`` has some of them they are only counted."""
        clock, inputs, parser = self.pipeline.clock, self.prepared.inputs, self.prepared.parser
        given = (clock, self.config.limit, total, places, which)
        if self.processes > 1:
            from .crew import RawLines

            return FileSource(inputs, RawLines(), *given, watch_ids=False)
        source = FileSource(inputs, parser, *given)
        if total is None or not isinstance(sink, FileSink) or not sink.index.readable:
            return self.reuse.grouped(source)
        return self.reuse.grouped(Resumed(source, parser, sink, clock))

    def _open_output(self) -> Sink:
        config = self.config
        return open_output(
            self.prepared.results,
            line_format=self.prepared.line_format,
            encode=self.prepared.encode,
            order=self.prepared.order,
            fresh=config.fresh,
            force=config.force,
            room=max(1024, 4 * self.pipeline.ceiling),
            first=self.canary_places,
            asked=self.reuse.table,
        )
