"""The composition root of ``run``: from a JobConfig to objects to a Summary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from .config import JobConfig
from .drain import Drain
from .events import Event
from .model import Tidied
from .pipeline import Pipeline, checked, import_senders, refuse_in_loop, run_loop
from .ports import Observer, Sink, Worker
from .preparation import Preparation
from .sinks.opening import open_output
from .sources.files import FileSource
from .sources.scan import scan
from .summary import Summary, Tally
from .summaryfile import drop_old_summary


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
    drain: Drain | None = None,
    tally: Tally | None = None,
) -> Summary:
    """Run a job: read, ask, write, resume; returns when every row has its end or the job stopped.

    Keys come from ``environ``, by default the process's own. ``drain`` ends it in order from
    outside. Raises ConfigError before anything is sent, SourceError and SinkError.
    """
    job = _Job(Pipeline(checked(config), environ, drain))
    return await job.run(tally or Tally(), observers)


class _Job:
    """One run: what was found out before it, and what is open while it lasts."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.config = pipeline.config
        self.prepared = Preparation(pipeline.config, pipeline.routes)
        pipeline.check_fallbacks()

    async def run(self, tally: Tally, observers: Sequence[Observer]) -> Summary:
        def observe(event: Event) -> None:
            tally(event)
            for observer in observers:
                observer(event)

        config, pipeline, prepared = self.config, self.pipeline, self.prepared
        clock, drain = pipeline.clock, pipeline.drain
        if config.summary is not None:
            drop_old_summary(config.summary)
        import_senders()
        began, used = clock.now(), time.process_time()
        total = await asyncio.to_thread(
            scan,
            prepared.inputs,
            prepared.parser,
            limit=config.limit,
            strict=config.strict,
            stopped=lambda: drain.stop is not None,
        )
        if drain.stop is not None:
            tally(pipeline.started(prepared.output, None))
            return tally.summary(wall=clock.now() - began, stopped=drain.stop)
        source = FileSource(prepared.inputs, prepared.parser, clock, config.limit, total)
        async with pipeline.open(self._open_output, observe) as (routes, sink):
            observe(pipeline.started(prepared.output, total))
            await pipeline.pump(source, routes, sink, observe, around=self._around)
            done = Tidied() if drain.stop else await sink.finish()
        return tally.summary(
            wall=clock.now() - began,
            cpu=time.process_time() - used,
            stopped=drain.stop,
            tidied=done,
        )

    def _around(self, worker: Worker) -> Worker:
        """What is put around the asking of a row, from the inside out."""
        return worker

    def _open_output(self) -> Sink:
        config = self.config
        return open_output(
            self.prepared.output,
            line_format=self.prepared.line_format,
            order=config.order,
            fresh=config.fresh,
            force=config.force,
            room=max(1024, 4 * self.pipeline.ceiling),
        )
