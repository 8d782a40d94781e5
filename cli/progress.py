"""What a person sees while a job runs: a bar on a terminal, log lines elsewhere, or nothing.

Each is an observer of the job that reads its figures from the job's tally, by a timer of its
own: a finished row costs it nothing.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, TextIO

from llmbatch.jobs.events import Draining, Event, JobStarted, RowFinished, RowSkipped, RowsSkipped
from llmbatch.jobs.summary import Summary, Tally

from .figures import Figures, duration, fit
from .notices import Notices
from .summary import block, last_line
from .terminal import printable

BAR_EVERY = 0.2
"""Seconds between two pictures of the bar."""

LOG_EVERY = 30.0
"""Seconds between two log lines."""


SHORTEST = 10
"""Columns of the shortest bar that is worth its place."""

NARROW = 40
"""Columns below which a bar says less than the figures that it takes the place of."""

MARGIN = 4
"""Columns left free, so that the ^C that a terminal echoes does not break the line."""


def _nothing() -> None:
    """Nobody else writes."""


class Silent:
    """Says nothing but that the job is being stopped."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        self.tally = tally
        self.stream = stream
        self._pause: Callable[[], None] = _nothing

    def __call__(self, event: Event) -> None:
        if isinstance(event, Draining):
            self.say(draining(event))

    def say(self, text: str) -> None:
        """Write a line."""
        self.command(printable(text))

    def warn(self, event: str, text: str) -> None:  # noqa: ARG002 - a name for records alone
        """Write a line about what went wrong beside the job."""
        self.say(text)

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a job goes on although nobody can read how it gets on
            self.stream.write(text)
            self.stream.flush()

    def close(self) -> None:
        """Stop and leave the terminal clean. Safe to call twice."""
        self._pause()

    def command(self, line: str) -> None:
        """Write a line for whoever reads the log by machine, as it stands."""
        self._pause()
        self._write(line + "\n")

    def conclude(self, summary: Summary, code: int) -> None:
        """Say what the job came to; the last line is the last on standard error."""
        self.say(last_line(summary, code))

    def give_way(self, pause: Callable[[], None]) -> None:
        """Leave the terminal to another writer; ``pause`` ends its line before one of ours."""
        self.close()
        self._pause = pause

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.tally!r}>"


class Timed(Silent):
    """Shows itself every so often, from the first event on."""

    every: float

    def __init__(
        self,
        tally: Tally,
        stream: TextIO,
        now: Callable[[], float],
        counting: type[Figures] = Figures,
    ) -> None:
        super().__init__(tally, stream)
        self._now = now
        self._counting = counting
        self._began = now()
        self._stopping = False
        self._notices = Notices(now)
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, RowFinished | RowSkipped | RowsSkipped):
            return
        if isinstance(event, JobStarted):
            self._began = self._now()
            self.start()
        elif isinstance(event, Draining):
            self._stopping = True
        elif notice := self._notices(event):
            self.tell(notice)
        super().__call__(event)

    def tell(self, notice: str) -> None:
        """Say that something happened to a route."""
        self.say(notice)

    @property
    def figures(self) -> Figures:
        return self._counting(self.tally, self._now() - self._began, stopping=self._stopping)

    def conclude(self, summary: Summary, code: int) -> None:
        for line in block(summary):
            self.say(f"  {line}")
        super().conclude(summary, code)

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.every, self._tick)

    def _tick(self) -> None:
        self.show()
        self.start()

    def show(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().close()


class LogLines(Timed):
    """A plain line every 30 s, for cron and CI, and one when something happens to a route."""

    every = LOG_EVERY

    def show(self) -> None:
        figures = self.figures
        self.tell(", ".join(figures.parts(figures.unit)))

    def tell(self, notice: str) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.say(f"{at} {notice}")


class Bar(Timed):
    """A tqdm bar with the figures behind it, as many as the terminal is wide."""

    every = BAR_EVERY

    _bar: Any = None

    def start(self) -> None:
        if self._bar is None:
            self._bar = bar_for(self.stream)
            self.show()
        super().start()

    def show(self) -> None:
        figures, room = self.figures, columns(self.stream) - MARGIN
        bar = self._bar
        bar.n, bar.total = figures.reached
        bar.ncols = max(room, 1)
        if bar.total and room >= NARROW:
            bar.bar_format = "{head}|{bar}| {tail}"
            bar.head = f"{figures.percent:3}%"
            bar.tail = fit(figures.parts(), room - len("100%|| ") - SHORTEST)
        else:
            bar.bar_format = "{tail}"
            bar.tail = fit(figures.parts(figures.unit), room)
        self._refresh()

    def command(self, line: str) -> None:
        if self._bar is not None:
            self._write("\r" + " " * (columns(self.stream) - 1) + "\r")
        super().command(line)
        if self._bar is not None:
            self._refresh()

    def close(self) -> None:
        super().close()
        if self._bar is not None:
            self.show()
            with suppress(OSError):
                self._bar.close()
            self._bar = None

    def _refresh(self) -> None:
        with suppress(OSError):
            self._bar.refresh()


def bar_for(stream: TextIO) -> Any:
    """A bar that shows what it is told: ``head`` before and ``tail`` behind."""
    from tqdm import tqdm

    class Row(tqdm):  # type: ignore[type-arg]  # generic in the stubs alone
        monitor_interval = 0  # no thread: the timer here refreshes it
        head = tail = ""

        @property
        def format_dict(self) -> Any:
            return {**super().format_dict, "head": self.head, "tail": self.tail}

    # Any number of rows: tqdm hides a bar on a terminal that does not say how many it has.
    return Row(file=stream, ncols=1, nrows=24, bar_format="{tail}", miniters=1)


def columns(stream: TextIO) -> int:
    """How wide the terminal is; 80 where it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def draining(event: Draining) -> str:
    if not event.in_flight:
        return f"{event.reason}: stopping"
    rows = "1 row" if event.in_flight == 1 else f"{event.in_flight} rows"
    within = "" if event.grace is None else f" within {duration(event.grace)}"
    return f"{event.reason}: stopping; {rows} in flight may finish{within} (Ctrl-C to end at once)"


def progress_for(
    stream: TextIO,
    tally: Tally,
    *,
    quiet: bool,
    plain: bool = False,
    log: Literal["text", "json"] = "text",
    counting: type[Figures] = Figures,
) -> Silent:
    """The progress that fits where standard error goes; ``plain`` is never a bar."""
    if log == "json":
        from .jsonlines import JsonLines

        return JsonLines(tally, stream, time.monotonic, counting, quiet=quiet)
    if quiet:
        return Silent(tally, stream)
    kind = Bar if stream.isatty() and not plain else LogLines
    return kind(tally, stream, time.monotonic, counting)
