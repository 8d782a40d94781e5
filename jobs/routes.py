"""The routes of a job, in the order in which they are asked; and what happens when none answers."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence, Set

from msgspec import Struct

from .breaker import LONGEST_COOLDOWN
from .drain import Drain, Stop
from .errors import FatalError, ProviderError
from .events import RouteStopped
from .lane import Lane
from .ports import Clock, Observer, Seat

LONGEST = 3600.0
"""Seconds of the longest timer."""

AGAIN = 1.0
"""Seconds after which the end of a job that went on is asked for again."""


class Waiting(Struct, eq=False):
    """A row in line: woken through ``turn``, it can use every lane but those it has ``spent``."""

    turn: asyncio.Future[None]
    spent: Set[int]


class Routes:
    """Says which lane a row takes next. ``max_outage`` in seconds.

    A lane whose breaker is open is passed over, except by the one row that probes it. Rows that
    find no lane wait in line; when no lane at all has answered for ``max_outage``, the job ends:
    ``end`` is asked for that, the drain where there is nobody to ask.
    """

    __slots__ = (
        "_asked", "_clock", "_drain", "_end", "_line", "_max_outage", "_observe", "_timer", "lanes",
    )  # fmt: skip

    def __init__(
        self,
        lanes: Sequence[Lane],
        *,
        max_outage: float,
        drain: Drain,
        clock: Clock,
        observer: Observer,
        end: Callable[[Stop], None] | None = None,
    ) -> None:
        self._end = drain.request if end is None else end
        self._asked = -math.inf  # when the end was asked for last
        self.lanes = tuple(lanes)
        self._max_outage = max_outage
        self._drain = drain
        self._clock = clock
        self._observe = observer
        self._line: deque[Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def width(self) -> int:
        """How many requests may be in flight on all lanes together."""
        width = 0
        for lane in self.lanes:
            if lane.dead is None:
                width += lane.gate.width
        return width or 1

    def pick(self, spent: Set[int]) -> tuple[Lane, int, bool] | None:
        """The lane to ask now, its place, and whether the row is its probe; None where none is."""
        for place, lane in enumerate(self.lanes):
            if lane.dead is not None or place in spent:
                continue
            if lane.breaker.opened_at is None:
                return lane, place, False
            if lane.breaker.admits_probe():
                lane.breaker.probing = True
                return lane, place, True
        return None

    async def next_lane(self, spent: Set[int], seat: Seat) -> tuple[Lane, int, bool] | None:
        """As :meth:`pick`, but waits in line for a lane.

        None where each lane is dead or among ``spent``, or the ones that are left have been out for
        too long while another one answers.
        """
        while (found := self.pick(spent)) is None:
            left = [lane for n, lane in enumerate(self.lanes) if not lane.dead and n not in spent]
            if not left or (self._somebody_answers() and all(map(self._out_for_long, left))):
                return None
            with seat:
                await self._wait(spent)
        return found

    def stop(self, lane: Lane, error: FatalError) -> None:
        """The lane is out of the job; the job ends where no other is left."""
        if lane.dead is not None:
            return
        lane.dead = error
        if all(other.dead is not None for other in self.lanes):
            self._drain.request(Stop("fatal", str(error)))
        else:
            self._observe(RouteStopped(lane.label, str(error)))
        lane.gate.turn_away()
        self.changed()

    def probe_ended(self, lane: Lane) -> None:
        """A probe has its outcome, or none: the next row in line may look."""
        lane.breaker.probing = False
        if lane.breaker.closed:
            lane.gate.restart()
        self.changed()

    def told_out(self, label: str, reason: str, cooldown: float) -> None:
        """Another process of the job finds that this lane does not answer."""
        for lane in self.lanes:
            if lane.label == label and lane.breaker.closed:
                lane.breaker.told_out(reason, cooldown)
                lane.gate.turn_away()
                self.changed()

    def told_back(self, label: str) -> None:
        """Another process of the job was answered on this lane."""
        for lane in self.lanes:
            if lane.label == label and not lane.breaker.closed:
                lane.breaker.told_back()
                lane.gate.restart()
                self.changed()

    def last_error(self) -> ProviderError:
        """Why a row that was never sent can't be: every lane is out of the job."""
        return next(lane.dead for lane in reversed(self.lanes) if lane.dead is not None)

    def changed(self) -> None:
        """A breaker closed or opened, a probe ended, a lane died: rows in line look again."""
        for waiting in tuple(self._line):
            lanes = self._lanes_for(waiting)
            if not lanes or any(lane.breaker.closed for lane in lanes):
                self._wake(waiting)
        self._set_timer()

    async def _wait(self, spent: Set[int]) -> None:
        """Until something changes, first come, first served; cancelled when the job ends."""
        waiting = Waiting(asyncio.get_running_loop().create_future(), spent)
        self._line.append(waiting)
        self._set_timer()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._line:
                self._line.remove(waiting)
            else:  # it was woken in the same moment
                self._set_timer()
            raise

    def _set_timer(self) -> None:
        """Look again when a lane that somebody waits for has cooled down, or the time is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._line:
            return
        now = self._clock.now()
        over = (at + self._max_outage for at in self._opened_at())
        times = [max(now, self._asked + AGAIN)] if self._over() else [at for at in over if at > now]
        for place, lane in enumerate(self.lanes):
            breaker = lane.breaker
            if lane.dead or breaker.closed or breaker.probing:
                continue
            if any(place not in waiting.spent for waiting in self._line):
                times.append(breaker.ready_at)
        wait = max(0.0, min(times, default=math.inf) - now)
        self._timer = asyncio.get_running_loop().call_later(min(wait, LONGEST), self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.now()
        if self._over() and now >= self._asked + AGAIN:
            self._asked = now
            left = [lane for lane in self.lanes if not lane.dead]
            names = " and ".join(lane.label for lane in left)
            reason = left[-1].breaker.reason
            text = f"{names}: no answer within --max-outage {self._max_outage:g} s: {reason}"
            self._end(Stop("outage", text))
            if self._drain.stop is not None:
                return
        for waiting in self._line:
            if any(lane.breaker.admits_probe() for lane in self._lanes_for(waiting)):
                self._wake(waiting)
                self._set_timer()
                return
        # Who has waited too long for its lanes, while others answer, looks and gives up.
        for waiting in tuple(self._line):
            if all(map(self._out_for_long, self._lanes_for(waiting))):
                self._wake(waiting)
        self._set_timer()

    def _wake(self, waiting: Waiting) -> None:
        self._line.remove(waiting)
        if not waiting.turn.done():
            waiting.turn.set_result(None)

    def _lanes_for(self, waiting: Waiting) -> list[Lane]:
        return [
            lane
            for place, lane in enumerate(self.lanes)
            if lane.dead is None and place not in waiting.spent
        ]

    def _opened_at(self) -> list[float]:
        """When each lane that is out went out, on the clock."""
        opened = (lane.breaker.opened_at for lane in self.lanes if lane.dead is None)
        return [at for at in opened if at is not None]

    def _over(self) -> bool:
        """Whether the job ends: no lane has answered for too long, or none will before that."""
        if self._somebody_answers():
            return False
        breakers = [lane.breaker for lane in self.lanes if lane.dead is None]
        latest = max(self._opened_at(), default=None)
        if latest is None:
            return False
        end = latest + self._max_outage
        soonest = min((b.ready_at for b in breakers if not b.probing), default=0.0)
        return self._clock.now() >= end or soonest > end + LONGEST_COOLDOWN

    def _somebody_answers(self) -> bool:
        return any(lane.dead is None and lane.breaker.closed for lane in self.lanes)

    def _out_for_long(self, lane: Lane) -> bool:
        opened = lane.breaker.opened_at
        return opened is not None and self._clock.now() >= opened + self._max_outage

    def close(self) -> None:
        """No timer outlives the job."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __repr__(self) -> str:
        return f"<Routes {self.lanes!r}, {len(self._line)} rows wait>"
