"""Counts the lines of a results file: by the summary's own tally, and by what only a report has."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from msgspec import UNSET, structs

from ..events import RowFinished
from ..metrics import Metrics
from ..model import GOOD
from ..summary import Tally
from .figures import RowTime
from .groups import MOST, OTHERS, ByCause, ByModel
from .line import Line
from .slowest import Slowest
from .timeline import Timeline

_LAST = datetime.max.replace(tzinfo=UTC).timestamp() - 1


class Counting:
    """Takes the results one by one, in flat memory."""

    def __init__(self, slowest: int) -> None:
        self.tally = Tally()
        self.models = ByModel()
        self.causes = ByCause()
        self.slowest = Slowest(slowest)
        self.timeline = Timeline()
        self.undated = 0
        self.untold = 0
        self._retried: Counter[str] = Counter()
        self._failed_s = 0.0
        self._first_token_s = 0.0
        self._answer_s = 0.0

    def __repr__(self) -> str:
        return f"<Counting {self.tally!r}>"

    def add(self, row: Line, number: int) -> None:
        """A result, on that line of the file."""
        tally = self.tally
        if len(tally.answered) > MOST or len(tally.failures) > MOST:
            row = self._bounded(row)
        tally(RowFinished(row))
        failed = row.status not in GOOD
        if failed:
            self.causes.failed(row, number)
        metrics = row.metrics
        if metrics is None:
            self.undated += 1
            if row.provider is not None or row.usage is not None:
                self.models.add(row, failed=failed)
            return
        if metrics.same_as is UNSET and metrics.cached is not True:  # it was asked
            self.models.add(row, failed=failed)
            if metrics.latency_s > self.slowest.threshold:
                self.slowest.add(row, number)
            if metrics.retried:
                self._retried.update(metrics.retried)
            self._spend(row, metrics)
        self._date(row, metrics, failed=failed)

    def end(self) -> None:
        """All lines were added: what is known of retries goes where a job would have counted it."""
        self.tally.retries.update(self._retried)
        self.causes.retried(self._retried)

    @property
    def row_time(self) -> RowTime:
        tally = self.tally
        spent = self._failed_s + self._first_token_s + self._answer_s
        return RowTime(
            total_s=round(tally.busy, 3),
            limiter_s=round(tally.limit, 3),
            waiting_s=round(max(0.0, tally.busy - tally.limit - spent), 3),
            failed_s=round(self._failed_s, 3),
            first_token_s=round(self._first_token_s, 3),
            answer_s=round(self._answer_s, 3),
            untold=self.untold,
        )

    def _spend(self, row: Line, metrics: Metrics) -> None:
        """Add up what the attempts took."""
        took, ttft = metrics.latency_s, metrics.ttft_s
        if metrics.attempts != 1:
            if metrics.tried is UNSET or not metrics.tried:
                self.untold += 1
            else:
                took = metrics.tried[-1].took_s
                self._failed_s += sum(one.took_s for one in metrics.tried[:-1])
        if row.status == "error":
            self._failed_s += took
        elif ttft is None:
            self._answer_s += took
        else:
            first = ttft if ttft < took else took
            self._first_token_s += first
            self._answer_s += took - first

    def _date(self, row: Line, metrics: Metrics, *, failed: bool) -> None:
        start = seconds_of(metrics.started_at)
        if start is None or start + metrics.latency_s > _LAST:
            self.undated += 1
            return
        end = start + metrics.latency_s
        tokens = 0 if row.usage is None else row.usage.output_tokens
        if metrics.tried is UNSET and metrics.attempts:
            self.timeline.asked_once(start, end, tokens, row.cost_usd, failed)
            return
        for one in metrics.tried or ():
            at = min(start + one.at_s, end)
            self.timeline.request(at, min(at + one.took_s, end))
        self.timeline.row(end, tokens, row.cost_usd, failed=failed)

    def _bounded(self, row: Line) -> Line:
        """The row without a name that would be one too many to remember."""
        tally = self.tally
        if row.error is not None and row.error.type not in tally.failures:
            row = structs.replace(row, error=structs.replace(row.error, type=OTHERS))
        if row.provider is not None and f"{row.provider}/{row.model}" not in tally.answered:
            row = structs.replace(row, provider=OTHERS, model=OTHERS)
        return row


def seconds_of(started_at: str) -> float | None:
    """Since the epoch; a time without a zone is UTC. None where it is no time."""
    try:
        at = datetime.fromisoformat(started_at)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
