"""What the server knows: the answers that it has ready, and the requests that it saw."""

from __future__ import annotations

import resource
from array import array
from typing import Protocol

import msgspec
from msgspec import Struct

from .answers import EMBEDDINGS, Plan, asked, embedding, plain, streamed, whole
from .moods import Mood, Outage
from .seen import Seen

LONGEST_STREAM = 500_000
"""Tokens; a longer answer is there in one piece alone, as its events would fill the memory."""


class Flying(Protocol):
    """A connection with an answer under way."""

    def reset(self) -> None:
        """End it at once."""


class Ready(Struct, frozen=True):
    """A path's prepared answers."""

    plan: Plan
    stream: tuple[bytes, ...]
    plain: bytes | None


class Book:
    """What the server saw: the moment (CLOCK_MONOTONIC, seconds) of each request for an answer.

    ``refused`` are those that got none; ``answered`` is when answers ended that took their time,
    and ``flying`` are the connections that wait for such, ``together`` the most of them at once.
    """

    __slots__ = ("answered", "arrivals", "flying", "mood", "outage", "ready", "refused", "together")

    def __init__(self, mood: Mood | None) -> None:
        self.mood = mood
        self.outage = mood if isinstance(mood, Outage) else None
        self.arrivals = array("d")
        self.refused = array("d")
        self.answered = array("d")
        self.flying: set[Flying] = set()
        self.together = 0
        self.ready: dict[bytes, Ready | None] = {}

    def __repr__(self) -> str:
        return f"Book(requests={len(self.arrivals)}, refused={len(self.refused)})"

    def look_up(self, path: bytes) -> Ready | None:
        if path not in self.ready:
            named = path.decode("latin-1")
            found = asked(named)
            ready = None
            if named == EMBEDDINGS:
                vector = embedding()
                ready = Ready(Plan(), (vector,), vector)
            elif found is not None:
                wire, plan = found
                stream = streamed(wire, plan) if plan.tokens <= LONGEST_STREAM else ()
                ready = Ready(plan, stream, plain(plan) if wire == "openai" else None)
            self.ready[path] = ready
        return self.ready[path]

    def take_off(self, connection: Flying) -> None:
        """An answer that takes its time is under way."""
        self.flying.add(connection)
        self.together = max(self.together, len(self.flying))

    def stats(self, in_full: bool) -> bytes:
        used = resource.getrusage(resource.RUSAGE_SELF)
        seen = Seen(len(self.arrivals), outage=self.outage.span if self.outage else None)
        seen.cpu = used.ru_utime + used.ru_stime
        seen.together, self.together = self.together, len(self.flying)
        if in_full:
            seen.arrivals, seen.refused = sorted(self.arrivals), sorted(self.refused)
            seen.answered = sorted(self.answered)
        return whole(b"200 OK", msgspec.json.encode(seen))

    def turned_away(self, now: float) -> bool:
        """Whether a connection that is being made is reset at once; it counts as a request."""
        if self.outage is None or not self.outage.deaf(now):
            return False
        self.arrivals.append(now)
        self.refused.append(now)
        return True
