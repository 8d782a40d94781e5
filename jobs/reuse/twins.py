"""Around the asking of a row: rows that ask the same are asked once."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from typing import Any, Protocol

from msgspec import structs

from ..model import Request, Result, Row
from ..ports import Clock, Seat, Worker
from ..records import encode
from .copies import of_twin, shareable

RECENT = 32 << 20
"""Bytes of answers that are kept in memory where the output can't be read back."""

_BESIDE = 1500
"""Bytes of a result beside what was answered."""


class Answers(Protocol):
    """The answers of a job that other rows may share."""

    def recall(self, fingerprint: str) -> Result | None:
        """The answer to that request, where there is one still."""
        ...

    def keep(self, result: Result) -> None:
        """A row that was asked has an answer that others may share; it is written next."""
        ...


class RecentAnswers:
    """The latest answers, in memory: at most ``room`` bytes of them, as far as can be told."""

    __slots__ = ("_kept", "_room", "_used")

    def __init__(self, room: int = RECENT) -> None:
        self._room = room
        self._used = 0
        self._kept: OrderedDict[str, tuple[Result, int]] = OrderedDict()

    def recall(self, fingerprint: str) -> Result | None:
        found = self._kept.get(fingerprint)
        if found is None:
            return None
        self._kept.move_to_end(fingerprint)
        return found[0]

    def keep(self, result: Result) -> None:
        bare = structs.replace(result, metadata={}) if result.metadata else result
        size = _BESIDE + _size(bare)
        if size > self._room:
            return
        _, before = self._kept.pop(result.fingerprint, (None, 0))
        self._kept[result.fingerprint] = bare, size
        self._used += size - before
        while self._used > self._room:
            _, (_, least) = self._kept.popitem(last=False)
            self._used -= least

    def __repr__(self) -> str:
        return f"<RecentAnswers {len(self._kept)}, {self._used} bytes>"


class Twins:
    """A worker that asks of rows with one fingerprint only the first; the others share its end.

    Those that come while it is asked wait for it, without a place of their own in the engine.
    Where it ends in a way that passes, the next one of them is asked itself.
    """

    __slots__ = ("_answers", "_clock", "_leading", "_worker")

    def __init__(self, worker: Worker, answers: Answers, clock: Clock) -> None:
        self._worker = worker
        self._answers = answers
        self._clock = clock
        self._leading: dict[str, asyncio.Future[Result | None] | None] = {}

    async def __call__(self, row: Row, seat: Seat) -> Result:
        """How the row ended; raises what the worker raises."""
        if not isinstance(row, Request):
            return await self._worker(row, seat)
        fingerprint, leading = row.fingerprint, self._leading
        while fingerprint in leading:
            answer = await self._wait(fingerprint, seat)
            if answer is not None:
                return self._twin(row, answer)
        answer = self._answers.recall(fingerprint)
        if answer is not None:
            return self._twin(row, answer)
        leading[fingerprint] = None
        shared: Result | None = None
        try:
            result = await self._worker(row, seat)
            if result.status == "ok" or shareable(result):
                shared = result
        finally:
            waiting = leading.pop(fingerprint)
            if waiting is not None and not waiting.done():
                waiting.set_result(shared)
        # Nothing else runs between here and the writing of the result.
        if shared is not None:
            self._answers.keep(shared)
        return result

    async def _wait(self, fingerprint: str, seat: Seat) -> Result | None:
        """What whoever is asked ended with; None where that is nobody else's."""
        waiting = self._leading[fingerprint]
        if waiting is None:
            waiting = asyncio.get_running_loop().create_future()
            self._leading[fingerprint] = waiting
        with seat:
            return await asyncio.shield(waiting)

    def _twin(self, row: Request, answer: Result) -> Result:
        return of_twin(row, answer, self._clock.now(), self._clock.wall())

    def __repr__(self) -> str:
        return f"<Twins {len(self._leading)} being asked, around {self._worker!r}>"


def _size(result: Result) -> int:
    """Bytes of what was answered, in memory; numbers take four times their text."""
    value: Any = result.output
    if isinstance(value, str) and not (result.tool_calls or result.logprobs or result.reasoning):
        return sys.getsizeof(value)
    return 4 * len(encode(result))
