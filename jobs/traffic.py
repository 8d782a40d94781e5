"""What happened to each route while a job ran: its limits, pauses and outages, counted."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, structs

from .events import (
    BreakerClosed,
    BreakerOpened,
    ConcurrencyChanged,
    LimitLearned,
    LimitWaited,
    RoutePaused,
    RouteStopped,
)

RouteEvent = (
    BreakerClosed
    | BreakerOpened
    | ConcurrencyChanged
    | LimitLearned
    | LimitWaited
    | RoutePaused
    | RouteStopped
)


class RouteFigures(Struct, frozen=True, kw_only=True):
    """One route at the end of a job; times in seconds.

    ``concurrency`` is what might be in flight at the end and ``highest`` the most that ever might,
    None where that never changed. ``rpm`` and ``tpm`` are what the server named, a minute.
    ``limited_s`` is how long a rate limit or a pause held rows that were ready to go. ``outages``
    is how often it did not answer, ``outage_s`` for how long. ``stopped`` is why it was taken out
    of the job.
    """

    concurrency: int | None = None
    highest: int | None = None
    rpm: float | None = None
    tpm: float | None = None
    limited_s: float = 0.0
    pauses: int = 0
    paused_s: float = 0.0
    outages: int = 0
    outage_s: float = 0.0
    stopped: str | None = None


class Traffic:
    """Counts the events of one route. ``now`` is a monotonic time in seconds."""

    __slots__ = (
        "concurrency", "highest", "limited", "now", "opened", "outage", "outages", "paused",
        "pauses", "rpm", "stopped", "tpm",
    )  # fmt: skip

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.concurrency: int | None = None
        self.highest: int | None = None
        self.rpm: float | None = None
        self.tpm: float | None = None
        self.limited = 0.0
        self.pauses = 0
        self.paused = 0.0
        self.outages = 0
        self.outage = 0.0
        self.opened: float | None = None
        self.stopped: str | None = None

    def __call__(self, event: RouteEvent) -> None:
        match event:
            case LimitWaited():
                self.limited += event.seconds
            case ConcurrencyChanged():
                self.concurrency = event.now
                self.highest = max(self.highest or event.before, event.now)
            case LimitLearned():
                self.rpm, self.tpm = event.rpm, event.tpm
            case RoutePaused():
                self.pauses += 1
                self.paused += event.seconds
            case BreakerOpened():
                self.outages += 1
                self.opened = self.now()
            case BreakerClosed():
                self.outage += event.outage
                self.opened = None
            case RouteStopped():
                self.stopped = event.reason

    def figures(self) -> RouteFigures:
        """The counts so far; an outage that still lasts counts up to now."""
        lasting = 0.0 if self.opened is None else self.now() - self.opened
        return RouteFigures(
            concurrency=self.concurrency,
            highest=self.highest,
            rpm=self.rpm,
            tpm=self.tpm,
            limited_s=round(self.limited, 3),
            pauses=self.pauses,
            paused_s=round(self.paused, 3),
            outages=self.outages,
            outage_s=round(self.outage + lasting, 3),
            stopped=self.stopped,
        )

    def __repr__(self) -> str:
        return f"<Traffic {structs.asdict(self.figures())}>"
