"""What a job came to: counted by an observer while it runs, one frozen value at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from .drain import Stop
from .events import AttemptFailed, Event, JobStarted, RowFinished, RowSkipped, SourceWaited
from .histogram import Histogram
from .model import GOOD, Metrics, Tidied, Usage

NOTHING = Tidied()


class Percentiles(Struct, frozen=True):
    """In seconds; None where there was no value."""

    p50: float | None
    p95: float | None


class TimeSpent(Struct, frozen=True):
    """Where the rows' time went, in seconds, added up over all rows (they run side by side)."""

    limit: float
    provider: float
    backoff: float
    source: float


class Summary(Struct, frozen=True, kw_only=True):
    """The end of a job, as ``--summary`` writes it.

    ``rows`` counts this run's rows by status; ``skipped`` the ones that an earlier run had done,
    by status as well. ``not_run`` is how many of the input's rows have no result yet, None where
    the input's length is not known. ``cost_usd`` is None when no provider told it.
    ``output_lines`` says what became of the lines that the output had before. ``first_invalid`` is
    why the first invalid row was none; what a provider said of a row stands in the output alone,
    as it may repeat the prompt.
    """

    output: str
    model: str
    total: int | None
    rows: Mapping[str, int]
    skipped: Mapping[str, int]
    not_run: int | None
    usage: Usage
    cost_usd: float | None
    wall_s: float
    rows_per_s: float
    output_tokens_per_s: float
    ttft_s: Percentiles
    latency_s: Percentiles
    attempts: int
    retries: Mapping[str, int]
    failures: Mapping[str, int]
    time: TimeSpent
    first_invalid: str | None = None
    output_lines: Tidied = NOTHING
    stopped: Stop | None = None

    @property
    def failed(self) -> int:
        """Rows without a good end, those of earlier runs included."""
        counts = Counter(self.rows)
        counts.update(self.skipped)
        return sum(number for status, number in counts.items() if status not in GOOD)

    @property
    def finished(self) -> int:
        """Rows that have a result, those of earlier runs included."""
        return sum(self.rows.values()) + sum(self.skipped.values())


class Tally:
    """The observer that a summary is made of."""

    def __init__(self) -> None:
        self.started = JobStarted(None, "", "", 0, None, None)
        self.rows: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.first_invalid: str | None = None
        self.attempts = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cached_tokens = 0
        self.reasoning_tokens = 0
        self.cost: float | None = None
        self.ttft = Histogram()
        self.latency = Histogram()
        self.limit = 0.0
        self.busy = 0.0
        self.backoff = 0.0
        self.source = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case RowFinished():
                self._finished(event)
            case RowSkipped():
                self.skipped[event.status] += 1
            case AttemptFailed():
                if event.wait is not None:
                    self.retries[event.error.type] += 1
                    self.backoff += event.wait
            case SourceWaited():
                self.source += event.seconds
            case JobStarted():
                self.started = event
            case _:
                pass

    def _finished(self, event: RowFinished) -> None:
        result = event.result
        self.rows[result.status] += 1
        if result.error is not None:
            self.failures[result.error.type] += 1
            if result.status == "invalid" and self.first_invalid is None:
                self.first_invalid = f"line {result.line}: {result.error.message}"
        usage = result.usage
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cached_tokens += usage.cached_tokens
            self.reasoning_tokens += usage.reasoning_tokens
        if result.cost_usd is not None:
            self.cost = (self.cost or 0.0) + result.cost_usd
        if result.metrics is not None:
            self._timed(result.metrics, answered=result.status != "error")

    def _timed(self, metrics: Metrics, *, answered: bool) -> None:
        self.attempts += metrics.attempts
        self.limit += metrics.limiter_s
        self.busy += metrics.queue_s + metrics.latency_s
        if answered:
            self.latency.add(metrics.latency_s)
        if metrics.ttft_s is not None:
            self.ttft.add(metrics.ttft_s)

    @property
    def usage(self) -> Usage:
        return Usage(
            self.input_tokens, self.output_tokens, self.cached_tokens, self.reasoning_tokens
        )

    def summary(
        self,
        *,
        wall: float,
        stopped: Stop | None = None,
        tidied: Tidied = NOTHING,
    ) -> Summary:
        """The value at the end; ``wall`` is the job's length in seconds."""
        done, total = sum(self.rows.values()), self.started.total
        open_rows = None if total is None else total - done - sum(self.skipped.values())
        provider = max(0.0, self.busy - self.limit - self.backoff)
        return Summary(
            output=self.started.output,
            model=self.started.model,
            total=total,
            rows=dict(self.rows),
            skipped=dict(self.skipped),
            not_run=open_rows,
            usage=self.usage,
            cost_usd=self.cost,
            wall_s=round(wall, 3),
            rows_per_s=round(done / wall, 2) if wall > 0 else 0.0,
            output_tokens_per_s=round(self.output_tokens / wall, 2) if wall > 0 else 0.0,
            ttft_s=Percentiles(self.ttft.percentile(50), self.ttft.percentile(95)),
            latency_s=Percentiles(self.latency.percentile(50), self.latency.percentile(95)),
            attempts=self.attempts,
            retries=dict(self.retries),
            failures=dict(self.failures),
            first_invalid=self.first_invalid,
            time=TimeSpent(
                round(self.limit, 3),
                round(provider, 3),
                round(self.backoff, 3),
                round(self.source, 3),
            ),
            output_lines=tidied,
            stopped=stopped,
        )

    def __repr__(self) -> str:
        return f"<Tally {dict(self.rows)}>"
