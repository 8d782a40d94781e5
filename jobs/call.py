"""One row in, one result out: over the routes, through their gates, until the row has an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .answer import Answer
from .breaker import LONGEST_COOLDOWN, counts, nobody_there
from .budget.booking import Booking
from .budget.spending import Spending
from .errors import (
    ConnectionFailed,
    FatalError,
    NoStreaming,
    Overloaded,
    PermanentError,
    ProviderError,
    RateLimited,
    Stalled,
    StreamBroken,
    TransientError,
    Unanswered,
)
from .events import AttemptFailed, ParamsDropped
from .hearing import told
from .lane import Lane
from .model import Rejected, Result, Row
from .ports import Clock, Observer, Permit, Seat, TextHeard, TurnedAway
from .progress import Progress, rejected
from .retry import Decision, GiveUp, Retry, RetryPolicy, decide
from .routes import Routes

BROKEN_STREAMS = 3
"""Streams of one row that must break, on a route where none was ever whole, before the row is asked
for in one piece; where others are whole, its retries are used up first."""

_BROKEN = (StreamBroken, Stalled)
_TURNED_DOWN = (ConnectionFailed, RateLimited, Overloaded, PermanentError, FatalError)
_GAVE_UP = frozenset({504, 524})
"""A gateway waits no longer for a server that may work on the request still."""


class Call:
    """Asks the routes, one after the other, until the row has an end."""

    def __init__(
        self,
        routes: Routes,
        policy: RetryPolicy,
        *,
        clock: Clock,
        observer: Observer,
        random: Callable[[], float],
        heard: Sequence[TextHeard] = (),
        spending: Spending | None = None,
    ) -> None:
        self._heard = heard
        self._spending = spending
        self._routes = routes
        self._policy = policy
        self._clock = clock
        self._observe = observer
        self._random = random

    def __repr__(self) -> str:
        return f"<Call {self._routes!r}>"

    async def __call__(self, row: Row, seat: Seat) -> Result:
        """How the row ended. An error that every row would meet takes its route out of the job."""
        if isinstance(row, Rejected):
            return rejected(row)
        progress = Progress(row, row)
        error: ProviderError | None = None
        while True:
            found = self._routes.pick(progress.spent)
            if found is None:
                found = await self._routes.next_lane(progress.spent, seat)
            if found is None:
                return progress.failed(error or self._routes.last_error(), self._clock.now())
            lane, place, progress.probe = found
            try:
                if lane is not progress.lane:
                    self._take(lane, place, progress, seat)
                if lane.provider.start is not None:
                    await lane.provider.start()
                if self._spending is None:
                    answer = await self._ask(lane, progress, seat, None)
                else:
                    answer = await self._pay(self._spending, lane, progress, seat)
            except ProviderError as failure:
                error = failure
                wait = self._after(failure, lane, progress)
                if wait is not None:
                    with seat:
                        await self._clock.sleep(wait)
                continue
            except TurnedAway:
                self._probe_ended(lane, progress)
                continue
            except BaseException:
                self._probe_ended(lane, progress)
                raise
            now = self._clock.now()
            if not progress.whole:
                lane.streamed_at = now
            elif lane.streamed_at is None or lane.streamed_at < progress.broke_at:
                lane.whole = True  # no stream was whole since this row's began to break
            self._answers(lane, progress)
            return progress.succeeded(answer, now)

    def _take(self, lane: Lane, place: int, progress: Progress, seat: Seat) -> None:
        if progress.lane is not None:
            with seat:  # no new route is tried while the job ends
                pass
        dropped = progress.take(lane, place)
        if dropped:
            self._observe(ParamsDropped(lane.label, dropped))

    def _answers(self, lane: Lane, progress: Progress) -> None:
        lane.breaker.succeeded(probe=progress.probe)
        self._probe_ended(lane, progress)

    def _probe_ended(self, lane: Lane, progress: Progress) -> None:
        if progress.probe:
            progress.probe = False
            self._routes.probe_ended(lane)

    async def _pay(self, purse: Spending, lane: Lane, progress: Progress, seat: Seat) -> Answer:
        """One trip to the provider, paid for before it takes a place at the gate."""
        began = self._clock.now()
        with await purse.book(lane, progress.request, seat) as booking:
            progress.limiter += self._clock.now() - began
            return await self._ask(lane, progress, seat, booking)

    async def _ask(
        self, lane: Lane, progress: Progress, seat: Seat, booking: Booking | None
    ) -> Answer:
        """Through the gate and to the provider; the answer is a finished one.

        Raises TurnedAway where the breaker opened, or the lane died, while the row waited for its
        turn: nothing was sent.
        """
        now = self._clock.now
        request = progress.request
        async with lane.gate.admit(request) as permit:
            if lane.dead is not None or not (progress.probe or lane.breaker.closed):
                raise TurnedAway
            seat.sending = True
            if booking is not None:
                booking.held.sent = True
            progress.attempts += 1
            progress.tries += 1
            if lane.whole:  # it may have been found out since the row took this lane
                progress.whole = progress.tried_whole = True
            progress.limiter += permit.waited
            answer = Answer(now())
            if progress.first_sent is None:
                progress.first_sent = answer.sent
                progress.started_at = self._clock.wall()
            try:
                stream = lane.provider.stream(request, whole=progress.whole, hear=permit.hear)
                probe = progress.probe
                heard = self._heard and told(self._heard, progress.row, None)
                try:
                    async for delta in stream:
                        at = now()
                        answer.add(delta, at)
                        if heard and delta.text:
                            heard = told(heard, progress.row, delta.text)
                        if probe and at - answer.sent > LONGEST_COOLDOWN:
                            probe = False
                            self._answers(lane, progress)  # others need not wait for its end
                except BaseException:
                    await stream.aclose()
                    raise
                if answer.status is None:
                    raise StreamBroken("the answer ended without its finish")
            except ProviderError as failure:
                progress.broke_off(answer, failure, now())
                self._paid(answer, failure, progress, booking)
                self._refused(failure, permit, lane, progress)
                permit.settle(answer.usage, failure)
                raise
            permit.settle(answer.usage, None)
            progress.charge(answer)
            self._paid(answer, None, progress, booking)
        return answer

    @staticmethod
    def _paid(
        answer: Answer, error: ProviderError | None, progress: Progress, booking: Booking | None
    ) -> None:
        """What an attempt used up is known, or known to be nothing, or untold."""
        known = answer.counted and answer.status is not None
        free = error is not None and not known and _turned_down(error, answer)
        progress.untold = not known and not free
        if booking is None:
            return
        if free:
            booking.give_back()
        elif known:
            booking.settle(answer.usage, progress.cost_of(answer))
        # else it stays sent and untold: see Booking

    def _refused(
        self, error: ProviderError, permit: Permit, lane: Lane, progress: Progress
    ) -> None:
        """A server that wants to be left alone pauses the route, and each storm counts once."""
        if not isinstance(error, RateLimited) and not (
            isinstance(error, Overloaded) and error.retry_after
        ):
            return
        asked = error.retry_after
        if asked is not None and asked > self._policy.max_wait:
            return  # nobody waits that long: see _after
        if permit.refused(asked) is None:
            progress.tries -= 1
        else:
            lane.breaker.stormed()
        progress.paused = True

    def _after(self, error: ProviderError, lane: Lane, progress: Progress) -> float | None:
        """What follows from a failed attempt: the seconds to wait before the next one on this lane.

        None where the lane is given up.
        """
        paused, progress.paused = progress.paused, False
        probe = progress.probe
        outage = self._note(error, lane, progress)
        if isinstance(error, (*_BROKEN, NoStreaming)):
            progress.broken += 1
            progress.broke_at = min(progress.broke_at, self._clock.now())
        if outage and probe and (nobody_there(error) or isinstance(error, RateLimited)):
            decision: Decision = Retry(0.0)  # who probes for the others does not pay for it
            progress.tries -= 1
        else:
            decision = decide(error, progress.tries, self._policy, self._random)
        decision = self._without_stream(error, decision, lane, progress)
        wait = None
        if isinstance(decision, Retry):
            # A pause of the route is waited for at its gate, an outage in line.
            wait = 0.0 if paused or not lane.breaker.closed else decision.wait
            progress.retried.append(error.type)
        self._observe(AttemptFailed(progress.row, progress.attempts, error, wait, progress.untold))
        progress.untold = False
        if isinstance(decision, Retry):
            return wait
        progress.give_up(error, decision.reason)
        if isinstance(error, FatalError):
            self._routes.stop(lane, error)
        return None

    def _note(self, error: ProviderError, lane: Lane, progress: Progress) -> bool:
        """Tell the breaker; returns whether the error says that the route fails."""
        probe = progress.probe
        asked = error.retry_after if isinstance(error, TransientError) else None
        away = asked if asked is not None and asked > self._policy.max_wait else 0.0
        # Where streams have been whole, one that breaks says something about the server.
        broken = isinstance(error, _BROKEN) and lane.streamed_at is not None
        limited = isinstance(error, RateLimited)
        fails = counts(error) or broken or away > 0 or (limited and lane.breaker.refuses)
        if fails:
            if lane.breaker.failed(progress.row.id, error, probe=probe, away=away):
                lane.gate.turn_away()
        elif limited:
            lane.breaker.reached(probe=probe)
        elif error.http_status is not None:
            lane.breaker.succeeded(probe=probe)
        self._probe_ended(lane, progress)
        return fails

    def _without_stream(
        self, error: ProviderError, decision: Decision, lane: Lane, progress: Progress
    ) -> Decision:
        """Where streaming itself is what fails, the row is asked for once in one piece."""
        if progress.tried_whole:
            progress.whole = lane.whole
            return decision
        last = isinstance(decision, GiveUp)
        enough = 2 if last else BROKEN_STREAMS
        broken = (
            isinstance(error, _BROKEN)
            and (last or lane.streamed_at is None)
            and progress.broken >= enough
        )
        if not broken and not isinstance(error, NoStreaming):
            return decision
        progress.whole = progress.tried_whole = True
        return Retry(decision.wait if isinstance(decision, Retry) else 0.0)


def _turned_down(error: ProviderError, answer: Answer) -> bool:
    """Whether it was turned down before anything of an answer came, which nobody bills."""
    if answer.first is not None or answer.usage is not None or answer.status is not None:
        return False
    if error.http_status is not None:
        return error.http_status >= 300 and error.http_status not in _GAVE_UP
    return isinstance(error, _TURNED_DOWN) and not isinstance(error, Unanswered)
