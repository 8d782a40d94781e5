"""Publishes a job while it runs: an observer of it, in the job's own event loop.

When nobody looks that is a look at the tally each second, and at most two answers that are kept
for whoever comes. Nothing of it can fail a job, or hold it up.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal, Self

from ..events import ConcurrencyChanged, Draining, Event, Noted, RowFinished
from ..model import Request
from ..outlook import Outlook
from ..ports import Flow
from ..summary import Summary, Tally
from .door import Door
from .lines import line
from .place import SUFFIX, Runtime, job_name, open_to_publish
from .snapshot import Looking, View, about_job
from .telling import Telling
from .texts import Texts
from .watcher import Watcher

EVERY = 0.5
"""Seconds between two `job` messages, at least."""

SHARE = 1 / 50
"""Of the time, for making `job` messages: where one takes long, the next one waits longer."""

FLUSH = 0.1
"""Seconds between two pieces of an answer."""

WATCHERS = 16
"""More than so many are sent away."""

PARTING = 1.0
"""Seconds that all who look together may hold up the end of a job, as long as they read."""

PATIENCE = 5
"""Seconds in which one who comes in has to ask, and to take a short answer."""

NOTICES = 20


def _noted(event: Event) -> str | None:
    return event.text if isinstance(event, Noted) else None


class Publisher:
    """An observer of one job, told of its texts through :meth:`heard` and of its end.

        with Publisher("run", config.inputs, tally) as live:
            heard = [live.heard]
            summary = await run_job_async(config, tally=tally, observers=[live], heard=heard)
            live.conclude(summary, 0)

    ``notice`` says in words what is worth a line, ``looking`` how far the job has come.
    """

    def __init__(
        self,
        command: Literal["run", "analyze"],
        inputs: Sequence[str],
        tally: Tally,
        *,
        looking: Looking = Outlook,
        notice: Callable[[Event], str | None] = _noted,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        started = time.time_ns()
        job = job_name(started, os.getpid())
        self._environ = os.environ if environ is None else environ
        self._view = View(
            about_job(command, inputs, job, started / 1e9), tally, looking, time.monotonic
        )
        self._texts = Texts()
        self._telling = Telling(job)
        self._notice = notice
        self._notices: deque[str] = deque(maxlen=NOTICES)
        self._watchers: list[Watcher] = []
        self._runtime: Runtime | None = None
        self._door: Door | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.TimerHandle | None = None
        self._flow: Flow | None = None
        self._message = b""  # the last one
        self._next = 0.0  # when another one is due, by the loop

    @property
    def job(self) -> str:
        """The job's name."""
        return self._view.about.job

    @property
    def heard(self) -> Callable[[Request, str | None], bool | None]:
        """See :class:`..ports.TextHeard`."""
        return self._texts.heard

    def open(self) -> None:
        """Begin, in the loop that runs; where it can't be done, nobody can look."""
        with suppress(OSError, ValueError):
            self._runtime = runtime = open_to_publish(self._environ)
            if runtime is None:
                return
            loop = asyncio.get_running_loop()
            door = Door(runtime, self.job + SUFFIX, self._enter)
            door.open(loop)
            self._door = door
            self._timer = loop.call_later(1.0, self._second)
            runtime.sweep()

    def __call__(self, event: Event) -> None:
        if isinstance(event, RowFinished):
            answers = self._texts.answers
            if event.result.id in answers:
                answer = answers.pop(event.result.id)
                self._telling.ended(answer, event.result, self._following)
            return
        if (notice := self._said(event)) is not None:
            self._notices.append(notice)

    def _said(self, event: Event) -> str | None:
        match event:
            case ConcurrencyChanged(route, before, now, reason):
                return f"{route}: {now} at a time instead of {before} ({reason})"
            case Draining(reason):
                return f"{reason}: stopping"
            case _:
                return self._notice(event)

    @property
    def _following(self) -> list[Watcher]:
        return [watcher for watcher in self._watchers if watcher.follows]

    def _enter(self, connection: socket.socket) -> None:
        if len(self._watchers) >= WATCHERS:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        self._watchers.append(Watcher(connection, loop, self._asked, self._left))

    def _asked(self, watcher: Watcher) -> None:
        if not watcher.follows:
            watcher.say([line(self._view.entry())])
            return
        loop = asyncio.get_running_loop()
        if self._flushing is None:
            self._texts.watch(True)
            self._flushing = loop.call_later(FLUSH, self._flush)
        if loop.time() >= self._next:
            self._make(loop)
        watcher.send([self._message])
        self._telling.tell(watcher, self._texts.answers.values())

    def _listen(self, flow: Flow | None) -> None:
        """Hear what other processes are answered while somebody looks, once they are there."""
        if flow is self._flow:
            return
        before, self._flow = self._flow, flow
        if flow is not None:
            flow.listen(self._texts.heard)
        elif before is not None:
            before.listen(None)
            if before.elsewhere:  # nobody will say how they go on
                self._texts.answers.clear()

    def _left(self, watcher: Watcher) -> None:
        self._watchers.remove(watcher)

    def _second(self) -> None:
        """Note how things are."""
        self._timer = asyncio.get_running_loop().call_later(1.0, self._second)
        self._view.note()
        if self._door is not None:
            self._door.rest()
        for watcher in tuple(self._watchers):
            watcher.age += 1
            if not watcher.follows and watcher.age > PATIENCE:
                watcher.close()
        if self._flushing is None:
            self._texts.more()

    def _flush(self) -> None:
        """Tell whoever looks what is new."""
        following = self._following
        if not following:
            self._flushing = None
            self._texts.watch(False)
            self._listen(None)
            return
        loop = asyncio.get_running_loop()
        self._flushing = loop.call_later(FLUSH, self._flush)
        self._listen(self._view.tally.flow)
        self._texts.more()
        for watcher in following:
            self._telling.tell(watcher, self._texts.answers.values())
        if loop.time() >= self._next:
            self._publish(following, loop)

    def _publish(self, following: Sequence[Watcher], loop: asyncio.AbstractEventLoop) -> None:
        free = [watcher for watcher in following if not watcher.busy]
        if free:
            self._make(loop)
        for watcher in free:
            watcher.send([self._message])

    def _make(self, loop: asyncio.AbstractEventLoop) -> None:
        began = time.perf_counter()
        self._message = line(self._view.message(self._notices))
        self._next = loop.time() + max(EVERY, (time.perf_counter() - began) / SHARE)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def conclude(self, summary: Summary, code: int) -> None:
        """The job has its end; whoever looks is told how, in or after the loop."""
        if self._following:
            message = line(self._view.last(summary, code, self._notices))
            until = time.monotonic() + PARTING
            for watcher in self._following:
                watcher.part([*watcher.owed, message], until)
        self.close()

    def close(self) -> None:
        """Be gone; who looks still is not told why. Safe to call twice."""
        for timer in (self._timer, self._flushing):
            if timer is not None:
                timer.cancel()
        for watcher in tuple(self._watchers):
            watcher.close()
        if self._door is not None:
            self._door.close()
        if self._runtime is not None:
            self._runtime.close()

    def __repr__(self) -> str:
        return f"<Publisher of {self.job}, {len(self._watchers)} look>"
