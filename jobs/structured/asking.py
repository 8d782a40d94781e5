"""Around the asking of a row: its answer is parsed and checked, and asked for once again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import UNSET, Struct, structs

from ..errors import InvalidOutput
from ..events import AttemptFailed
from ..model import GOOD, Failure, Request, Result, Row
from ..ports import Clock, Observer, Seat, Worker
from .answers import NoValue, parse
from .schema import Schema
from .twice import added

REPEATED = 8000
"""Characters of a bad answer that are shown to the model again; of a longer one both ends."""

_TOO_LONG = frozenset({"context_too_long", "too_large"})
_AGAIN = (
    "That answer can't be used: {problem}\n"
    "Answer again with the whole corrected JSON, and with nothing else: no explanation, no code "
    "fence."
)
_SHORTER = (
    "That answer was cut off at the limit of its length before the JSON ended. Answer again with "
    "the whole JSON, shorter and without white space, and with nothing else."
)


class Fits(Struct, frozen=True):
    """The value of a good answer."""

    value: Any


class Fails(Struct, frozen=True):
    """What is wrong with an answer, in a line."""

    problem: str


def chat(row: Request) -> bool:
    """Rows whose answer is a message of a chat: the others can't be answered to."""
    return row.endpoint == "chat"


class Validated:
    """A worker whose answers fit ``schema``: ``output`` is the parsed value.

    One that does not fit is asked for again, once, with what is wrong; the two asks are one row,
    with the usage, cost and times of both. Then the row ends as ``invalid_output`` with the text of
    the last answer. Rows to which it does not apply (``applies``), that were not answered, or
    answered with a tool call, pass as they are. ``ending`` says that the job takes no more
    rows: then nothing is asked again.
    """

    __slots__ = ("_applies", "_clock", "_ending", "_observe", "_schema", "_worker")

    def __init__(
        self,
        worker: Worker,
        schema: Schema,
        *,
        clock: Clock,
        observer: Observer,
        ending: Callable[[], bool] = lambda: False,
        applies: Callable[[Request], bool] = chat,
    ) -> None:
        self._worker = worker
        self._schema = schema
        self._clock = clock
        self._observe = observer
        self._ending = ending
        self._applies = applies

    async def __call__(self, row: Row, seat: Seat) -> Result:
        """How the row ended; raises what the worker raises."""
        first = await self._worker(row, seat)
        if not isinstance(row, Request) or not self._applies(row):
            return first
        judged = self._judge(first)
        if not isinstance(judged, Fails):
            return _fitting(first, judged)
        if self._ending():
            return _failing(first, judged.problem)
        attempts = first.metrics.attempts if first.metrics else 1
        error = InvalidOutput(judged.problem, provider=first.provider or "")
        self._observe(AttemptFailed(row, attempts, error, 0.0))
        messages = [*row.messages, *_correction(first, judged.problem)]
        again = structs.replace(row, messages=messages, read_at=self._clock.now())
        second = await self._worker(again, seat)
        return self._second(first, judged.problem, second)

    def _second(self, first: Result, problem: str, second: Result) -> Result:
        both = added(first, second)
        judged = self._judge(second)
        if isinstance(judged, Fails):
            return _failing(both, judged.problem)
        error = second.error
        if error is not None and error.type in _TOO_LONG:
            # The row itself did fit: it is its answer that is wrong, and that can't be mended.
            kept = structs.replace(both, output=first.output, provider=first.provider)
            kept = structs.replace(kept, model=first.model, fallbacks=first.fallbacks)
            return _failing(kept, f"{problem}; asking again failed: {error.message}")
        return _fitting(both, judged)

    def _judge(self, result: Result) -> Fits | Fails | None:
        """None where there is no text to judge."""
        text = result.output
        if result.status not in GOOD or not isinstance(text, str):
            return None
        if result.tool_calls is not UNSET and not text:
            return None
        try:
            value = parse(text)
        except NoValue as error:
            if result.status == "truncated":
                return Fails(f"the answer was cut off at its token limit, and {_body(error)}")
            return Fails(str(error))
        problem = self._schema.check(value)
        return Fits(value) if problem is None else Fails(problem)

    def __repr__(self) -> str:
        return f"<Validated {self._schema!r} around {self._worker!r}>"


def _body(error: NoValue) -> str:
    return str(error).removeprefix("the answer ")


def _fitting(result: Result, judged: Fits | None) -> Result:
    if judged is None:
        return result
    value = judged.value
    # A list without its endpoint is read as an embedding.
    endpoint = "chat" if isinstance(value, list) else result.endpoint
    return structs.replace(result, output=value, endpoint=endpoint)


def _failing(result: Result, problem: str) -> Result:
    failure = Failure(InvalidOutput.type, None, problem, retryable=False)
    return structs.replace(result, status="invalid_output", error=failure)


def _correction(result: Result, problem: str) -> list[Mapping[str, Any]]:
    """The bad answer and what is wrong with it, as the next two messages of the chat."""
    text = str(result.output).strip()
    if len(text) > REPEATED:
        half = REPEATED // 2
        text = f"{text[:half]}\n[...]\n{text[-half:]}"
    said = _SHORTER if result.status == "truncated" else _AGAIN.format(problem=problem)
    return [
        # Some servers refuse a message without content, all of them two of a role in a row.
        {"role": "assistant", "content": text or "(no answer)"},
        {"role": "user", "content": said},
    ]
