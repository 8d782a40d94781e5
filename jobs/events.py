"""What observers of a job are told; frozen values, sent as they happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from .errors import ProviderError
from .model import Chunk, DocumentFacts, Request, Result, Row, Status


class JobStarted(Struct, frozen=True):
    """``total`` is the number of rows, or None where the input can't be scanned.

    ``model`` is the first route, ``fallbacks`` are the others. ``concurrency`` is the most that may
    be in flight, ``auto`` says that it is found out below that. ``rpm`` and ``tpm`` are the limits
    in force, a minute; None is unlimited. ``bytes`` is the size of the documents of an analysis,
    None where it is not known before they are read. ``max_cost`` is what the job may cost in USD,
    None is no cap; ``spent_before`` is the part of it that earlier runs have used up.
    """

    total: int | None
    output: str
    model: str
    concurrency: int
    rpm: float | None
    tpm: float | None
    auto: bool = False
    fallbacks: Sequence[str] = ()
    bytes: int | None = None
    max_cost: float | None = None
    spent_before: float = 0.0


class DocumentRead(Struct, frozen=True):
    """A document was read and cut to its end."""

    facts: DocumentFacts


class ChunksCounted(Struct, frozen=True):
    """All documents are read: so many chunks there are."""

    chunks: int


class ChunkEnded(Struct, frozen=True):
    """A chunk has its end, in this run or (``earlier``) in one before.

    A ``blank`` one has nothing to ask about.
    """

    chunk: Chunk
    status: Status
    reason: str = ""
    earlier: bool = False
    blank: bool = False


class RowSkipped(Struct, frozen=True):
    """The output has this row already, with this final status."""

    id: str
    status: Status


class RowsSkipped(Struct, frozen=True):
    """The output has rows already that were read together: so many with each final status.

    To find that out took ``seconds``.
    """

    statuses: Mapping[Status, int]
    seconds: float


class AttemptFailed(Struct, frozen=True):
    """``wait`` is the pause before the next attempt in seconds; None when there is none.

    ``untold`` says that it may have been billed, and nobody told for what.
    """

    request: Request
    attempt: int
    error: ProviderError
    wait: float | None
    untold: bool = False


class RowFinished(Struct, frozen=True):
    """The row's result is written; ``path`` is the input that it stands in.

    ``row`` may be None where another process had it (see :class:`.ports.Observer`).
    """

    result: Result
    path: str = ""
    row: Row | None = None


class SourceWaited(Struct, frozen=True):
    """The engine had room and waited this many seconds for the next row."""

    seconds: float


class LimitWaited(Struct, frozen=True):
    """``route`` had a row and a slot for it, and its rate limit held it for these seconds."""

    route: str
    seconds: float


class LimitLearned(Struct, frozen=True):
    """The server named its limits; those in force now, a minute (None is unlimited)."""

    route: str
    rpm: float | None
    tpm: float | None


class RoutePaused(Struct, frozen=True):
    """The server asked for a pause: nothing is sent on ``route`` for these seconds."""

    route: str
    seconds: float


class ConcurrencyChanged(Struct, frozen=True):
    """``route`` may have ``now`` requests in flight; ``reason`` in a word or two."""

    route: str
    before: int
    now: int
    reason: str


class BreakerOpened(Struct, frozen=True):
    """``route`` keeps failing: no rows for ``cooldown`` seconds, then one that probes it."""

    route: str
    reason: str
    cooldown: float


class BreakerClosed(Struct, frozen=True):
    """``route`` answers again, after so many seconds."""

    route: str
    outage: float


class RouteStopped(Struct, frozen=True):
    """``route`` is out of the job for good: its key is refused, its quota is used up."""

    route: str
    reason: str


class ParamsDropped(Struct, frozen=True):
    """Request parameters that ``route`` does not know were left out of a row."""

    route: str
    names: Sequence[str]


class Draining(Struct, frozen=True):
    """No more rows are taken; those in flight have ``grace`` seconds to finish, None is no end."""

    reason: str
    in_flight: int
    grace: float | None


class Noted(Struct, frozen=True):
    """Something about the whole job that a person should read once."""

    text: str


class CacheLost(Struct, frozen=True):
    """The cache of answers failed, and the job goes on without it."""

    reason: str


Event = (
    JobStarted
    | DocumentRead
    | ChunksCounted
    | ChunkEnded
    | RowSkipped
    | RowsSkipped
    | AttemptFailed
    | RowFinished
    | SourceWaited
    | LimitWaited
    | LimitLearned
    | RoutePaused
    | ConcurrencyChanged
    | BreakerOpened
    | BreakerClosed
    | RouteStopped
    | ParamsDropped
    | Draining
    | CacheLost
    | Noted
)
