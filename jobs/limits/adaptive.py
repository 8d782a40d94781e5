"""How many requests a route bears, found out while it works. Pure: no I/O and no clock."""

from __future__ import annotations

import math

from ..errors import ErrorInStream, Overloaded, ProviderError, RateLimited
from .sample import Sample
from .stride import Stride

START = 8
"""Where the slow start begins."""

WORTH = 0.25
"""More in flight must bring at least this share of itself: a tenth more, 2.5 % more answers."""

SURE = 1.3
"""Deviations of the error of measurement by which a difference counts as one."""

SMALLEST = 8
"""Fewest answers that a throughput is measured by."""

TRIAL = 10
"""Rounds after which a trial that has shown nothing is broken off."""

MEMORY = 20
"""Rounds that count fully in what is known of the settled limit; older ones fade."""

CHANGED = 0.3
"""A throughput that is off by more than this, as a logarithm, has another cause than noise."""

DECREASE = 0.7
"""What a refusal leaves of the limit."""

SMOOTH = 0.1
"""Weight of each answer in the usual latency."""

CALM = 10
"""An overload after so many answers without one is taken for an accident."""


class Adaptive:
    """Climbs to where more in flight brings no more answers, and stays there.

    It doubles the limit as long as the throughput follows (slow start). Then it tries steps up and
    down, each against what is known of the settled limit, and keeps what is better: more in flight
    must be worth it, fewer must not cost it (:class:`.stride.Stride` says which). Because both
    directions are judged by the same rule, answers that become longer or shorter in between spoil
    one trial, and push the limit nowhere.

    A throughput is answers over time, in rounds of as many answers as are in flight, beginning
    when a request sent after the last change is back. It is compared with the error of such a
    measurement in mind, which follows from how much latencies differ.

    A refusal (429, overload) takes 30 % off, or takes back the trial that it came in, once for all
    that was sent before and at most once in the time that an answer takes; the limit that was
    refused is not tried again soon. While the source or a rate limit is what bounds the job,
    nothing is measured and nothing changes. Neither does it by a refusal while slots are free: it
    is not their number that was refused.
    """

    __slots__ = (
        "_answers", "_began", "_calm", "_ceiling", "_changed", "_decreased", "_due", "_ended",
        "_known", "_loose", "_rounds", "_slow", "_squares", "_start", "_stride", "_total", "_trial",
        "_usual", "_warm", "limit", "reason",
    )  # fmt: skip

    def __init__(self, *, ceiling: int, start: int = START) -> None:
        self._ceiling = max(1, ceiling)
        self._start = self.limit = max(1, min(start, ceiling))
        self.reason = "start"
        self._slow = True
        self._known: Sample | None = None
        self._trial: Sample | None = None
        self._stride = Stride()
        self._rounds = 0
        self._decreased = self._changed = -math.inf
        self._calm = 0
        self._usual = 0.0
        self._warm_up(-math.inf, self.limit)

    def ended(
        self, sent: float, now: float, *, saturated: bool, paced: bool, error: ProviderError | None
    ) -> bool:
        """A request ended; whether :attr:`limit` changed, and :attr:`reason` says why.

        ``sent`` and ``now`` in seconds. ``saturated``: every slot was taken when it ended.
        ``paced``: a rate limit or a pause held somebody since the last call.
        """
        if error is None:
            took = now - sent
            self._answers += 1
            self._total += took
            self._squares += took * took
            self._usual += SMOOTH * (took - self._usual)
            self._calm += 1
        elif saturated and self._failed(sent, now, error):
            return True
        if paced:
            self._freeze(now)
            return False
        self._ended += 1
        if not saturated:
            self._loose += 1
        if self._ended < self._due:
            return False
        return self._review(sent, now)

    def restart(self, now: float) -> bool:
        """The route is back after an outage: what is known of it is old. As :meth:`ended`."""
        self._slow = True
        self._known = self._trial = None
        self._stride = Stride()
        self._decreased = now
        before, self.limit = self.limit, self._start  # nothing of before is in flight any more
        self._rounds = 0
        self._warm_up(now, self.limit)
        self.reason = "back after an outage"
        return self.limit != before

    def _review(self, sent: float, now: float) -> bool:
        """A round is over."""
        if self._warm:
            if sent < self._changed:
                self._due += 1
            else:
                self._round(now)
            return False
        if 2 * self._loose > self._ended:
            self._freeze(now)
            return False
        seconds = now - self._began
        if seconds <= 0:
            self._due += self.limit
            return False
        seen = Sample(self.limit)
        seen.answers, seen.seconds = self._answers, seconds
        seen.total, seen.squares = self._total, self._squares
        self._round(now)
        self._rounds += 1
        if self._trial is None:
            return self._settled(seen, now)
        self._trial.add(seen)
        return self._judge(self._trial, now)

    def _settled(self, seen: Sample, now: float) -> bool:
        """A round at the settled limit: learn, and try another one now and then."""
        known = self._known
        if known is None:
            self._known = known = seen
        elif self._differs(known, seen):
            self._stride.alarmed(1 if seen.rate > known.rate else -1)
            self._known = known = seen
            self._rounds = self._stride.rest
        else:
            known.add(seen)
            if known.answers > MEMORY * known.limit:
                known.fade(0.5)
        if self._rounds < self._stride.rest:
            return False
        return self._try(known, now, "probing")

    @staticmethod
    def _differs(known: Sample, seen: Sample) -> bool:
        noise = math.sqrt(known.variance + seen.variance)
        return abs(seen.rate - known.rate) > max(CHANGED, 3 * noise)

    def _try(self, known: Sample, now: float, reason: str) -> bool:
        """Take a step, when what is known is exact enough to judge it."""
        effect = self._stride.step * math.log(2) * (1 - WORTH)
        exact = math.sqrt(known.variance) < effect / (2 * SURE)
        if not (self._slow or exact or self._rounds >= TRIAL):
            return False
        target = self._stride.target(self.limit, self._ceiling)
        if target == self.limit:  # at one end
            self._slow = False
            self._stride.stopped()
            self._rounds = 0
            return False
        self._trial = Sample(target)
        return self._set(target, now, reason)

    def _judge(self, trial: Sample, now: float) -> bool:
        """Keep what is tried, go back, or wait for another round."""
        known = self._known
        assert known is not None  # noqa: S101 - a trial begins with what is known
        up = trial.limit > known.limit
        high, low = (trial, known) if up else (known, trial)
        gain = high.rate - low.rate - WORTH * math.log(high.limit / low.limit)
        noise = SURE * math.sqrt(high.variance + low.variance)
        if self._slow:
            if gain > 0 or (self._rounds >= 4 and gain > -noise):
                return self._keep(trial, now)
            return (gain < -1.5 * noise or self._rounds >= 4) and self._go_back(known, now)
        if abs(gain) > noise:
            return self._keep(trial, now) if (gain > 0) == up else self._go_back(known, now)
        return self._rounds >= TRIAL and self._leave_it(known, now)

    def _keep(self, trial: Sample, now: float) -> bool:
        up = self._stride.direction > 0
        self._known, self._trial = trial, None
        self._rounds = 0
        if not self._slow:
            self._stride.paid()
        reason = "throughput grows" if up else "latency grows, throughput does not"
        return self._try(trial, now, reason)

    def _go_back(self, known: Sample, now: float) -> bool:
        up = self._stride.direction > 0
        if self._slow:
            self._slow = False
            self._stride.overshot(at_once=known.limit == self._start)
        else:
            self._stride.failed()
        reason = "latency grows, throughput does not" if up else "fewer are slower"
        return self._return(known, now, reason)

    def _leave_it(self, known: Sample, now: float) -> bool:
        self._stride.unclear()
        return self._return(known, now, "no difference")

    def _return(self, known: Sample, now: float, reason: str) -> bool:
        self._trial = None
        return self._set(known.limit, now, reason)

    def _failed(self, sent: float, now: float, error: ProviderError) -> bool:
        """Less, where the server says that it is too much."""
        if isinstance(error, RateLimited):
            reason = "rate limited"
        elif isinstance(error, Overloaded | ErrorInStream):
            reason, calm, self._calm = "overloaded", self._calm, 0
            if calm >= CALM:
                return False
        else:
            return False
        # Refusals come quickly: a round trip is that of an answer.
        if sent < self._decreased or now < self._decreased + self._usual:
            return False
        self._decreased = now
        self._slow = False
        self._stride.refused(self.limit)
        target = max(1, int(self.limit * DECREASE))
        known = self._known
        if known is not None and known.limit < self.limit:
            target = known.limit  # nobody was refused there
        self._known = self._trial = None
        return self._set(target, now, reason)

    def _freeze(self, now: float) -> None:
        """Something else bounds the job: what was measured does not count."""
        if self._ended or not self._warm or self._known is not None:
            if self._trial is not None and not self._slow:
                self._stride.turn()  # what was not judged is looked at from the other side
            self._known = self._trial = None
            self._warm_up(now, self.limit)

    def _set(self, limit: int, now: float, reason: str) -> bool:
        before, self.limit = self.limit, limit
        self._rounds = 0
        self._warm_up(now, max(before, limit))
        if limit == before:
            return False
        self.reason = reason
        return True

    def _warm_up(self, now: float, answers: int) -> None:
        """Let those go that were sent before."""
        self._round(now)
        self._warm = True
        self._changed = now
        self._due = answers

    def _round(self, now: float) -> None:
        self._warm = False
        self._began = now
        self._ended = self._loose = 0
        self._answers = 0
        self._total = self._squares = 0.0
        self._due = self.limit * -(-SMALLEST // self.limit)

    def __repr__(self) -> str:
        return f"<Adaptive: {self.limit} of {self._ceiling}, {self.reason}>"
