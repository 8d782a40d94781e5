"""What a job came to: counted by an observer while it runs, one frozen value at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import UNSET, Struct

from .bound import Bound, Evidence, TimeSpent, bound
from .budget.figures import Budget
from .coverage import Analysis, Covering
from .drain import Stop
from .events import (
    AttemptFailed,
    CacheLost,
    ChunkEnded,
    ChunksCounted,
    DocumentRead,
    Draining,
    Event,
    JobStarted,
    Noted,
    ParamsDropped,
    RowFinished,
    RowSkipped,
    RowsSkipped,
    SourceWaited,
)
from .histogram import Histogram, Percentiles
from .looplag import LagMeter, LoopLag
from .model import GOOD, Metrics, Tidied, Usage
from .ports import Flow
from .prices.bill import Bill
from .reuse.copies import reuse
from .traffic import RouteFigures, Traffic

NOTHING = Tidied()
START = 8
"""Where ``auto`` begins, for a run in which it never changed."""


class Summary(Struct, frozen=True, kw_only=True):
    """The end of a job, as ``--summary`` writes it.

    ``rows`` counts this run's rows by status; ``skipped`` the ones that an earlier run had done,
    by status as well. ``not_run`` is how many of the input's rows have no result yet, None where
    the input's length is not known. ``cost_usd`` is None when that of no row is
    known; the other money is as in :class:`.prices.bill.Bill`.
    ``output_lines`` says what became of the lines that the output had before. ``first_invalid`` is
    why the first invalid row was none; what a provider said of a row stands in the output alone,
    as it may repeat the prompt. ``answered`` counts the rows that have an answer by who gave it,
    ``fallbacks`` those of them that another route than the first answered. ``routes`` are the
    figures of every route that something happened to. ``dropped`` counts the rows that lost a
    parameter which their route does not know, by its name. ``reused`` counts the rows that were not
    asked: ``same`` has the answer of a row that asked the same, ``cached`` one out of the cache;
    they count for no figure but that of their status. ``cache_lost`` is why the cache was given
    up, ``bound`` says what bounded the run.
    ``uncertain`` counts attempts that broke off and may have been billed, nobody knows for what;
    ``budget`` is set where there is one, ``analysis`` where documents were analysed: rows are their
    chunks and folds then. ``loop_lag`` is how late the event loop came to what was due.
    """

    output: str
    model: str
    total: int | None
    rows: Mapping[str, int]
    skipped: Mapping[str, int]
    not_run: int | None
    usage: Usage
    cost_usd: float | None
    saved_usd: float = 0.0
    unpriced: Mapping[str, int] = {}
    unmetered: int = 0
    priced_by: Mapping[str, int] = {}
    wall_s: float
    rows_per_s: float
    output_tokens_per_s: float
    ttft_s: Percentiles
    latency_s: Percentiles
    itl_s: Percentiles = Percentiles(None, None)
    attempts: int
    retries: Mapping[str, int]
    failures: Mapping[str, int]
    time: TimeSpent
    bound: Bound
    answered: Mapping[str, int] = {}
    fallbacks: int = 0
    routes: Mapping[str, RouteFigures] = {}
    dropped: Mapping[str, int] = {}
    reused: Mapping[str, int] = {}
    cache_lost: str | None = None
    first_invalid: str | None = None
    output_lines: Tidied = NOTHING
    stopped: Stop | None = None
    uncertain: int = 0
    budget: Budget | None = None
    analysis: Analysis | None = None
    loop_lag: LoopLag | None = None

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
    """The observer that a summary is made of. ``now`` is a monotonic time in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.started = JobStarted(None, "", "", 0, None, None)
        self._labels: tuple[str, ...] = ("",)
        self.rows: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.first_invalid: str | None = None
        self.attempts = 0
        self.usage = Usage()
        self.bill = Bill()
        self.ttft, self.latency, self.itl = Histogram(), Histogram(), Histogram()
        self.limit = self.busy = self.backoff = self.source = 0.0
        self.asked = 0
        self.answered: Counter[str] = Counter()
        self.fallbacks = 0
        self.folds = 0
        self.dropped: Counter[str] = Counter()
        self.reused: Counter[str] = Counter()
        self.cache_lost: str | None = None
        self.uncertain = 0
        self.budget: Callable[[], Budget] | None = None
        self.flow: Flow | None = None
        self.traffic: dict[str, Traffic] = {}
        self.covering = Covering()
        self.lag = LagMeter(now)

    def __call__(self, event: Event) -> None:
        match event:
            case RowFinished():
                self._finished(event)
            case RowSkipped():
                self.skipped[event.status] += 1
            case RowsSkipped():
                self.skipped.update(event.statuses)
            case AttemptFailed():
                self.uncertain += event.untold
                if event.wait is not None:
                    self.retries[event.error.type] += 1
                    self.backoff += event.wait
            case SourceWaited():
                self.source += event.seconds
            case ParamsDropped():
                self.dropped.update(event.names)
            case CacheLost():
                self.cache_lost = event.reason
            case JobStarted():
                self.started = event
                self._labels = (event.model, *event.fallbacks)
            case Draining() | Noted():
                pass
            case DocumentRead() | ChunksCounted() | ChunkEnded():
                self.covering(event)
            case _:
                self.route(event.route)(event)

    def route(self, label: str) -> Traffic:
        """The counts of a route."""
        traffic = self.traffic.get(label)
        if traffic is None:
            traffic = self.traffic[label] = Traffic(self._now)
        return traffic

    @property
    def concurrency(self) -> int:
        """How many requests may be in flight on the first route now."""
        first = self.traffic.get(self.started.model)
        if first is not None and first.concurrency is not None:
            return first.concurrency
        ceiling = self.started.concurrency
        return min(START, ceiling) if self.started.auto else ceiling

    def _finished(self, event: RowFinished) -> None:
        result = event.result
        self.rows[result.status] += 1
        self.folds += result.fold is not UNSET
        if result.error is not None:
            self.failures[result.error.type] += 1
            if result.status == "invalid" and self.first_invalid is None:
                self.first_invalid = f"line {result.line}: {result.error.message}"
        if (how := reuse(result)) is not None:
            self.reused[how] += 1
            return
        self.bill.add(result, self._labels)
        if result.usage is not None:
            self.usage += result.usage
        if result.metrics is not None:
            self._timed(result.metrics, answered=result.status != "error")
        if result.provider is not None and result.status != "error":
            self.answered[f"{result.provider}/{result.model}"] += 1
            self.fallbacks += result.fallbacks > 0

    def _timed(self, metrics: Metrics, *, answered: bool) -> None:
        self.asked += 1
        self.attempts += metrics.attempts
        self.limit += metrics.limiter_s
        self.busy += metrics.queue_s + metrics.latency_s
        if answered:
            self.latency.add(metrics.latency_s)
        if metrics.ttft_s is not None:
            self.ttft.add(metrics.ttft_s)
        if metrics.itl_mean_s is not None:
            self.itl.add(metrics.itl_mean_s)

    def summary(
        self,
        *,
        wall: float,
        cpu: float | None = None,
        stopped: Stop | None = None,
        tidied: Tidied = NOTHING,
    ) -> Summary:
        """The value at the end; ``wall`` is the job's length, ``cpu`` what it used, in seconds."""
        done, total, bill = sum(self.rows.values()), self.started.total, self.bill
        open_rows = None if total is None else total - done - sum(self.skipped.values())
        provider = max(0.0, self.busy - self.limit - self.backoff)
        spent = (self.limit, provider, self.backoff, self.source)
        routes = {label: traffic.figures() for label, traffic in self.traffic.items()}
        return Summary(
            output=self.started.output,
            model=self.started.model,
            total=total,
            rows=dict(self.rows),
            skipped=dict(self.skipped),
            not_run=open_rows,
            usage=self.usage,
            cost_usd=0.0 if self.reused and not self.asked else bill.total,
            saved_usd=bill.saved_total,
            unpriced=dict(bill.unpriced),
            unmetered=bill.unmetered,
            priced_by=dict(bill.sources),
            wall_s=round(wall, 3),
            rows_per_s=round(done / wall, 2) if wall > 0 else 0.0,
            output_tokens_per_s=round(self.usage.output_tokens / wall, 2) if wall > 0 else 0.0,
            ttft_s=self.ttft.percentiles,
            latency_s=self.latency.percentiles,
            itl_s=self.itl.percentiles,
            attempts=self.attempts,
            retries=dict(self.retries),
            failures=dict(self.failures),
            first_invalid=self.first_invalid,
            time=TimeSpent(*(round(seconds, 3) for seconds in spent)),
            bound=bound(self._evidence(wall, cpu, provider, routes)),
            answered=dict(self.answered),
            fallbacks=self.fallbacks,
            routes=routes,
            dropped=dict(self.dropped),
            reused=dict(self.reused),
            cache_lost=self.cache_lost,
            output_lines=tidied,
            stopped=stopped,
            uncertain=self.uncertain,
            budget=self.budget and self.budget(),
            analysis=self.covering.analysis(self.folds),
            loop_lag=self.lag.figures,
        )

    def _evidence(
        self, wall: float, cpu: float | None, provider: float, routes: Mapping[str, RouteFigures]
    ) -> Evidence:
        started = self.started
        labels = (started.model, *started.fallbacks)
        known = [routes.get(label, RouteFigures()) for label in labels]
        first = known[0]
        held = max(known, key=lambda route: route.limited_s)
        return Evidence(
            wall=wall,
            cpu=cpu,
            asked=self.asked,
            in_flight=provider / wall if wall > 0 else 0.0,
            source=self.source,
            limited=held.limited_s,
            paused=held.paused_s,
            outage=min(route.outage_s for route in known),
            auto=started.auto,
            width=self.concurrency,
            highest=first.highest or self.concurrency,
            ceiling=started.concurrency,
        )

    def __repr__(self) -> str:
        return f"<Tally {dict(self.rows)}>"
