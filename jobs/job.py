"""The composition root: from a JobConfig to objects to a Summary."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import ValidationError, convert, structs

from .call import Call
from .clock import SystemClock
from .config import JobConfig
from .drain import Drain, Stop
from .embedded.weights import require
from .engines.local import LocalEngine
from .errors import ConfigError
from .events import Event, JobStarted
from .filelimit import make_room
from .keys import Key
from .limits import open_gate
from .model import Result, Row, Tidied
from .ports import Engine, Observer, Seat, Worker
from .providers.registry import model_for_row, resolve
from .retry import RetryPolicy
from .sinks.opening import open_output
from .sources.files import FileSource
from .sources.inputs import Input, default_output, expand
from .sources.rows import RowDefaults, RowParser
from .sources.scan import scan
from .summary import Summary, Tally
from .summaryfile import drop_old_summary
from .tokens import TokenCounter

if TYPE_CHECKING:
    from .embedded.server import EmbeddedServer
    from .providers.http import Http


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
    from .providers import http, openai  # noqa: F401 - Python keeps them for _Job.http and call


class _Job:
    """One run: what was found out before it, and what is open while it lasts."""

    def __init__(self, config: JobConfig, environ: Mapping[str, str], drain: Drain) -> None:
        self.config = config
        self.drain = drain
        self.clock = SystemClock()
        self.route = resolve(config, environ)
        make_room(self.route.concurrency)
        self.weights = require(self.route.embedded, environ) if self.route.embedded else None
        self.inputs = expand(config.inputs)
        self.output = _output(config, self.inputs)
        _check_summary(config.summary, self.inputs, self.output)
        self.parser = RowParser(
            RowDefaults(
                model=self.route.model,
                system=config.system,
                template=config.template,
                endpoint=config.endpoint,
                params=config.params,
                target=self.route.target,
                resolve_model=lambda model: model_for_row(self.route, model),
            ),
            several=len(self.inputs) > 1,
        )

    async def run(self, tally: Tally, observers: Sequence[Observer]) -> Summary:
        def observe(event: Event) -> None:
            tally(event)
            for observer in observers:
                observer(event)

        if self.config.summary is not None:
            drop_old_summary(self.config.summary)
        _import_senders()
        config, route = self.config, self.route
        began = self.clock.now()
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
            sink = await asyncio.to_thread(
                open_output,
                self.output,
                line_format=config.format,
                order=config.order,
                fresh=config.fresh,
                force=config.force,
                room=max(1024, 4 * route.concurrency),
            )
            stack.push_async_callback(sink.aclose)
            observe(self._started(total))
            engine: Engine = LocalEngine(
                concurrency=route.concurrency,
                drain=self.drain,
                grace=config.grace,
                clock=self.clock,
                observer=observe,
            )
            source = FileSource(self.inputs, self.parser, self.clock, config.limit, total)
            await engine.run(source, self._worker(stack, observe), sink)
            done = Tidied() if self.drain.stop else await sink.finish()
        return tally.summary(wall=self.clock.now() - began, stopped=self.drain.stop, tidied=done)

    def _started(self, total: int | None) -> JobStarted:
        route = self.route
        return JobStarted(
            total=total,
            output=self.output,
            model=f"{route.name}/{route.model}",
            concurrency=route.concurrency,
            rpm=route.rpm,
            tpm=route.tpm,
        )

    def _worker(self, stack: AsyncExitStack, observe: Observer) -> Worker:
        if self.weights is not None:
            return _Embedded(self, self.weights, stack, observe)
        assert self.route.base_url is not None  # noqa: S101 - a route has one or the other
        http = self.http(self.route.base_url, self.route.key, self.route.headers)
        stack.push_async_callback(http.aclose)
        return self.call(http, observe)

    def http(self, base_url: str, key: Key | None, headers: Mapping[str, str]) -> Http:
        from .providers.http import Http

        return Http(
            base_url,
            name=self.route.name,
            key=key,
            headers=headers,
            timeout=self.config.timeout,
            stall_timeout=self.config.stall_timeout,
        )

    def call(self, http: Http, observe: Observer) -> Call:
        from .providers.openai import OpenAI

        config, route = self.config, self.route
        return Call(
            OpenAI(http, name=route.name, stream=config.stream),
            open_gate(
                concurrency=route.concurrency,
                rpm=route.rpm,
                tpm=route.tpm,
                counter=None if route.tpm is None else TokenCounter(),
            ),
            RetryPolicy(retries=config.retries, max_wait=config.max_wait),
            drain=self.drain,
            clock=self.clock,
            observer=observe,
            random=random.random,
        )


class _Embedded:
    """The worker of the embedded model: its server is started by the first row that needs it."""

    def __init__(self, job: _Job, weights: Path, stack: AsyncExitStack, observe: Observer) -> None:
        self._job = job
        self._weights = weights
        self._stack = stack
        self._observe = observe
        self._starting = asyncio.Lock()
        self._server: EmbeddedServer | None = None
        self._call: Call | None = None

    async def __call__(self, row: Row, seat: Seat) -> Result:
        call = self._call
        if call is None:
            async with self._starting:
                call = self._call or await self._start()
        result = await call(row, seat)
        if result.error is not None and self._server and self._server.returncode is not None:
            self._job.drain.request(Stop("fatal", "the embedded model's process has ended"))
        return result

    async def _start(self) -> Call:
        from .embedded.server import EmbeddedServer

        job = self._job
        server = await EmbeddedServer.start(
            self._weights, parallel=job.route.concurrency, alias=job.route.model
        )
        self._stack.push_async_callback(server.aclose)
        http = job.http(server.base_url, Key(server.key), server.headers)
        self._stack.push_async_callback(http.aclose)
        self._server, self._call = server, job.call(http, self._observe)
        return self._call


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
