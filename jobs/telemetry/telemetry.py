"""What watches a job for OpenTelemetry and Prometheus: one observer that all exporters share.

It never holds a job up and never fails it: what can block is done in threads, what is not taken is
counted and told once at the end, and a mistake here ends the telemetry alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ..events import Event, JobStarted
from ..summary import Summary, Tally
from .courier import Courier
from .reading import Counts, Reading

if TYPE_CHECKING:
    from .otlp import Otlp

FLUSH = 5.0
"""Seconds that the end of a job waits for all exporters together."""

HURRY = 1.0
"""The same where the job was interrupted."""

BUG = "telemetry broke off early, which is a bug in llmbatch; the job is not touched"

AT_ONCE = 0.1
"""The same where it was interrupted twice."""


class Telemetry:
    """Observes a job, whose ``tally`` it reads."""

    def __init__(
        self,
        tally: Tally,
        command: str,
        *,
        streams: bool,
        couriers: Sequence[Courier],
        otlp: Otlp | None = None,
    ) -> None:
        self._tally = tally
        self._command = command
        self._counts = Counts(streams=streams)
        self._own = couriers
        self._otlp = otlp
        metrics = None if otlp is None else otlp.metrics
        self._couriers = couriers if metrics is None else [*couriers, metrics]
        self._started_at = time.time()
        self._began = time.monotonic()
        self._running = False
        self._broken = False
        self._at_once = False
        self._timers: dict[Courier, asyncio.TimerHandle] = {}

    def __call__(self, event: Event) -> None:
        if self._broken:
            return
        with self._guard():
            self._observe(event)

    @property
    def rows(self) -> bool:
        """See :class:`..ports.Observer`."""
        return self._otlp is not None and self._otlp.trace_id is not None

    def hurry(self) -> None:
        """Nobody waits for the end."""
        self._at_once = True

    def conclude(self, summary: Summary, code: int) -> list[str]:
        """Bring the last figures where they belong; what went wrong, a line for each place."""
        found: list[str] = []
        if self._running and not self._broken:
            with self._guard():
                found = self._end(summary, code)
        return [BUG] if self._broken else found

    def _end(self, summary: Summary, code: int) -> list[str]:
        self._running = False
        for timer in self._timers.values():
            timer.cancel()
        stopped = summary.stopped
        hurried = stopped is not None and stopped.cause in ("SIGINT", "SIGTERM")
        patience = HURRY if hurried else FLUSH
        deadline = time.monotonic() + (AT_ONCE if self._at_once else patience)
        reading = self._reading(summary, code)
        for courier in self._couriers:
            courier.bring_last(reading, deadline)
        if self._otlp is not None:
            self._otlp.end(summary, code, deadline)
        with suppress(KeyboardInterrupt):  # somebody does not want to wait
            self._wait()
        return self._problems()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """A job does not end for what only watches it."""
        try:
            yield
        except Exception:  # noqa: BLE001 - whatever it is
            self._broken = True

    def _observe(self, event: Event) -> None:
        self._counts(event)
        if self._otlp is not None:
            self._otlp(event)
        if isinstance(event, JobStarted) and not self._running:
            self._running = True
            self._started_at, self._began = time.time(), time.monotonic()
            for courier in self._couriers:
                self._bring(courier)

    def _bring(self, courier: Courier) -> None:
        """The figures so far, now and every so often."""
        with self._guard():
            wall = time.monotonic() - self._began
            courier.bring(self._reading(self._tally.summary(wall=wall), None))
            every = courier.taker.every
            timer = asyncio.get_running_loop().call_later(every, self._bring, courier)
            self._timers[courier] = timer

    def _reading(self, summary: Summary, code: int | None) -> Reading:
        flow = self._tally.flow
        return Reading(
            command=self._command,
            summary=summary,
            models=self._counts.read(),
            started_at=self._started_at,
            at=time.time(),
            exit_code=code,
            pulse=None if flow is None or code is not None else flow.pulse(),
        )

    def _wait(self) -> None:
        for courier in self._couriers:
            courier.wait()
        if self._otlp is not None:
            self._otlp.wait()

    def _problems(self) -> list[str]:
        found = [
            f"telemetry: {courier.taker} did not take the figures: {courier.problem}"
            for courier in self._own
            if courier.problem is not None
        ]
        if self._otlp is not None and (problem := self._otlp.problem) is not None:
            found.append(problem)
        return found

    def __repr__(self) -> str:
        return f"<Telemetry of {self._command}>"
