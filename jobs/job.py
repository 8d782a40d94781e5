"""The composition root of ``run``: from a JobConfig to objects to a Summary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from .config import JobConfig
from .drain import Drain
from .errors import ConfigError
from .events import Event
from .lanes import fit_of
from .model import Tidied
from .pipeline import (
    Pipeline,
    checked,
    import_senders,
    refuse_in_loop,
    run_loop,
    same_file,
)
from .ports import Observer, Sink
from .providers.registry import model_for_row
from .sinks.opening import open_output
from .sources.files import FileSource
from .sources.inputs import Input, default_output, expand
from .sources.rows import RowDefaults, RowParser
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
        self.config = config = pipeline.config
        self.inputs = expand(config.inputs)
        self.output = _output(config, self.inputs)
        _check_summary(config.summary, self.inputs, self.output)
        first = pipeline.first
        self.parser = RowParser(
            RowDefaults(
                model=first.model,
                system=config.system,
                template=config.template,
                endpoint=config.endpoint,
                params=config.params,
                target=first.target,
                resolve_model=lambda model: model_for_row(first, model),
                fit=fit_of(first, config),
            ),
            several=len(self.inputs) > 1,
        )
        pipeline.check_fallbacks()

    async def run(self, tally: Tally, observers: Sequence[Observer]) -> Summary:
        def observe(event: Event) -> None:
            tally(event)
            for observer in observers:
                observer(event)

        config, pipeline = self.config, self.pipeline
        clock, drain = pipeline.clock, pipeline.drain
        if config.summary is not None:
            drop_old_summary(config.summary)
        import_senders()
        began, used = clock.now(), time.process_time()
        total = await asyncio.to_thread(
            scan,
            self.inputs,
            self.parser,
            limit=config.limit,
            strict=config.strict,
            stopped=lambda: drain.stop is not None,
        )
        if drain.stop is not None:
            tally(pipeline.started(self.output, None))
            return tally.summary(wall=clock.now() - began, stopped=drain.stop)
        source = FileSource(self.inputs, self.parser, clock, config.limit, total)
        async with pipeline.open(self._open_output, observe) as (routes, sink):
            observe(pipeline.started(self.output, total))
            await pipeline.pump(source, routes, sink, observe)
            done = Tidied() if drain.stop else await sink.finish()
        return tally.summary(
            wall=clock.now() - began,
            cpu=time.process_time() - used,
            stopped=drain.stop,
            tidied=done,
        )

    def _open_output(self) -> Sink:
        config = self.config
        return open_output(
            self.output,
            line_format=config.format,
            order=config.order,
            fresh=config.fresh,
            force=config.force,
            room=max(1024, 4 * self.pipeline.ceiling),
        )


def _output(config: JobConfig, inputs: Sequence[Input]) -> str:
    if config.output is not None:
        output = config.output
    else:
        output = default_output(inputs) or ""
        if not output:
            raise ConfigError("there are several inputs: name the output with -o FILE")
    if output != "-" and any(same_file(output, source.path) for source in inputs):
        raise ConfigError(f"{output} is an input too: name another output with -o FILE")
    return output


def _check_summary(summary: str | None, inputs: Sequence[Input], output: str) -> None:
    """The summary replaces its file at the end, which must not be one of the job's own."""
    if summary is None:
        return
    if any(same_file(summary, source.path) for source in inputs):
        raise ConfigError(f"--summary {summary}: is an input too; name another file")
    if output != "-" and same_file(summary, output):
        raise ConfigError(f"--summary {summary}: is the output too; name another file")
