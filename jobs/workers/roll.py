"""The rows that are with workers: what is said of each, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from ..events import RowFinished, RowSkipped
from ..model import Failure, Rejected, Result, Row
from ..ports import Observer, Sink
from ..records import decode, encode
from ..reuse.claims import Claims
from .messages import RUN, SKIP, UNTOLD, WAIT, Done, Named, Verdict
from .rows import DEATHS, Out, Place, RawLine

BREATH = 500
"""Rows that are skipped in one go before the loop may turn to signals and timers."""


UNANSWERED = frozenset({"error", "partial", "invalid"})
"""How a row ends to which no server gave an answer."""


class Ids(Protocol):
    """Finds a second row with an id, where the input could not be looked through before."""

    def check(self, row: Row, index: int) -> Row: ...


class Roll:
    """Every row between its reading and its writing.

    ``sources`` are the places of the inputs by their paths, ``default_id`` names a row that nobody
    looked into, ``row_of`` looks into one that has its end where observers want to see it,
    ``changed`` is called whenever a row has its end.
    """

    def __init__(
        self,
        sink: Sink,
        claims: Claims[Out] | None,
        observe: Observer,
        *,
        sources: Mapping[str, int],
        default_id: Callable[[RawLine], str],
        ids: Ids | None,
        row_of: Callable[[RawLine], Row] | None,
        changed: Callable[[], None],
    ) -> None:
        self._sink = sink
        self._claims = claims
        self._observe = observe
        self._sources = sources
        self._default_id = default_id
        self._ids = ids
        self._row_of = row_of
        self._changed = changed
        self._outs: dict[int, Out] = {}
        self._added = 0
        self._judged = 0  # every row before this one has its verdict
        self._named = asyncio.Event()

    def __len__(self) -> int:
        return len(self._outs)

    def __contains__(self, out: Out) -> bool:
        return out.seq in self._outs

    def add(self, raw: RawLine) -> Out:
        """A row was read; it belongs to nobody yet."""
        out = self._outs[self._added] = Out(self._added, raw, self._sources[raw.path])
        self._added += 1
        return out

    def name(self, name: Named) -> None:
        """A worker looked into a row."""
        out = self._outs.get(name.seq)
        if out is not None and out.verdict == UNTOLD:  # what was said of it stands
            out.name = name
            if name.seq == self._judged:
                self._named.set()

    async def judge(self) -> None:
        """Say of each row what becomes of it, in the order of the input; never returns."""
        skipped = 0
        while True:
            out = self._outs.get(self._judged)
            if out is None or out.name is None:
                self._named.clear()
                await self._named.wait()
                continue
            self._judged += 1
            if await self._skips(out, out.name):
                skipped += 1
                if not skipped % BREATH:
                    await asyncio.sleep(0)

    async def done(self, place: Place, done: Done) -> bool:
        """A worker sent a row's result; whether a server answered it. Raises SinkError."""
        out = place.holds.get(done.seq)
        if out is None:
            return False
        result = decode(done.line)
        await self._end(out, result)
        return out.answer is None and result.status not in UNANSWERED

    async def lost(self, place: Place, how: str) -> list[Out]:
        """A worker died: the rows that are to be asked again.

        Where one of them is suspected, it was that one.
        """
        again = []
        suspect = place.suspect
        for out in tuple(place.holds.values()):
            out.place = None
            out.deaths += out.verdict != WAIT and suspect in (None, out)
            if out.deaths < DEATHS:
                again.append(out)
                continue
            out.lost = f"{out.deaths} worker processes died while they had this row; the last {how}"
            if out.verdict == RUN:
                await self._end(out, self._failed(out))
            elif out.name is None:  # the judge waits to hear of it
                self.name(Named(out.seq, self._default_id(out.raw), "", asks=False))
        return again

    async def _skips(self, out: Out, name: Named) -> bool:
        """Whether the output has the row already; else it is asked, or waits for another one."""
        raw = out.raw
        row: Row = Rejected(
            id=name.id, line=raw.number, path=raw.path, reason="", fingerprint=name.fingerprint
        )
        if self._ids is not None:
            row = self._ids.check(row, out.source)
            if isinstance(row, Rejected) and row.id != name.id:
                out.renamed = row.id, row.reason
        status = await self._sink.expect(row)
        if status is not None:
            self._observe(RowSkipped(row.id, status))
            if out.place is not None:
                out.place.hand.channel.send(Verdict(out.seq, SKIP))
            self._forget(out)
            self._changed()
            return True
        out.verdict = RUN
        if out.lost:
            await self._end(out, self._failed(out))
            return False
        if self._claims is not None and name.asks and out.renamed is None:
            claim = self._claims.claim(out, name.fingerprint)
            out.leads = claim is True
            if not out.leads:
                out.verdict = WAIT
                out.answer = encode(claim) if isinstance(claim, Result) else None
                if out.place is not None and out.place.suspect is out:
                    out.place.suspect = None
                    self._changed()
        out.tell()
        return False

    async def _end(self, out: Out, result: Result) -> None:
        """The row has its end, and so have those that waited for its answer."""
        if out.leads and self._claims is not None and out.name is not None:
            sharing, following = self._claims.ended(out.name.fingerprint, result)
            answer = encode(result) if sharing else None
            for other in sharing:
                other.answer = answer
                other.tell()
            if following is not None:
                following.leads, following.verdict = True, RUN
                if following.suspect and following.place is not None:
                    following.place.suspect = following
                following.tell()
        self._forget(out)
        await self._sink.write(result)
        told = None if self._row_of is None or out.renamed else self._row_of(out.raw)
        self._observe(RowFinished(result, out.raw.path, told))
        self._changed()

    def _forget(self, out: Out) -> None:
        del self._outs[out.seq]
        if out.place is not None:
            del out.place.holds[out.seq]
            if out.place.suspect is out:
                out.place.suspect = None

    @staticmethod
    def _failed(out: Out) -> Result:
        assert out.name is not None  # noqa: S101 - it has its verdict
        return Result(
            id=out.name.id if out.renamed is None else out.renamed[0],
            line=out.raw.number,
            fingerprint=out.name.fingerprint,
            status="error",
            output=None,
            finish_reason=None,
            provider=None,
            model=None,
            fallbacks=0,
            usage=None,
            cost_usd=None,
            metrics=None,
            error=Failure("worker_lost", None, out.lost, retryable=True),
            metadata={},
        )

    def __repr__(self) -> str:
        return f"<Roll of {len(self)} rows, {self._judged} of {self._added} with a verdict>"
