"""How a job runs in this process: signals, progress, the summary and the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.drain import Drain, Stop
from llmbatch.jobs.errors import SinkError, SourceError
from llmbatch.jobs.events import Event
from llmbatch.jobs.garbage import in_flight_at_most, look_rarely
from llmbatch.jobs.pipeline import run_loop
from llmbatch.jobs.ports import Observer, TextHeard
from llmbatch.jobs.summary import Summary, Tally
from llmbatch.jobs.summaryfile import check_summary_path, write_summary

from .exits import code_for, exit_of
from .figures import Figures
from .notices import Notices
from .progress import Silent
from .terminal import VOICE, say_error

if TYPE_CHECKING:
    from llmbatch.jobs.watching.publisher import Publisher

UNSTARTED = 0.5
"""Seconds that a job which has not begun gets to end: it may be opening a pipe without a reader."""


class Watchers(NamedTuple):
    """Who is told of a job's events, and who of its answers while they come."""

    observers: Sequence[Observer]
    heard: Sequence[TextHeard]


class Job(Protocol):
    """What a command runs, and what a person sees while it does."""

    @property
    def config(self) -> JobConfig: ...

    @property
    def command(self) -> Literal["run", "analyze"]: ...

    @property
    def inputs(self) -> Sequence[str]:
        """As the user named them."""
        ...

    @property
    def counting(self) -> type[Figures]:
        """What its progress is counted in."""
        ...

    def progress(self, tally: Tally) -> Silent: ...

    def run(
        self, drain: Drain, tally: Tally, progress: Silent, watchers: Watchers
    ) -> Coroutine[Any, Any, Summary]: ...


class Report(Protocol):
    """What else is written about a job: an observer, told of the job's end.

    One that has a method ``heard`` (:data:`TextHeard`) is told of answers while they come, one that
    has a method ``hurry`` before the end that nobody waits for it.
    """

    def __call__(self, event: Event) -> None: ...

    def conclude(self, summary: Summary, code: int) -> None:
        """Raises :class:`SinkError`."""
        ...


def execute(job: Job) -> int:
    """Run the job of this process, with its signals, progress and summary; the exit code."""
    if job.config.summary is not None:
        check_summary_path(job.config.summary)
    VOICE.json = job.config.log_format == "json"
    VOICE.github = job.config.github and not VOICE.json
    VOICE.guarded = VOICE.guarded or VOICE.github
    look_rarely(in_flight_at_most(job.config))
    return _Execution(job).to_its_end()


class _Execution:
    """The job of this process and what is said about it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.config = job.config
        self.tally = Tally()
        self.drain = Drain()
        self.began = time.monotonic()
        self.progress = job.progress(self.tally)
        self.live = self._live()
        self.reports = list(self._reports())

    def __repr__(self) -> str:
        return f"<_Execution {self.tally!r}, {self.drain!r}>"

    def to_its_end(self) -> int:
        try:
            summary = run_loop(self._main())
        except (SourceError, SinkError) as error:
            self.progress.close()
            if not self.tally.started.output:
                raise  # nothing was sent: there is nothing to sum up
            say_error(str(error))
            which = "output" if isinstance(error, SinkError) else "input"
            return self._conclude(
                self._broken_off(Stop("fatal", f"the {which} failed")), code_for(error)
            )
        finally:
            self.progress.close()
            if self.live is not None and sys.exc_info()[0] is not None:
                self.live.close()
        return self._conclude(summary, exit_of(summary, self.config.max_failed))

    async def _main(self) -> Summary:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)
        if self.live is not None:
            self.live.open()
        heard = [ear for each in self.reports if (ear := getattr(each, "heard", None)) is not None]
        watchers = Watchers([self.progress, *self.reports], heard)
        return await self.job.run(self.drain, self.tally, self.progress, watchers)

    def _reports(self) -> Iterator[Report]:
        """Those that are asked for, imported only then. Raises ConfigError."""
        config = self.config
        if config.junit is not None:
            from .junit import JUnit, check_junit_path

            check_junit_path(config.junit)
            yield JUnit(config.junit)
        if config.github:
            from .github import GitHub, check_log

            check_log(config.log_format)
            yield GitHub(self.progress.command, os.environ)
        if self.live is not None:
            yield self.live
        if config.otlp or config.prometheus or config.pushgateway or config.otlp_content:
            from .telemetry import telling

            if told := telling(config, self.job.command, self.tally, self.progress):
                yield told

    def _live(self) -> Publisher | None:
        """Where others may look at the job while it runs."""
        if not self.config.live:
            return None
        from llmbatch.jobs.watching.publisher import Publisher

        job = self.job
        return Publisher(
            job.command,
            job.inputs,
            self.tally,
            looking=job.counting,
            notice=Notices(time.monotonic),
        )

    def _on_signal(self, number: signal.Signals) -> None:
        """The first signal lets rows in flight finish; one while the job ends, ends it at once."""
        interrupt = number == signal.SIGINT
        word = "interrupted" if interrupt else "terminated"
        if self.drain.stop is not None:
            self._end_at_once(Stop("SIGINT" if interrupt else "SIGTERM", f"{word}, ended at once"))
            return
        stop = Stop("SIGINT" if interrupt else "SIGTERM", word)
        self.drain.request(stop)
        if not self.tally.started.output:  # nothing is in flight, but a thread may be at a file
            asyncio.get_running_loop().call_later(UNSTARTED, self._end_unstarted, stop)

    def _end_unstarted(self, stop: Stop) -> None:
        if not self.tally.started.output:
            self._end_at_once(stop)

    def _end_at_once(self, stop: Stop) -> None:
        self.progress.close()
        self.drain.cut()
        for report in self.reports:
            if hurry := getattr(report, "hurry", None):
                hurry()
        summary = self._broken_off(stop)
        end_now(self._conclude(summary, exit_of(summary, self.config.max_failed)))

    def _broken_off(self, stopped: Stop) -> Summary:
        """What a job came to that can't come to its end."""
        return self.tally.summary(wall=time.monotonic() - self.began, stopped=stopped)

    def _conclude(self, summary: Summary, code: int) -> int:
        """Write the summary where it is wanted; its last line is the last on standard error."""
        failures: list[SinkError] = []
        writers = [report.conclude for report in self.reports]
        if (path := self.config.summary) is not None:
            writers.insert(0, lambda summary, code: write_summary(summary, path, code))
        for write in writers:
            try:
                write(summary, code)
            except SinkError as error:
                failures.append(error)
                code = code or code_for(error)
        for failure in failures:
            say_error(str(failure))
        self.progress.conclude(summary, code)
        return code


def end_now(code: int) -> None:
    """End without waiting for anything; whole lines are with the operating system already."""
    os._exit(code)
