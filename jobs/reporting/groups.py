"""What a job came to by model, and why rows failed or were asked again."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from ..model import Usage
from ..prices.bill import DIGITS
from .line import Line

MOST = 500
"""Models or causes that are told apart; names beyond are counted as one."""

OTHERS = "(others)"
LONGEST = 200
"""Characters of a name out of a file."""


class ModelFigures(Struct, frozen=True, kw_only=True):
    """The rows that ``label`` was asked last, those that reused an answer left out.

    ``failed`` have no good end; ``without_cost`` used tokens that nobody knows a price of.
    ``cost_usd`` is None where that of no row is known.
    """

    label: str
    rows: int
    failed: int
    fallbacks: int
    attempts: int
    usage: Usage
    cost_usd: float | None
    without_cost: int


class CauseFigures(Struct, frozen=True, kw_only=True):
    """``failed`` rows ended for this ``cause``, and ``retried`` attempts were followed by another.

    A cause is an error's type, or the status of a row without an error. ``http`` counts the failed
    rows by HTTP status. The first of them is ``first_id``, on line ``first_line`` of the file.
    """

    cause: str
    failed: int
    retried: int
    http: dict[str, int]
    first_id: str | None
    first_line: int | None


class ByModel:
    """Adds up rows by the model that answered last."""

    __slots__ = ("_known", "_names")

    def __init__(self) -> None:
        self._known: dict[str, list[float]] = {}
        self._names: dict[tuple[str | None, str | None], list[float]] = {}

    def add(self, row: Line, *, failed: bool) -> None:
        """Count in a row that was asked."""
        sums = self._names.get((row.provider, row.model)) or self._new(row)
        sums[0] += 1
        if failed:
            sums[1] += 1
        if row.fallbacks:
            sums[2] += 1
        if row.metrics is not None:
            sums[3] += row.metrics.attempts
        usage, cost = row.usage, row.cost_usd
        if usage is not None:
            sums[4] += usage.input_tokens
            sums[5] += usage.output_tokens
            if usage.cached_tokens:
                sums[6] += usage.cached_tokens
            if usage.reasoning_tokens:
                sums[7] += usage.reasoning_tokens
        if cost is not None:
            sums[8] += cost
            sums[9] += 1
        elif usage is not None:
            sums[10] += 1

    def figures(self) -> list[ModelFigures]:
        """The most expensive first, then those with the most rows."""
        found = [self._figures(label, sums) for label, sums in self._known.items()]
        found.sort(key=lambda each: (-(each.cost_usd or 0.0), -each.rows, each.label))
        return found

    def _new(self, row: Line) -> list[float]:
        label = model_of(row)[:LONGEST] if len(self._known) < MOST else OTHERS
        sums = self._known.setdefault(label, [0] * 11)
        if len(self._names) < MOST:
            self._names[row.provider, row.model] = sums
        return sums

    def _figures(self, label: str, sums: list[float]) -> ModelFigures:
        rows, failed, fallbacks, attempts, *tokens = map(int, sums[:8])
        return ModelFigures(
            label=label,
            rows=rows,
            failed=failed,
            fallbacks=fallbacks,
            attempts=attempts,
            usage=Usage(*tokens),
            cost_usd=round(sums[8], DIGITS) if sums[9] else None,
            without_cost=int(sums[10]),
        )


def model_of(row: Line) -> str:
    """``provider/model``, as far as they are known."""
    if row.provider is None:
        return row.model or "(nobody)"
    return f"{row.provider}/{row.model}"


class _Cause:
    __slots__ = ("failed", "first", "http", "retried")

    def __init__(self) -> None:
        self.failed = 0
        self.retried = 0
        self.http: Counter[str] = Counter()
        self.first: tuple[str, int] | None = None


class ByCause:
    """Counts rows without a good end, and attempts that were made again."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, _Cause] = {}

    def failed(self, row: Line, number: int) -> None:
        """A row on that line of the file has no good end."""
        cause = self._of(row.error.type if row.error is not None else row.status)
        cause.failed += 1
        if cause.first is None:
            cause.first = (row.id[:LONGEST], number)
        if row.error is not None and row.error.http_status is not None:
            status = str(row.error.http_status)[:20]
            if status in cause.http or len(cause.http) < MOST:
                cause.http[status] += 1

    def retried(self, types: Counter[str]) -> None:
        """So many attempts were followed by another, by the type of their error."""
        for name, times in types.items():
            self._of(name).retried += times

    def figures(self) -> list[CauseFigures]:
        """Those with the most rows first."""
        found = [
            CauseFigures(
                cause=name,
                failed=cause.failed,
                retried=cause.retried,
                http=dict(cause.http.most_common()),
                first_id=cause.first and cause.first[0],
                first_line=cause.first and cause.first[1],
            )
            for name, cause in self._known.items()
        ]
        found.sort(key=lambda each: (-each.failed, -each.retried, each.cause))
        return found

    def _of(self, name: str) -> _Cause:
        cause = self._known.get(name)
        if cause is None:
            name = name[:LONGEST] if len(self._known) < MOST else OTHERS
            cause = self._known.setdefault(name, _Cause())
        return cause
