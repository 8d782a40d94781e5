"""One row in, one result out: attempts, waits and times around a provider's stream."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime

from msgspec import UNSET, Struct

from .answer import Answer
from .drain import Drain, Stop
from .errors import ProviderError
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
                if wait is None:
                    if isinstance(decision, StopRoute):
                        self._drain.request(Stop("fatal", decision.reason))
                    reason = "" if isinstance(decision, Retry) else decision.reason
                    return self._failed(row, progress, error, reason)
                progress.retried.append(error.type)
                with seat:
                    await self._clock.sleep(wait)
            else:
                return self._finished(row, progress, answer)

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
            except ProviderError:
                if answer and (progress.best is None or len(answer) >= len(progress.best)):
                    progress.best = answer
                raise
            finally:
                permit.settle(answer.usage)
        return answer

    def _finished(self, row: Request, progress: Progress, answer: Answer) -> Result:
        return self._result(row, progress, answer, answer.status or "ok", None)

    def _failed(
        self, row: Request, progress: Progress, error: ProviderError, reason: str
    ) -> Result:
        message = f"{error} ({reason})" if reason else str(error)
        failure = Failure(error.type, error.http_status, message, error.retryable)
        answer = progress.best
        return self._result(row, progress, answer, "partial" if answer else "error", failure)

    def _result(
        self,
        row: Request,
        progress: Progress,
        answer: Answer | None,
        status: Status,
        failure: Failure | None,
    ) -> Result:
        usage = answer.usage if answer else None
        return Result(
            id=row.id,
            line=row.line,
            fingerprint=row.fingerprint,
            status=status,
            output=answer.output if answer else None,
            finish_reason=answer.finish_reason if answer else None,
            provider=self._provider.name,
            model=row.model,
            fallbacks=0,
            usage=usage,
            cost_usd=answer.cost_usd if answer else None,
            metrics=self._metrics(row, progress, answer),
            error=failure,
            metadata=row.metadata,
            tool_calls=(answer and answer.tool_calls) or UNSET,
            logprobs=(answer and answer.logprobs) or UNSET,
            reasoning=(answer and answer.reasoning) or UNSET,
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
            if answer.usage and answer.usage.output_tokens and now > answer.sent:
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
