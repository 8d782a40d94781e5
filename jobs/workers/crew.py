"""What the workers of a job are, for the one who keeps them."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

from msgspec import Struct

from ..looplag import LoopLag
from ..model import Row
from ..reuse.claims import Claims
from .messages import FromWorker
from .process import Hand
from .roll import Ids
from .rows import Out, RawLine


class RawSource(Protocol):
    """The rows of a job as lines, lazily and in order."""

    def requests(self) -> AsyncGenerator[RawLine, None]: ...


class Desk(Protocol):
    """Where workers ask for what there is one of beside rows: a rate limit, a budget."""

    def take(self, hand: Hand, message: FromWorker) -> None:
        """A worker asks, or says how it went."""
        ...

    def came(self, hand: Hand) -> None:
        """There is another worker; what is said here reaches it before its first row."""
        ...

    def left(self, hand: Hand) -> None:
        """The worker has gone; what it had and did not settle it may have used up."""
        ...


class Crew(Struct, frozen=True, kw_only=True):
    """What a job's workers are: ``size`` of them, number N made of ``setup(N)``.

    ``sources`` are the places of the inputs by their paths, ``default_id`` names a row that nobody
    looked into, ``row_of`` looks into one that has its end where somebody wants to see it,
    ``claims`` says which rows ask the same. Each of the ``desks`` takes the messages
    of one type. ``starts`` are how many requests each may have in flight at first where that is
    found out, ``max_outage`` the seconds without an answer that end a job, ``grace`` those that
    rows in flight are given when it ends. ``lagged`` is told how late the event loop of each was.
    """

    size: int
    setup: Callable[[int], bytes]
    sources: Mapping[str, int]
    default_id: Callable[[RawLine], str]
    ids: Ids | None = None
    row_of: Callable[[RawLine], Row] | None = None
    claims: Claims[Out] | None = None
    desks: Mapping[type, Desk] = {}
    starts: Mapping[int, int] = {}
    max_outage: float = math.inf
    lagged: Callable[[LoopLag], None] = lambda lag: None  # noqa: ARG005
    grace: float = 10.0
