"""What would happen to each row of the input: one pass over it, nothing is sent."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator

from ..model import FINAL, Rejected, Request, Row
from ..preparation import Preparation
from ..sinks.outputlines import key
from ..sources.formats import Format
from ..sources.ids import StreamIds
from ..sources.scan import no_rows, scan
from ..tokens import TokenCounter
from .asks import Asks
from .changes import Changes
from .earlier import Answered, Earlier
from .estimates import Sample
from .longest import Longest

SHOWN = 5
"""Reasons that are told of invalid rows."""

SAMPLES = 5000
"""Answered rows whose inputs are counted, at most."""


class Sorted:
    """Rows by what would happen to them.

    ``asks`` are the requests by model; ``order`` says of each request in turn which model it is
    for, by its place in ``asks``.
    """

    def __init__(self, prepared: Preparation, earlier: Earlier, changes: Changes) -> None:
        self._prepared = prepared
        self._earlier = earlier
        self._changes = changes
        self._counter = TokenCounter()
        self._longest = Longest(prepared.routes[0].name)
        self._asked: set[int] = set()
        self._provider = prepared.routes[0].name
        self.total = 0
        self.new = 0
        self.changed: Counter[tuple[str, ...]] = Counter()
        self.again: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.invalid = 0
        self.first_invalid: list[str] = []
        self.duplicates = 0
        self.asks: dict[str, Asks] = {}
        self.order: array[int] = array("H")
        self.samples: dict[str, list[Sample]] = {}
        self.answered: dict[str, list[Answered]] = {}
        self._numbers: dict[str, int] = {}

    def read(self) -> None:
        """Take every row. Raises SourceError and ConfigError as a run would."""
        prepared = self._prepared
        config = prepared.config
        ids: set[int] = set()
        watched = 0
        for row, line, form, fresh in self._rows():
            self.total += 1
            self._take(row, line, form)
            if fresh:
                ids.add(hash(row.id))
                watched += 1
        twice = len(ids) < watched
        if twice or (config.strict and self.invalid):
            scan(prepared.inputs, prepared.parser, limit=config.limit, strict=config.strict)
        if not self.total:
            raise no_rows(prepared.inputs)

    def _rows(self) -> Iterator[tuple[Row, bytes, Format, bool]]:
        """Each row, its line and format, and whether its id is to be looked at."""
        prepared = self._prepared
        parse, left = prepared.parser.parse, prepared.config.limit
        files = all(source.rereadable for source in prepared.inputs)
        watch = None if files else StreamIds(prepared.inputs)
        for index, source in enumerate(prepared.inputs):
            path, form = source.path, source.format
            for lines in source.blocks():
                for number, line in lines:
                    row = parse(line, number, path, form)
                    yield row if watch is None else watch.check(row, index), line, form, files
                    if left is not None:
                        left -= 1
                        if not left:
                            return

    def _take(self, row: Row, line: bytes, form: Format) -> None:
        earlier = self._earlier
        before = earlier.before(row.id) if earlier.readable else None
        same = before is not None and before[0] == key(row.fingerprint)
        status = None
        if before is not None and same and before[1] in FINAL:
            status = before[1]
        elif before is not None and earlier.superseded:
            status = earlier.status(row.id, row.fingerprint)
        if status is not None:
            self.done[status] += 1
            self._learn(row)
            return
        if isinstance(row, Rejected):
            self.invalid += 1
            if len(self.first_invalid) < SHOWN:
                self.first_invalid.append(f"{row.path}:{row.line}: {row.reason}")
            return
        if before is None:
            self.new += 1
        elif same:
            self.again[before[1]] += 1
        else:
            why, then = self._changes.why(line, row, form, before[0])
            self.changed[why] += 1
            if then is not None:
                self._learn(then)
        self._ask(row)

    def _ask(self, row: Request) -> None:
        """It is sent, unless another row asks the same."""
        if self._prepared.config.dedupe:
            mark = key(row.fingerprint)
            if mark in self._asked or self._earlier.has_answer(mark):
                self.duplicates += 1
                return
            self._asked.add(mark)
        asks = self._asks_of(row.model)
        cap = self._longest.cap(row)
        asks.add(self._counter.count(row), cap, self._longest(row, cap))
        self.order.append(self._numbers[row.model])

    def _asks_of(self, model: str) -> Asks:
        asks = self.asks.get(model)
        if asks is None:
            asks = self.asks[model] = Asks(self._provider, model)
            self._numbers[model] = len(self._numbers)
        return asks

    def _learn(self, row: Row) -> None:
        """What a row that was asked just so used."""
        if not self._earlier.answered or not isinstance(row, Request):
            return
        samples = self.samples.setdefault(row.model, [])
        if len(samples) >= SAMPLES:
            return
        found = self._earlier.answered.get(key(row.id, row.fingerprint))
        if found is None or found.provider != self._provider or found.model != row.model:
            return
        cap = self._longest.cap(row)
        usage = found.usage
        samples.append(
            Sample(
                self._counter.count(row), usage.input_tokens, usage.output_tokens, cap, found.cut
            )
        )
        self.answered.setdefault(row.model, []).append(found)

    def __repr__(self) -> str:
        return f"<Sorted {self.total} rows, {len(self.order)} to send>"
