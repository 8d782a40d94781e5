"""A worker's side: rows come in from the job's process, results go back."""

from __future__ import annotations

import asyncio
import pickle
from collections import deque
from collections.abc import AsyncGenerator, Callable

from msgspec import structs

from ..events import AttemptFailed, Event, RowFinished, RowSkipped, RowsSkipped, SourceWaited
from ..model import Rejected, Request, Result, Row, Status, Tidied
from ..ports import Clock
from ..records import decode, encode
from ..reuse.copies import of_twin
from .channel import Channel
from .messages import RUN, SKIP, Answered, Done, Happened, Line, Named, ToWorker, Verdict, Want

AHEAD = 2, 512
"""The least and the most rows that wait here beside those that are in flight: half as many as
those, so that the next one is there in time, and few wait here while another worker has none."""


class Inbox:
    """The source of a worker: rows that are to be asked.

    ``parse`` makes a row of a line; ``width`` is how many may be in flight.
    """

    def __init__(
        self,
        channel: Channel[ToWorker],
        parse: Callable[[Line], Row],
        width: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._channel = channel
        self._parse = parse
        self._width = width
        self._clock = clock
        # Ids of an input that changes while it is read may occur twice.
        self._seqs: dict[tuple[str, str], list[int]] = {}
        self._unjudged: dict[int, Row] = {}
        self._waiting: dict[int, Request] = {}  # for another row's answer
        self._ready: deque[Row] = deque()
        self._bell = asyncio.Event()
        self._asked = 0
        self._over = False

    async def requests(self) -> AsyncGenerator[Row, None]:
        """The rows that are to be asked, until the job has no more."""
        while True:
            if not self._ready:
                self._ask()
            if self._ready:
                yield self._ready.popleft()
            elif self._over:
                return
            else:
                self._bell.clear()
                await self._bell.wait()

    def _ask(self) -> None:
        """Ask for as many rows as there is room for, when it is worth a message."""
        width = self._width()
        busy = max(width, len(self._seqs) - len(self._ready))  # who backs off lets others in
        room = busy + min(max(width // 2, AHEAD[0]), AHEAD[1])
        room += min(len(self._waiting), 4 * room)  # those take nothing but memory
        if room > self._asked and (room - self._asked >= room // 4 or not self._ready):
            self._channel.send(Want(room - self._asked))
            self._asked = room

    def take(self, line: Line) -> None:
        """A row has come."""
        row = self._unjudged[line.seq] = self._parse(line)
        if not line.told:
            asks = isinstance(row, Request)
            self._channel.send(Named(line.seq, row.id, row.fingerprint, asks))

    def judged(self, verdict: Verdict) -> None:
        """What becomes of it."""
        seq = verdict.seq
        row = self._waiting.pop(seq, None) or self._unjudged.pop(seq)
        if verdict.code == SKIP:
            self._asked -= 1
            self._ask()
        elif verdict.code == RUN:
            if verdict.id is not None:
                row = _renamed(row, verdict.id, verdict.reason)
            self._seqs.setdefault((row.id, row.fingerprint), []).append(seq)
            self._ready.append(row)
            self._bell.set()
        elif isinstance(row, Request):
            self._waiting[seq] = row
            self._ask()

    def answered(self, answer: Answered) -> None:
        """It shares the answer of another row."""
        row = self._waiting.pop(answer.seq, None) or self._unjudged.pop(answer.seq)
        assert isinstance(row, Request)  # noqa: S101 - nothing else waits
        result = of_twin(row, decode(answer.line), self._clock.now(), self._clock.wall())
        self._channel.send(Done(answer.seq, encode(result)))
        self._asked -= 1
        self._ask()

    def end(self) -> None:
        """No more rows come."""
        self._over = True
        self._bell.set()

    def ended(self, result: Result) -> int:
        """A row has its result: the number by which the job knows it."""
        self._asked -= 1
        key = result.id, result.fingerprint
        seqs = self._seqs[key]
        seq = seqs.pop()
        if not seqs:
            del self._seqs[key]
        return seq

    def __repr__(self) -> str:
        return f"<Inbox, {len(self._ready)} ready, {self._asked} here>"


class Outbox:
    """The sink of a worker: results on their way to the job's process."""

    def __init__(self, channel: Channel[ToWorker], inbox: Inbox) -> None:
        self._channel = channel
        self._inbox = inbox

    async def expect(self, row: Row) -> Status | None:  # noqa: ARG002 - the job has looked
        """Every row that comes here is to be asked."""
        return None

    async def write(self, result: Result) -> None:
        """Returns when there is room for the next one."""
        self._channel.send(Done(self._inbox.ended(result), encode(result)))
        await self._channel.room()

    async def finish(self) -> Tidied:
        """The output is the job's."""
        return Tidied()

    async def aclose(self) -> None:
        """The output is the job's."""

    def __repr__(self) -> str:
        return f"<Outbox of {self._inbox!r}>"


def tell(channel: Channel[ToWorker], event: Event) -> None:
    """Have the job's observers know; what becomes of rows they hear anyway."""
    if isinstance(event, RowFinished | RowSkipped | RowsSkipped | SourceWaited):
        return
    if isinstance(event, AttemptFailed):  # nobody needs the prompt
        bare = structs.replace(
            event.request, messages=(), input=None, params={}, extra={}, metadata={}
        )
        event = structs.replace(event, request=bare)
    channel.send(Happened(pickle.dumps(event)))


def _renamed(row: Row, name: str, reason: str) -> Rejected:
    """The row, whose id is another row's already."""
    return Rejected(
        id=name,
        line=row.line,
        path=row.path,
        reason=reason,
        error_type="duplicate_id",
        metadata=row.metadata,
        read_at=row.read_at,
        fingerprint=row.fingerprint,
    )
