"""Around the asking of a chunk or fold: an answer without text is no analysis, whatever it cost."""

from __future__ import annotations

from msgspec import structs

from .errors import EmptyAnswer
from .model import GOOD, Failure, Request, Result, Row
from .ports import Seat, Worker


class NeverEmpty:
    """A worker whose good answers say something.

    One without text becomes an error, which the next run asks again: in the place of a report or
    its pieces, where the token limit cut it before its first word, or where the model thought or
    called a tool instead. A chunk that is answered with nothing at all is one that has nothing.
    """

    __slots__ = ("_worker",)

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, row: Row, seat: Seat) -> Result:
        result = await self._worker(row, seat)
        problem = problem_of(row, result)
        if problem is None:
            return result
        failure = Failure(EmptyAnswer.type, None, problem, EmptyAnswer.retryable)
        return structs.replace(result, status="error", error=failure)

    def __repr__(self) -> str:
        return f"<NeverEmpty {self._worker!r}>"


def problem_of(row: Row, result: Result) -> str | None:
    """Why an answer is none, and what to do; None where it is one."""
    output = result.output
    said = output.strip() if isinstance(output, str) else output is not None
    if said or result.status not in GOOD:
        return None
    if result.status == "truncated":
        return "the token limit cut the answer before its first word: raise --max-tokens"
    if result.tool_calls:
        return "the model called a tool instead of answering: give it none"
    if result.reasoning:
        return "the model thought, and answered nothing"
    if isinstance(row, Request) and row.fold:
        return "the answer is empty"
    return None
