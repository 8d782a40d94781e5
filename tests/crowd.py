"""A crowd of requests at a server, in virtual time: what a controller of concurrency makes of it.

    history = crowd(Adaptive(ceiling=256), server=Collapse(40), latency=0.5, seconds=60, seed=1)
    history.rate(30, 60)             # answers a second between the two

Events alone, no loop and no clock: a minute of a server costs some milliseconds.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from llmbatch.jobs.errors import ProviderError, RateLimited

Lengths = Callable[[random.Random], float]
"""How much longer than its mean a request's work is."""


def fixed(draw: random.Random) -> float:
    return 1.0


def exponential(draw: random.Random) -> float:
    return draw.expovariate(1.0)


def heavy(draw: random.Random) -> float:
    """Lognormal with a mean of 1 and a deviation of 1.3: one in a hundred is six times the mean."""
    return draw.lognormvariate(-0.5, 1.0)


class Controller(Protocol):
    limit: int
    reason: str

    def ended(
        self, sent: float, now: float, *, saturated: bool, paced: bool, error: ProviderError | None
    ) -> bool: ...


class Fixed:
    """A fixed concurrency."""

    reason = ""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def ended(self, *_: object, **__: object) -> bool:
        return False


Slowdown = Callable[[int, float], float]
"""How many times longer everything takes with so many in flight, at that time."""


def no_knee(flying: int, now: float) -> float:
    return 1.0


def plateau(knee: int) -> Slowdown:
    """Beyond the knee everybody shares what there is."""
    return lambda flying, now: max(1.0, flying / knee)


def collapse(knee: int, growth: float = 4.0) -> Slowdown:
    """Beyond the knee latency grows linearly, and faster than the crowd: twice as many take
    ``1 + growth`` times as long."""
    return lambda flying, now: max(1.0, 1 + growth * (flying - knee) / knee)


def moving(before: Slowdown, after: Slowdown, at: float) -> Slowdown:
    return lambda flying, now: (before if now < at else after)(flying, now)


@dataclass
class Server:
    """``latency`` in seconds is what a request of mean length takes alone.

    ``shared`` says that a newcomer slows down those who are there, too; otherwise how long an
    answer takes is settled when its request arrives. More than ``most`` in flight are refused.
    ``length`` is the mean length at a time. ``cpu`` is what each answer costs the client.
    """

    slowdown: Slowdown
    latency: float = 0.5
    lengths: Lengths = fixed
    shared: bool = True
    most: int | None = None
    length: Callable[[float], float] = lambda now: 1.0
    cpu: float = 0.0


@dataclass
class History:
    """When answers came, when the limit changed to what and why, and how many were refused."""

    ends: list[float] = field(default_factory=list)
    limits: list[tuple[float, int, str]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def rate(self, begin: float, end: float) -> float:
        """Answers a second between the two."""
        return (bisect_left(self.ends, end) - bisect_left(self.ends, begin)) / (end - begin)

    def limit(self, begin: float, end: float) -> float:
        """The mean limit between the two, weighted by time."""
        total, points = 0.0, [*self.limits, (end, 0, "")]
        for (at, limit, _), (until, *_rest) in pairwise(points):
            total += limit * max(0.0, min(until, end) - max(at, begin))
        return total / (end - begin)

    def reached(self, limit: int) -> float:
        """When the limit was that high for the first time; infinity where it never was."""
        return next((at for at, now, _ in self.limits if now >= limit), float("inf"))


REFUSAL = 0.02
"""Seconds that a refusal takes."""

PAUSE = 0.5
"""Seconds that the route is left alone after one."""


def crowd(controller: Controller, server: Server, *, seconds: float, seed: int = 1) -> History:
    """Keep as many in flight as the controller allows, for so long, and hand back what happened."""
    draw, history = random.Random(seed), History()
    history.limits.append((0.0, controller.limit, "start"))
    at = work = 0.0  # ``work`` is what has been done for each of those in flight so far
    sharing: list[tuple[float, float]] = []  # (work at which it ends, sent)
    timed: list[tuple[float, float, bool]] = []  # (time, sent, refused)
    client_free = paused = 0.0
    paced = False

    def flying() -> int:
        return len(sharing) + len(timed)

    def send() -> None:
        nonlocal paced
        if at < paused:
            paced = True
            return
        while flying() < controller.limit:
            if server.most is not None and flying() >= server.most:
                heapq.heappush(timed, (at + REFUSAL, at, True))
                continue
            amount = server.latency * server.lengths(draw) * server.length(at)
            if server.shared:
                heapq.heappush(sharing, (work + amount, at))
            else:
                takes = amount * server.slowdown(flying() + 1, at)
                heapq.heappush(timed, (at + takes, at, False))

    send()
    while True:
        slow = server.slowdown(len(sharing), at)
        shared_end = at + (sharing[0][0] - work) * slow if sharing else float("inf")
        timed_end = timed[0][0] if timed else float("inf")
        wakes = paused if at < paused else float("inf")
        upto = min(shared_end, timed_end, wakes)
        if upto >= seconds:
            return history
        work += (upto - at) / slow
        at = upto
        if upto == wakes:
            send()
            continue
        refused = False
        saturated = flying() >= controller.limit
        if shared_end <= timed_end:
            work, sent = heapq.heappop(sharing)
            if server.cpu:
                client_free = max(at, client_free) + server.cpu
                heapq.heappush(timed, (client_free, sent, False))
                continue
        else:
            _, sent, refused = heapq.heappop(timed)
        if refused:
            history.refused.append(at)
            if at >= paused and sent >= paused:
                paused = at + PAUSE
        else:
            history.ends.append(at)
        held, paced = paced, False
        error = RateLimited("slow down") if refused else None
        if controller.ended(sent, at, saturated=saturated, paced=held, error=error):
            history.limits.append((at, controller.limit, controller.reason))
        send()
