"""When a route keeps failing: leave it alone for a while, then ask with one row. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .errors import (
    ConnectionFailed,
    ErrorInStream,
    MalformedResponse,
    OutOfConnections,
    Overloaded,
    ProviderError,
    TimedOut,
)
from .events import BreakerClosed, BreakerOpened
from .ports import Observer

WINDOW = 20
"""The latest outcomes that are looked at; a row that fails again and again is one of them."""

SHARE = 0.5
"""Of the window, the failures that open the breaker."""

DOWN = 4
"""Rows that must have found nobody there (no connection, 502 to 504, 529)."""

FAILING = 10
"""Rows that must have failed in another way: a few prompts that choke a server are no outage."""

STORMS = 5
STORM = 10.0
"""Refusals (429) in a row, each after the pause that the one before had brought, and no answer
between them for so many seconds: waiting as the server wishes does not help."""

COOLDOWN = 1.0
LONGEST_COOLDOWN = 10.0
GROWTH = 1.5
"""Seconds until the first probe, and until each further one, which come ever more slowly."""

_NOBODY = frozenset({502, 503, 504, 529})


def counts(error: ProviderError) -> bool:
    """Whether the error says something about the server, and not about the request.

    Streams that break are not counted here: it may be that streaming is all that fails. call.py
    counts them where streams have been whole before.
    """
    if isinstance(error, OutOfConnections):
        return False
    return isinstance(
        error, Overloaded | ConnectionFailed | TimedOut | ErrorInStream | MalformedResponse
    )


def nobody_there(error: ProviderError) -> bool:
    """Whether it can't have been the row's fault."""
    return isinstance(error, ConnectionFailed) or error.http_status in _NOBODY


class Breaker:
    """Of one route. Closed, it lets rows pass; open, none; after a cooldown, one as a probe.

    A probe that succeeds closes it, one that fails starts a longer cooldown. Times in seconds.
    """

    __slots__ = (
        "_cooldown",
        "_down",
        "_label",
        "_now",
        "_observe",
        "_outcomes",
        "_storms",
        "_stormy_since",
        "opened_at",
        "probing",
        "ready_at",
        "reason",
    )

    def __init__(self, label: str, now: Callable[[], float], observe: Observer) -> None:
        self._label = label
        self._now = now
        self._observe = observe
        self._outcomes: deque[str | None] = deque(maxlen=WINDOW)
        self._down: set[str] = set()
        self._cooldown = COOLDOWN
        self._storms = 0
        self._stormy_since = 0.0
        self.opened_at: float | None = None
        self.ready_at = 0.0
        self.reason = ""
        self.probing = False

    @property
    def closed(self) -> bool:
        return self.opened_at is None

    def admits_probe(self) -> bool:
        """Open, cooled down, and nobody is out probing."""
        return not self.probing and self.opened_at is not None and self._now() >= self.ready_at

    def succeeded(self, *, probe: bool) -> None:
        """The server answered, be it with an error about the request."""
        self._storms = 0
        self.reached(probe=probe)

    def reached(self, *, probe: bool) -> None:
        """The server is there, although it may have refused the row for now."""
        self._outcomes.append(None)
        if probe and self.opened_at is not None:
            outage = self._now() - self.opened_at
            self._close()
            self._observe(BreakerClosed(self._label, round(outage, 3)))

    def _close(self) -> None:
        self.opened_at = None
        self.probing = False
        self._cooldown = COOLDOWN
        self._outcomes.clear()
        self._down.clear()

    def told_out(self, reason: str, cooldown: float) -> None:
        """Another process of the job found that nobody answers; it has said so already."""
        if self.opened_at is None:
            self._open_for(reason, cooldown)

    def told_back(self) -> None:
        """Another process of the job was answered."""
        if self.opened_at is not None:
            self._close()

    def stormed(self) -> None:
        """A row was refused that had been sent after the last pause."""
        if not self._storms:
            self._stormy_since = self._now()
        self._storms += 1

    @property
    def refuses(self) -> bool:
        """Whether it has refused again and again what it was sent."""
        return self._storms >= STORMS and self._now() >= self._stormy_since + STORM

    def failed(self, row: str, error: ProviderError, *, probe: bool, away: float = 0.0) -> bool:
        """An attempt for this row failed with an error that counts; whether this opened it.

        ``away`` is for how long the server says that it will not answer, which is then believed.
        """
        if probe:
            self.reason = str(error)
            self.probing = False
            self._cooldown = min(LONGEST_COOLDOWN, self._cooldown * GROWTH)
            self.ready_at = self._now() + max(self._cooldown, away)
            return False
        if self.opened_at is not None:
            return False
        if not self.refuses and not self._too_many(row, error, away):
            return False
        self._open(error, max(self._cooldown, away))
        return True

    def _too_many(self, row: str, error: ProviderError, away: float) -> bool:
        """Whether, with this one, too many rows of the window have failed."""
        if row not in self._outcomes:
            self._outcomes.append(row)
        self._down.intersection_update(self._outcomes)
        if away or nobody_there(error):
            self._down.add(row)
        failures = sum(outcome is not None for outcome in self._outcomes)
        if failures < SHARE * len(self._outcomes):
            return False
        return len(self._down) >= DOWN or failures >= FAILING

    def _open(self, error: ProviderError, cooldown: float) -> None:
        self._open_for(str(error), cooldown)
        self._observe(BreakerOpened(self._label, str(error), cooldown))

    def _open_for(self, reason: str, cooldown: float) -> None:
        now = self._now()
        self.reason = reason
        self.opened_at = now
        self.ready_at = now + cooldown

    def __repr__(self) -> str:
        return "<Breaker closed>" if self.closed else f"<Breaker open, probing={self.probing}>"
