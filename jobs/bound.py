"""What bounded a run: what would have to give more for it to end sooner."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

CLIENT = 0.85
"""Share of one processor core from which on this process is what is slow: a loop has only one."""

HALF = 0.5
"""Share of the time during which there must have been room for more before that is blamed."""

SHORTEST = 2.0
"""Seconds below which a run says nothing: its start is most of it."""

FULL = 0.9
"""Share of the ceiling from which on ``auto`` was held by it."""


class TimeSpent(Struct, frozen=True):
    """Where the rows' time went, in seconds, added up over all rows (they run side by side)."""

    limit: float
    provider: float
    backoff: float
    source: float


class Bound(Struct, frozen=True):
    """``by`` in a word, None where it can't be said; ``why`` in words for a user."""

    by: Literal["limit", "provider", "source", "client"] | None
    why: str


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of a run. Times in seconds, of the wall clock except ``cpu`` (None: not known).

    ``asked`` are rows that were sent; ``in_flight`` is the mean number of requests with the
    provider. ``source`` is how long there was room and no row, ``limited`` how long a rate limit
    held rows, ``paused`` the part of pauses that the server asked for, and ``outage`` how long
    no route answered. ``width`` is how many might be in flight at the end, ``highest`` the most
    that ever might, ``ceiling`` the most that was allowed; ``auto`` says that it was found out.
    """

    wall: float
    cpu: float | None
    asked: int
    in_flight: float
    source: float
    limited: float
    paused: float
    outage: float
    auto: bool
    width: int
    highest: int
    ceiling: int


def bound(run: Evidence) -> Bound:
    """The verdict: the first of these that holds.

    1. Nobody can say: the run took less than 2 s, or sent nothing.
    2. The client: this process used 85 % of a processor core or more.
    3. There was room for more in flight during at least half of the time, because the source had
       no row ready, a rate limit (yours or the server's) or a pause held the rows, or no route
       answered. It is whichever took longest: the source, the limit, the provider.
    4. Nobody can say: fewer rows than twice what might be in flight (four times with ``auto``,
       which looks for that number first).
    5. The limit: what ``--concurrency`` or ``--max-concurrency`` allows was in use.
    6. The provider: it did not answer faster, with more in flight or with room for more.
    """
    if run.wall < SHORTEST:
        return Bound(None, f"less than {SHORTEST:g} s are too short to say")
    if not run.asked:
        return Bound(None, "nothing was sent")
    if run.cpu is not None and run.cpu >= CLIENT * run.wall:
        return Bound("client", f"this process used {run.cpu / run.wall:.0%} of a processor core")
    if run.source + run.limited + run.outage >= HALF * run.wall:
        return _room_for_more(run)
    if run.asked < (4 if run.auto else 2) * run.highest:
        return Bound(None, f"{run.asked} rows are too few to say")
    return _auto(run) if run.auto else _fixed(run)


def _room_for_more(run: Evidence) -> Bound:
    longest = max(run.source, run.limited, run.outage)
    share = f"{min(1.0, longest / run.wall):.0%} of the time"
    if longest == run.outage:
        return Bound("provider", f"no route answered {share}")
    if longest == run.source:
        return Bound("source", f"{share} there was room for a row and none was ready")
    if run.paused >= HALF * run.limited:
        return Bound("limit", f"{share} rows waited, mostly in pauses that the server asked for")
    return Bound("limit", f"{share} rows waited for the rate limit")


def _auto(run: Evidence) -> Bound:
    if run.width >= FULL * run.ceiling:
        return Bound("limit", f"all that --max-concurrency {run.ceiling} allows were in flight")
    return Bound("provider", f"more than {run.width} requests in flight did not make it faster")


def _fixed(run: Evidence) -> Bound:
    average = f"{run.in_flight:.0f} requests were in flight on average"
    if run.in_flight >= HALF * run.width:
        return Bound("limit", f"{average}, and --concurrency is {run.width}")
    return Bound("provider", f"{average}, with room for {run.width}")
