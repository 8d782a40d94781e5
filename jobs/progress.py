"""What a row goes through until it has its end, and the result that this makes."""

from __future__ import annotations

import math
import time
from functools import lru_cache

from msgspec import UNSET, Struct, structs

from .answer import Answer
from .errors import ProviderError
from .lane import Lane
from .model import Failure, Metrics, Rejected, Request, Result, Status, Try

_MILLIS = [f".{number:03d}Z" for number in range(1000)]


class Best(Struct, frozen=True):
    """The most that any broken attempt brought, and who brought it."""

    answer: Answer
    request: Request
    lane: Lane
    place: int


class Progress(Struct, eq=False):
    """One row on its way; times in seconds.

    ``request`` is the row as ``lane``, the one at ``place``, is asked it. ``spent`` are the places
    that can't answer it, with ``failures`` to say why. ``tries`` are the attempts on this lane that
    count against the row's retries, ``broken`` those of them whose stream broke, the first one at
    ``broke_at``; ``attempts`` are all, on all lanes, ``tried`` says of each when it was and how it
    failed. ``whole`` says that the next attempt asks for the answer in one piece, ``tried_whole``
    that this was done although the route streams.
    ``paused`` says that the last error paused the route, ``probe`` that the row finds out for the
    others whether the lane answers. ``untold`` says that the last attempt broke off,
    and nobody told what it used. ``cost`` is what all attempts have cost so far in USD, as far as
    that is known; ``unpriced`` says that one of them used tokens and nobody knows a price.
    """

    row: Request
    request: Request
    lane: Lane | None = None
    place: int = 0
    spent: set[int] = set()
    failures: list[tuple[str, str]] = []
    attempts: int = 0
    tries: int = 0
    tries_elsewhere: dict[int, int] = {}
    broken: int = 0
    broke_at: float = math.inf
    whole: bool = False
    tried_whole: bool = False
    paused: bool = False
    probe: bool = False
    limiter: float = 0.0
    first_sent: float | None = None
    started_at: float = 0.0
    retried: list[str] = []
    best: Best | None = None
    cost: float | None = None
    unpriced: bool = False
    untold: bool = False
    tried: list[Try] = []

    def take(self, lane: Lane, place: int) -> list[str]:
        """Go on with this lane; returns the names of the parameters that were dropped for it.

        Raises :class:`.errors.BadRequest` where the row does not fit it.
        """
        if self.lane is not None:
            self.tries_elsewhere[self.place] = self.tries
        self.lane, self.place = lane, place
        self.tries, self.broken = self.tries_elsewhere.get(place, 0), 0
        self.broke_at = math.inf
        self.whole = self.tried_whole = False
        row = self.row if place == 0 else structs.replace(self.row, model=lane.model)
        self.request, dropped = lane.fit(row)
        return dropped

    def broke_off(self, answer: Answer, error: ProviderError, now: float) -> None:
        """An attempt failed; what it brought is kept unless an earlier one brought more."""
        assert self.lane is not None  # noqa: S101 - somebody was asked
        self.charge(answer)
        self.tried.append(self._try(answer.sent, now, error.type))
        if answer.size and (self.best is None or answer.size >= self.best.answer.size):
            self.best = Best(answer, self.request, self.lane, self.place)

    def charge(self, answer: Answer) -> None:
        """Add what an attempt cost.

        One that broke off before its usage came adds nothing: what it cost nobody knows.
        """
        cost = self.cost_of(answer)
        if cost is not None:
            self.cost = cost if self.cost is None else self.cost + cost
        elif answer.usage is not None or answer.status is not None:
            self.unpriced = True

    def cost_of(self, answer: Answer) -> float | None:
        """What this attempt cost in USD, as far as it is known."""
        assert self.lane is not None  # noqa: S101 - it gave the answer
        usage = answer.usage if answer.counted else None
        return self.lane.cost_of(self.request.model, usage, answer.cost_usd)

    def give_up(self, error: ProviderError, reason: str) -> None:
        """This lane can't answer the row."""
        assert self.lane is not None  # noqa: S101 - somebody was asked
        self.spent.add(self.place)
        # A permanent error says it all; one that was retried needs its end said, too.
        said = f"{error} ({reason})" if error.retryable else str(error)
        self.failures.append((self.lane.label, said))

    def succeeded(self, answer: Answer, now: float) -> Result:
        """The result of a finished answer."""
        assert self.lane is not None  # noqa: S101 - it gave the answer
        best = Best(answer, self.request, self.lane, self.place)
        return self._result(best, answer.status or "error", None, now)

    def failed(self, error: ProviderError, now: float) -> Result:
        """The result of a row that no route answered: ``error`` is the last one."""
        several = len(self.failures) > 1
        said = [f"{label}: {text}" if several else text for label, text in self.failures]
        text = "; ".join(said) or str(error)
        failure = Failure(error.type, error.http_status, text, error.retryable)
        return self._result(self.best, "error" if self.best is None else "partial", failure, now)

    def _result(
        self, found: Best | None, status: Status, failure: Failure | None, now: float
    ) -> Result:
        row = self.row
        answer = None if found is None else found.answer
        lane = self.lane if found is None else found.lane
        return Result(
            id=row.id,
            line=row.line,
            fingerprint=row.fingerprint,
            status=status,
            output=None if answer is None else answer.output,
            finish_reason=None if answer is None else answer.finish_reason,
            provider=None if lane is None else lane.provider.name,
            model=self.request.model if found is None else found.request.model,
            fallbacks=self.place if found is None else found.place,
            usage=None if answer is None else answer.usage,
            cost_usd=None if self.unpriced else self.cost,
            metrics=self._metrics(answer, now, failed=failure is not None),
            error=failure,
            metadata=row.metadata,
            tool_calls=UNSET if answer is None else answer.tool_calls or UNSET,
            logprobs=UNSET if answer is None else answer.logprobs or UNSET,
            reasoning=UNSET if answer is None else answer.reasoning or UNSET,
            endpoint=UNSET if row.endpoint == "chat" else row.endpoint,
            chunk=row.chunk,
            fold=row.fold,
        )

    def _metrics(self, answer: Answer | None, now: float, *, failed: bool) -> Metrics | None:
        if self.first_sent is None:
            return None
        if answer is not None and self.tried and not failed:
            self.tried.append(self._try(answer.sent, now, None))
        ttft = mean = longest = speed = None
        if answer is not None:
            if answer.first is not None:
                ttft = seconds(answer.first - answer.sent)
            if (gap := answer.mean_gap) is not None:
                mean, longest = seconds(gap), seconds(answer.longest_gap)
            usage = answer.usage
            if usage is not None and usage.output_tokens and answer.status and now > answer.sent:
                speed = round(usage.output_tokens / (now - answer.sent), 2)
        return Metrics(
            started_at=stamp(self.started_at),
            queue_s=seconds(self.first_sent - self.row.read_at),
            limiter_s=seconds(self.limiter),
            ttft_s=ttft,
            itl_mean_s=mean,
            itl_max_s=longest,
            latency_s=seconds(now - self.first_sent),
            output_tokens_per_s=speed,
            attempts=self.attempts,
            retried=self.retried,
            tried=self.tried if len(self.tried) > 1 else UNSET,
        )

    def _try(self, sent: float, now: float, error: str | None) -> Try:
        assert self.lane is not None  # noqa: S101 - it was asked
        at = sent - (self.first_sent or sent)
        return Try(seconds(at), seconds(now - sent), self.lane.label, error)

    def __repr__(self) -> str:
        return f"<Progress {self.attempts} attempts, {len(self.spent)} routes spent>"


def seconds(value: float) -> float:
    """To the microsecond, which is more than a network knows."""
    return round(value * 1e6) / 1e6


def stamp(at: float) -> str:
    """A time since the epoch (seconds) as ISO 8601 in UTC, with milliseconds."""
    second, micros = divmod(round(at * 1e6), 1_000_000)
    return _second(second) + _MILLIS[micros // 1000]


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def rejected(row: Rejected) -> Result:
    """The result of a row that was never sent."""
    return Result(
        id=row.id,
        line=row.line,
        fingerprint=row.fingerprint,
        status="invalid",
        output=None,
        finish_reason=None,
        provider=None,
        model=None,
        fallbacks=0,
        usage=None,
        cost_usd=None,
        metrics=None,
        error=Failure(row.error_type, None, row.reason, retryable=False),
        metadata=row.metadata,
    )
