"""Progress as JSON objects, one a line: ``--log-format json``."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, TextIO

import msgspec

from llmbatch.jobs.events import (
    BreakerOpened,
    Draining,
    Event,
    JobStarted,
    RoutePaused,
    RouteStopped,
    RowFinished,
    RowSkipped,
    RowsSkipped,
)
from llmbatch.jobs.summary import Summary, Tally
from llmbatch.jobs.summaryfile import summary_values

from .figures import Figures
from .logjson import record
from .progress import LOG_EVERY, Timed, draining
from .summary import last_line

_WARNINGS = (BreakerOpened, RoutePaused, RouteStopped, Draining)
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


class JsonLines(Timed):
    """A record every 30 s, one for whatever happens to a route, and the summary as the last one.

    With ``quiet`` only the end of the job and its reason are said.
    """

    every = LOG_EVERY

    def __init__(
        self,
        tally: Tally,
        stream: TextIO,
        now: Callable[[], float],
        counting: type[Figures] = Figures,
        *,
        quiet: bool = False,
    ) -> None:
        super().__init__(tally, stream, now, counting)
        self._quiet = quiet
        hear_libraries(self.command)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RowFinished | RowSkipped | RowsSkipped):
            return
        if isinstance(event, Draining):
            self._stopping = True
            self._tell(event, draining(event))
        elif self._quiet:
            return
        elif isinstance(event, JobStarted):
            self._began = self._now()
            self._tell(event, f"{event.model} -> {event.output}")
            self.start()
        elif notice := self._notices(event):
            self._tell(event, notice)

    def show(self) -> None:
        figures = self.figures
        tally, (reached, whole) = self.tally, figures.reached
        lag = tally.lag.figures
        self.say_record(
            "info",
            "progress",
            ", ".join(figures.parts(figures.unit)),
            done=figures.done,
            total=tally.started.total,
            reached=reached,
            whole=whole,
            rows=dict(tally.rows),
            failed=figures.failed,
            failures=dict(tally.failures),
            attempts=tally.attempts,
            retries=dict(tally.retries),
            in_flight=None if tally.flow is None else tally.flow.pulse().in_flight,
            elapsed_s=round(figures.elapsed, 3),
            left_s=None if figures.left is None else round(figures.left, 3),
            input_tokens=tally.usage.input_tokens,
            output_tokens=tally.usage.output_tokens,
            cost_usd=tally.bill.total,
            loop_lag_p99_s=None if lag is None else lag.p99_s,
        )

    def say(self, text: str) -> None:
        self.say_record("info", "message", text)

    def warn(self, event: str, text: str) -> None:
        self.say_record("warning", event, text)

    def say_record(self, level: str, event: str, message: str, **fields: Any) -> None:
        """Write a record."""
        self.command(record(level, event, message, **fields))

    def conclude(self, summary: Summary, code: int) -> None:
        level = "error" if code else "info"
        values = summary_values(summary, code)
        self.say_record(level, "summary", last_line(summary, code), **values)

    def _tell(self, event: Event, message: str) -> None:
        level = "warning" if isinstance(event, _WARNINGS) else "info"
        name = _WORDS.sub("_", type(event).__name__).lower()
        values = msgspec.to_builtins(event)
        values.pop("text", None)  # which is the message
        self.say_record(level, name, message, **values)


def hear_libraries(write: Callable[[str], None]) -> None:
    """What a library logs or warns of becomes a record, too."""
    logging.captureWarnings(True)
    logging.getLogger().handlers = [_Handler(write)]


class _Handler(logging.Handler):
    """The text of a library's own record; no traceback, which might show a prompt."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._line = write

    def emit(self, logged: logging.LogRecord) -> None:
        level = "error" if logged.levelno >= logging.ERROR else "warning"
        try:
            text = logged.getMessage()
        except Exception:  # noqa: BLE001 - its values do not fit its text
            text = str(logged.msg)
        self._line(record(level, "log", text, logger=logged.name))
