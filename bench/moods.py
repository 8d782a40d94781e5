"""Servers that do not answer everybody at once: what each does with a request that arrives.

`mood_of(["quota", "sliding", "openai"])` reads the words that `python -m bench.server` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from .answers import whole
from .quotas import COUNTERS, HEADERS, Counter, Headers

QUOTA = 300
"""Requests a minute."""

KNEE = 40
"""Requests in flight up to which a crowd is no slower than one."""

ALONE = 0.25
"""Mean seconds of an answer below the knee."""


class Meeting(Struct, frozen=True):
    """What becomes of a request: a ``refusal`` is sent instead of the answer; ``cut`` resets every
    connection that waits for an answer; ``delay`` replaces the plan's, in seconds."""

    headers: bytes = b""
    refusal: bytes | None = None
    cut: bool = False
    delay: float | None = None


class Mood(Protocol):
    """Moments are in seconds of a monotonic clock."""

    def meet(self, now: float, flying: int, /) -> Meeting:
        """A request has arrived while so many others are being answered."""


class Quota:
    """So many requests a minute, in the words of a provider's headers."""

    def __init__(self, counter: Counter, headers: Headers) -> None:
        self.counter = counter
        self.headers = headers

    def meet(self, now: float, _flying: int) -> Meeting:
        wait = self.counter.take(now)
        headers = self.headers(QUOTA, *self.counter.left(now), wait)
        if not wait:
            return Meeting(headers)
        body = b'{"error":{"type":"rate_limit_error","message":"Rate limit reached for requests"}}'
        return Meeting(headers, whole(b"429 Too Many Requests", body))


class Crowd:
    """Answers take ``slowdown(in flight)`` times as long as they take alone."""

    def __init__(self, slowdown: Callable[[int], float]) -> None:
        self.slowdown = slowdown

    def meet(self, _now: float, flying: int) -> Meeting:
        return Meeting(delay=ALONE * self.slowdown(flying + 1))


SLOWDOWNS: Mapping[str, Callable[[int], float]] = {
    "plateau": lambda flying: max(1.0, flying / KNEE),
    "collapse": lambda flying: max(1.0, 1 + 0.1 * (flying - KNEE)),
}
"""More than the knee share what there is; or there is less to share the more there are."""


class Outage:
    """Down for ``seconds`` from its ``after``-th request on, which is cut like all in flight."""

    def __init__(self, how: str, after: int, seconds: float) -> None:
        self.resets = how == "reset"
        self.after = after
        self.seconds = seconds
        self.seen = 0
        self.span: tuple[float, float] | None = None

    def meet(self, now: float, _flying: int) -> Meeting:
        self.seen += 1
        if self.seen == self.after:
            self.span = (now, now + self.seconds)
            return Meeting(cut=True)
        if self.span is None or now >= self.span[1]:
            return Meeting()
        if self.resets:
            return Meeting(cut=True)
        body = b'{"error":{"type":"server_error","message":"The server is not there"}}'
        return Meeting(refusal=whole(b"503 Service Unavailable", body))

    def deaf(self, now: float) -> bool:
        """Whether connections are reset as soon as they are made."""
        return self.resets and self.span is not None and now < self.span[1]


def mood_of(words: Sequence[str]) -> Mood | None:
    """``quota KIND HEADERS``, ``crowd KIND``, ``outage reset|503 AFTER SECONDS``, or nothing."""
    match words:
        case []:
            return None
        case ["quota", kind, headers]:
            return Quota(COUNTERS[kind](QUOTA), HEADERS[headers])
        case ["crowd", kind]:
            return Crowd(SLOWDOWNS[kind])
        case ["outage", "reset" | "503" as how, after, seconds]:
            return Outage(how, int(after), float(seconds))
    raise SystemExit(f"no such server: {' '.join(words)}")
