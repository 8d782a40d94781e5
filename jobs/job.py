"""The composition root: from a JobConfig to objects to a Summary."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from msgspec import ValidationError, convert, structs

from .call import Call
from .clock import SystemClock
from .config import JobConfig
from .drain import Drain
from .embedded.weights import require
from .engines.local import LocalEngine
from .errors import ConfigError
from .events import Event, JobStarted
from .filelimit import make_room, room_for
from .lanes import Opening, fit_of
from .model import Tidied
from .ports import Observer, Sink
from .providers.registry import Route, model_for_row, resolve
from .retry import RetryPolicy
from .routes import Routes
from .sinks.opening import open_output
from .sources.files import FileSource
from .sources.inputs import Input, default_output, expand
from .sources.parameters import job_params
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
    if _in_a_loop():
        raise RuntimeError(
            "run_job can't run where an event loop runs already, as in a notebook: "
            "write `await run_job_async(config)` there"
        )
    return run_loop(run_job_async(config, environ=environ, observers=observers))


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run_loop(main: Coroutine[Any, Any, Summary]) -> Summary:
    """Run on uvloop, which halves the cost of a stream, where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(main)
    return uvloop.run(main)


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
    job = _Job(_checked(config), os.environ if environ is None else environ, drain or Drain())
    return await job.run(tally or Tally(), observers)


def _checked(config: JobConfig) -> JobConfig:
    """The same with its types made sure of, which nobody did for one that was made by hand."""
    try:
        return convert(structs.asdict(config), JobConfig, from_attributes=True)
    except ValidationError as error:
        raise ConfigError(f"JobConfig: {error}") from None


def _import_senders() -> None:
    """Import aiohttp, the most of the start: after a job may be refused, and off its clock."""
    from .providers import opening  # noqa: F401 - Python keeps it for the lanes


class _Job:
    """One run: what was found out before it, and what is open while it lasts."""

    def __init__(self, config: JobConfig, environ: Mapping[str, str], drain: Drain) -> None:
        self.config = config
        self.environ = environ
        self.drain = drain
        self.clock = SystemClock()
        self.routes = resolve(config, environ)
        first = self.routes[0]
        self.ceiling = _make_room(self.routes, config.max_concurrency)
        self.weights = {
            route.target: require(route.embedded, environ)
            for route in self.routes
            if route.embedded is not None
        }
        self.inputs = expand(config.inputs)
        self.output = _output(config, self.inputs)
        _check_summary(config.summary, self.inputs, self.output)
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
        _check_fallbacks(config, self.routes[1:])

    async def run(self, tally: Tally, observers: Sequence[Observer]) -> Summary:
        def observe(event: Event) -> None:
            tally(event)
            for observer in observers:
                observer(event)

        if self.config.summary is not None:
            drop_old_summary(self.config.summary)
        _import_senders()
        config = self.config
        began, used = self.clock.now(), time.process_time()
        total = await asyncio.to_thread(
            scan,
            self.inputs,
            self.parser,
            limit=config.limit,
            strict=config.strict,
            stopped=lambda: self.drain.stop is not None,
        )
        if self.drain.stop is not None:
            tally(self._started(None))
            return tally.summary(wall=self.clock.now() - began, stopped=self.drain.stop)
        async with AsyncExitStack() as stack:
            routes = self._open_routes(stack, observe)
            sink = await asyncio.to_thread(self._open_output)
            stack.push_async_callback(sink.aclose)
            observe(self._started(total))
            engine = LocalEngine(
                width=lambda: routes.width,
                drain=self.drain,
                grace=config.grace,
                clock=self.clock,
                observer=observe,
            )
            source = FileSource(self.inputs, self.parser, self.clock, config.limit, total)
            call = Call(
                routes,
                RetryPolicy(retries=config.retries, max_wait=config.max_wait),
                clock=self.clock,
                observer=observe,
                random=random.random,
            )
            await engine.run(source, call, sink)
            done = Tidied() if self.drain.stop else await sink.finish()
        return tally.summary(
            wall=self.clock.now() - began,
            cpu=time.process_time() - used,
            stopped=self.drain.stop,
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
            room=max(1024, 4 * self.ceiling),
        )

    def _open_routes(self, stack: AsyncExitStack, observe: Observer) -> Routes:
        opening = Opening(
            config=self.config,
            environ=self.environ,
            clock=self.clock,
            observe=observe,
            weights=self.weights,
            ceiling=self.ceiling,
        )
        lanes = []
        for route in self.routes:
            lane = opening.lane(route)
            stack.push_async_callback(lane.provider.aclose)
            lanes.append(lane)
        routes = Routes(
            lanes,
            max_outage=self.config.max_outage,
            drain=self.drain,
            clock=self.clock,
            observer=observe,
        )
        stack.callback(routes.close)
        return routes

    def _started(self, total: int | None) -> JobStarted:
        first, *others = self.routes
        auto = first.concurrency == "auto"
        return JobStarted(
            total=total,
            output=self.output,
            model=first.label,
            concurrency=self.ceiling if first.concurrency == "auto" else first.concurrency,
            rpm=first.rpm,
            tpm=first.tpm,
            auto=auto,
            fallbacks=[route.label for route in others],
        )


def _check_fallbacks(config: JobConfig, fallbacks: Sequence[Route]) -> None:
    """A route that could not answer a single row is a mistake to be told before, not in the night.

    Raises ConfigError; what single rows ask is found out with each of them.
    """
    params, _ = job_params(config.params, config.endpoint)
    for route in fallbacks:
        if problem := fit_of(route, config).problem(config.endpoint, params):
            raise ConfigError(f"fallback {route.label}: {problem}")


def _make_room(routes: Sequence[Route], ceiling: int) -> int:
    """Open files for what may be in flight; returns how far ``auto`` may go."""
    fixed = sum(route.concurrency for route in routes if isinstance(route.concurrency, int))
    auto = sum(route.concurrency == "auto" for route in routes)
    make_room(fixed)
    return max(1, (room_for(fixed + auto * ceiling) - fixed) // auto) if auto else fixed


def _output(config: JobConfig, inputs: Sequence[Input]) -> str:
    if config.output is not None:
        output = config.output
    else:
        output = default_output(inputs) or ""
        if not output:
            raise ConfigError("there are several inputs: name the output with -o FILE")
    if output != "-" and any(_same(output, source.path) for source in inputs):
        raise ConfigError(f"{output} is an input too: name another output with -o FILE")
    return output


def _check_summary(summary: str | None, inputs: Sequence[Input], output: str) -> None:
    """The summary replaces its file at the end, which must not be one of the job's own."""
    if summary is None:
        return
    if any(_same(summary, source.path) for source in inputs):
        raise ConfigError(f"--summary {summary}: is an input too; name another file")
    if output != "-" and _same(summary, output):
        raise ConfigError(f"--summary {summary}: is the output too; name another file")


def _same(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them is not there yet
        return Path(one).absolute() == Path(other).absolute()


__all__ = ["run_job", "run_job_async"]
