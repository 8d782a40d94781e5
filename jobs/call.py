"""One row in, one result out: attempts, waits and times around a provider's stream."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime

from msgspec import UNSET, Struct

from .answer import Answer
from .drain import Drain, Stop
from .errors import ProviderError, StreamBroken
from .events import AttemptFailed
from .model import Failure, Metrics, Rejected, Request, Result, Row, Status
from .ports import Clock, Gate, Observer, Provider, Seat
from .retry import Retry, RetryPolicy, decide
from .retry import Stop as StopRoute


class Progress(Struct):
    """What one row went through so far; times in seconds."""

    attempts: int = 0
    limiter: float = 0.0
    first_sent: float | None = None
    started_at: float = 0.0
    retried: list[str] = []
    best: Answer | None = None


class Call:
    """Asks one provider, through its gate, until the row has an end."""

    def __init__(
        self,
        provider: Provider,
        gate: Gate,
        policy: RetryPolicy,
        *,
        drain: Drain,
        clock: Clock,
        observer: Observer,
        random: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._gate = gate
        self._policy = policy
        self._drain = drain
        self._clock = clock
        self._observe = observer
        self._random = random

    async def __call__(self, row: Row, seat: Seat) -> Result:
        """How the row ended. An error that every row would meet also asks the job to end."""
        if isinstance(row, Rejected):
            return rejected(row)
        progress = Progress()
        while True:
            try:
                answer = await self._attempt(row, seat, progress)
            except ProviderError as error:
                decision = decide(error, progress.attempts, self._policy, self._random)
                wait = decision.wait if isinstance(decision, Retry) else None
                self._observe(AttemptFailed(row, progress.attempts, error, wait))
                if not isinstance(decision, Retry):
                    if isinstance(decision, StopRoute):
                        self._drain.request(Stop("fatal", decision.reason))
                    # A permanent error says it all; one that was retried needs its end said, too.
                    reason = f" ({decision.reason})" if error.retryable else ""
                    failure = Failure(
                        error.type, error.http_status, f"{error}{reason}", error.retryable
                    )
                    return self._result(row, progress, progress.best, failure)
                progress.retried.append(error.type)
                with seat:
                    await self._clock.sleep(decision.wait)
            else:
                return self._result(row, progress, answer, None)

    async def _attempt(self, row: Request, seat: Seat, progress: Progress) -> Answer:
        """One trip through the gate and to the provider; the answer is a finished one."""
        now = self._clock.now
        progress.attempts += 1
        async with self._gate.admit(row) as permit:
            seat.sending = True
            progress.limiter += permit.waited
            answer = Answer(now())
            if progress.first_sent is None:
                progress.first_sent = answer.sent
                progress.started_at = self._clock.wall()
            try:
                async with aclosing(self._provider.stream(row)) as stream:
                    async for delta in stream:
                        answer.add(delta, now())
                if answer.status is None:
                    raise StreamBroken("the answer ended without its finish")
            except ProviderError:
                if answer.size and (progress.best is None or answer.size >= progress.best.size):
                    progress.best = answer
                raise
            finally:
                permit.settle(answer.usage)
        return answer

    def _result(
        self,
        row: Request,
        progress: Progress,
        answer: Answer | None,
        failure: Failure | None,
    ) -> Result:
        status: Status = "error"
        if answer is not None:
            status = (answer.status if failure is None else None) or "partial"
        return Result(
            id=row.id,
            line=row.line,
            fingerprint=row.fingerprint,
            status=status,
            output=None if answer is None else answer.output,
            finish_reason=None if answer is None else answer.finish_reason,
            provider=self._provider.name,
            model=row.model,
            fallbacks=0,
            usage=None if answer is None else answer.usage,
            cost_usd=None if answer is None else answer.cost_usd,
            metrics=self._metrics(row, progress, answer),
            error=failure,
            metadata=row.metadata,
            tool_calls=UNSET if answer is None else answer.tool_calls or UNSET,
            logprobs=UNSET if answer is None else answer.logprobs or UNSET,
            reasoning=UNSET if answer is None else answer.reasoning or UNSET,
            endpoint=UNSET if row.endpoint == "chat" else row.endpoint,
        )

    def _metrics(self, row: Request, progress: Progress, answer: Answer | None) -> Metrics | None:
        if progress.first_sent is None:
            return None
        now = self._clock.now()
        started = datetime.fromtimestamp(progress.started_at, UTC)
        ttft = mean = longest = speed = None
        if answer is not None:
            if answer.first is not None:
                ttft = seconds(answer.first - answer.sent)
            if answer.mean_gap is not None:
                mean, longest = seconds(answer.mean_gap), seconds(answer.longest_gap)
            if answer.status and answer.usage and answer.usage.output_tokens and now > answer.sent:
                speed = round(answer.usage.output_tokens / (now - answer.sent), 2)
        return Metrics(
            started_at=started.isoformat(timespec="milliseconds")[:-6] + "Z",
            queue_s=seconds(progress.first_sent - row.read_at),
            limiter_s=seconds(progress.limiter),
            ttft_s=ttft,
            itl_mean_s=mean,
            itl_max_s=longest,
            latency_s=seconds(now - progress.first_sent),
            output_tokens_per_s=speed,
            attempts=progress.attempts,
            retried=progress.retried,
        )


def seconds(value: float) -> float:
    """To the microsecond, which is more than a network knows."""
    return round(value, 6)


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
