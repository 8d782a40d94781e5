"""What a person sees while a job runs: a bar on a terminal, log lines elsewhere, or nothing.

Each is an observer of the job that reads its figures from the job's tally, by a timer of its
own: a finished row costs it nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, TextIO

from llmbatch.jobs.events import Draining, Event, JobStarted, RowFinished, RowSkipped
from llmbatch.jobs.model import GOOD
from llmbatch.jobs.summary import Tally

from .terminal import printable

BAR_EVERY = 0.2
"""Seconds between two pictures of the bar."""

LOG_EVERY = 30.0
"""Seconds between two log lines."""


class Silent:
    """Says nothing but that the job is being stopped."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        self.tally = tally
        self.stream = stream

    def __call__(self, event: Event) -> None:
        if isinstance(event, Draining):
            self.say(draining(event))

    def say(self, text: str) -> None:
        self.stream.write(printable(text) + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Stop and leave the terminal clean. Safe to call twice."""


class Timed(Silent):
    """Shows itself every so often, from the first event on."""

    every: float

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        super().__init__(tally, stream)
        self.began = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, RowFinished | RowSkipped):
            return
        if isinstance(event, JobStarted):
            self.began = time.monotonic()
            self.start()
        super().__call__(event)

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


class LogLines(Timed):
    """A plain line every 30 s, for cron and CI."""

    every = LOG_EVERY

    def show(self) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        figures = Figures(self.tally, time.monotonic() - self.began)
        left = "" if figures.left is None else f", {duration(figures.left)} left"
        self.say(f"{now} {figures.counted} rows, {figures}{left}")


class Bar(Timed):
    """A tqdm bar with the figures behind it."""

    every = BAR_EVERY

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        super().__init__(tally, stream)
        self._bar: Any = None

    def start(self) -> None:
        if self._bar is None:
            self._bar = self._make()
        super().start()

    def _make(self) -> Any:
        from tqdm import tqdm

        total = self.tally.started.total
        known = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}{postfix}]"
        bar_format = known if total is not None else "{n_fmt} rows [{elapsed}{postfix}]"

        class Row(tqdm):  # type: ignore[type-arg]  # generic in the stubs alone
            left = "?"

            @property
            def format_dict(self) -> Any:
                return {**super().format_dict, "left": self.left}

        return Row(
            total=total, file=self.stream, dynamic_ncols=True, bar_format=bar_format, miniters=1
        )

    def show(self) -> None:
        figures = Figures(self.tally, time.monotonic() - self.began)
        self._bar.n = figures.done
        self._bar.left = "?" if figures.left is None else duration(figures.left)
        self._bar.set_postfix_str(str(figures), refresh=False)
        self._bar.refresh()

    def say(self, text: str) -> None:
        if self._bar is None:
            super().say(text)
        else:
            self._bar.write(printable(text), file=self.stream)

    def close(self) -> None:
        super().close()
        if self._bar is not None:
            self.show()
            self._bar.close()
            self._bar = None


class Figures:
    """The tally's state ``elapsed`` seconds after the start, as a person wants to read it."""

    def __init__(self, tally: Tally, elapsed: float) -> None:
        self.tally = tally
        self.elapsed = max(elapsed, 1e-6)
        self.ran = sum(tally.rows.values())
        self.done = self.ran + sum(tally.skipped.values())

    @property
    def counted(self) -> str:
        total = self.tally.started.total
        return str(self.done) if total is None else f"{self.done}/{total}"

    @property
    def failed(self) -> int:
        return sum(n for status, n in self.tally.rows.items() if status not in GOOD)

    @property
    def left(self) -> float | None:
        """Seconds to the end: by the pace so far, and never faster than the limits allow."""
        started = self.tally.started
        if started.total is None:
            return None
        rows = started.total - self.done
        estimates = []
        if self.ran:
            estimates.append(rows * self.elapsed / self.ran)
            tokens = (self.tally.input_tokens + self.tally.output_tokens) / self.ran
            if started.tpm:
                estimates.append(rows * tokens / started.tpm * 60)
        if started.rpm:
            estimates.append(rows / started.rpm * 60)
        return max(estimates, default=None)

    def __str__(self) -> str:
        parts = [f"{self.ran / self.elapsed:.1f} rows/s"]
        if self.tally.output_tokens:
            parts.append(f"{self.tally.output_tokens / self.elapsed:.0f} tokens/s")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.tally.cost is not None:
            parts.append(f"${self.tally.cost:.4f}")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """``9s``, ``4m05s``, ``3h07m``, ``2d04h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def draining(event: Draining) -> str:
    if not event.in_flight:
        return f"{event.reason}: stopping"
    return (
        f"{event.reason}: stopping; {event.in_flight} rows in flight have"
        f" {duration(event.grace)} to finish (interrupt again to end at once)"
    )


def progress_for(stream: TextIO, tally: Tally, *, quiet: bool) -> Silent:
    """The progress that fits where standard error goes."""
    if quiet:
        return Silent(tally, stream)
    return Bar(tally, stream) if stream.isatty() else LogLines(tally, stream)
