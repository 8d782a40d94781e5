"""Every protocol between the rooms, in the order that data flows.

Source.requests() -> Engine -> Call(row) - Gate.admit - Provider.stream
                         -> Result -> Sink.write        an Observer sees every event
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from .errors import ProviderError
from .events import Event, RowsSkipped
from .model import Delta, Quota, Request, Result, Row, Status, Tidied, Usage
from .pulse import LimitUse, Pulse


class Clock(Protocol):
    """Time, injected so that tests never wait. Seconds."""

    def now(self) -> float:
        """A monotonic time."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Source(Protocol):
    """Rows in, lazily; never the whole input at once."""

    def requests(self) -> AsyncIterator[Row | RowsSkipped]:
        """Every row, but for those that it found in the output itself: of these it says so.

        Raises :class:`.errors.SourceError` when the input can't be read.
        """
        ...


class Done(Protocol):
    """What an output has already, looked up for many rows at once."""

    def take_all(self, rows: Sequence[tuple[str, str]]) -> Sequence[Status | None]:
        """The statuses of rows that come one after the other: of their ids and fingerprints.

        None is to run: the sink expects it once more when it is read in full.
        """
        ...


class Permit(Protocol):
    """Leave to send one request."""

    @property
    def waited(self) -> float:
        """Seconds that admission took."""
        ...

    def hear(self, quota: Quota) -> None:
        """What the server said of its limits in the answer to this request."""
        ...

    def refused(self, retry_after: float | None) -> float | None:
        """The server wants to be left alone, for so many seconds if it says so.

        Pauses the whole route and returns for how long, in seconds; None where the route was
        paused already when this came (the request was sent before that): that is the same refusal.
        """
        ...

    def settle(self, usage: Usage | None, error: ProviderError | None) -> None:
        """How it ended. Usage takes the estimate's place; None leaves the estimate standing."""
        ...


class TurnedAway(Exception):
    """Whoever waited at a gate goes without a permit: the route takes no rows for now."""


class Gate(Protocol):
    """The limits of one route: slots, requests and tokens a minute. First come, first served."""

    @property
    def width(self) -> int:
        """How many requests may be in flight now."""
        ...

    def admit(self, request: Request) -> AbstractAsyncContextManager[Permit]:
        """Wait for a slot, then for the budget; leaving the context gives the slot back.

        Raises :class:`.errors.TooLarge` at once when the request alone exceeds the token budget,
        and :class:`TurnedAway` where that happens.
        """
        ...

    def turn_away(self) -> None:
        """Send everybody in line away; who is at its head may still come in."""
        ...

    def restart(self) -> None:
        """The route answers again after an outage: how much it bears is found out anew."""
        ...

    @property
    def in_flight(self) -> int:
        """How many requests are with the server."""
        ...

    def use(self) -> LimitUse:
        """The limits in force, and how far they are used."""
        ...


Hear = Callable[[Quota], None]
"""Told what a server says of its limits, as soon as the head of an answer is there."""


class Provider(Protocol):
    """One wire format, one server.

    ``start``, where there is one, is awaited before each attempt takes its place at the gate: what
    it waits for (a model that is loaded, a library) is no part of the attempt.
    """

    name: str

    @property
    def start(self) -> Callable[[], Awaitable[None]] | None: ...

    def stream(
        self, request: Request, *, whole: bool = False, hear: Hear | None = None
    ) -> AsyncGenerator[Delta, None]:
        """One attempt; ``whole`` asks for the answer in one piece.

        Raises only :class:`.errors.ProviderError`; ends only after a finish.
        """
        ...

    async def aclose(self) -> None: ...


class Sink(Protocol):
    """Results out. Every method raises :class:`.errors.SinkError` when the output fails."""

    async def expect(self, row: Row) -> Status | None:
        """A row was read: its status where the output has it already, None when it is to run.

        Returns when there is room for it.
        """
        ...

    async def write(self, result: Result) -> None:
        """Returns when the line is with the operating system, or held for its turn."""
        ...

    async def finish(self) -> Tidied:
        """Every row has its result: leave each id in the output exactly once."""
        ...

    async def aclose(self) -> None:
        """Sync and release. Safe to call twice."""
        ...


class Seat(Protocol):
    """A row's place in the engine; entered as a context while the row only waits.

    Entering raises when the job is ending: the row is then left for the next run.
    """

    sending: bool
    """Set by the worker when a request goes out: the row is not let go of lightly from here on."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...


Worker = Callable[[Row, Seat], Awaitable[Result]]
"""One row in, how it ended out; raises only errors of the whole job."""


class Engine(Protocol):
    """Who runs the calls: a bounded pump from source through worker to sink."""

    async def run(self, source: Source, worker: Worker, sink: Sink) -> None: ...


class Live(Protocol):
    """Where a report is shown."""

    def draft(self, text: str | None) -> None:
        """The next piece of a report that is being written; None: what came so far is void."""
        ...

    def report(self, pieces: Iterable[str]) -> None:
        """The whole report, drafted or not. Raises :class:`.errors.SinkError`."""
        ...


TextHeard = Callable[[Request, str | None], bool | None]
"""Told each piece of text as it arrives; None where a new attempt at the row begins.

True says that nothing more of this attempt need be told.
"""


class Named(Protocol):
    """A row as far as one has to know it who listens to answers."""

    @property
    def id(self) -> str: ...

    @property
    def line(self) -> int: ...


NamedHeard = Callable[[Named, str | None], bool | None]
"""As :data:`TextHeard`."""


class Flow(Protocol):
    """The asking of a job's rows, in this process or in several, for who wants to look."""

    def pulse(self) -> Pulse:
        """As it is now."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether other processes ask, whose answers are told of only while somebody listens."""
        ...

    def listen(self, heard: NamedHeard | None) -> None:
        """Tell of some of the answers that other processes get; None: of no more."""
        ...


class Observer(Protocol):
    """Progress, logs, telemetry, the live page: anything that only watches.

    For one whose attribute ``rows`` is true, ``RowFinished.row`` is there wherever the row was
    asked.
    """

    def __call__(self, event: Event) -> None: ...


def wants_rows(observers: Sequence[Observer]) -> bool:
    """Whether one of them looks at the rows themselves."""
    return any(getattr(observer, "rows", False) for observer in observers)
