"""All figures of a job at one moment: what metrics are made of, whoever takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from ..events import Event, RowFinished
from ..model import Metrics, Result, Usage
from ..pulse import Pulse
from ..reuse.copies import reuse
from ..summary import Summary
from .buckets import Buckets, Distribution
from .labels import OTHER, label
from .names import OPERATIONS, SECONDS_BUCKETS, TOKEN_BUCKETS

MOST = 100
"""Models that are told apart; rows may name as many as they like."""

DIGITS = 10
"""Behind the point of a sum in USD, as in a summary."""

Key = tuple[str, str, str]
"""Operation, provider and model."""


class ModelReading(Struct, frozen=True, kw_only=True):
    """What one model was asked and gave; times in seconds.

    ``rows`` are by status. ``durations`` are by the type of the error that a row ended with, the
    empty one is that of rows without; ``answered`` are those of all rows but the ones with status
    ``error``. ``per_chunk`` has one value a row: the mean time between its chunks.
    """

    operation: str
    provider: str
    model: str
    rows: Mapping[str, int]
    usage: Usage
    cost_usd: float | None
    durations: Mapping[str, Distribution]
    answered: Distribution
    first_chunk: Distribution
    per_chunk: Distribution
    input_tokens: Distribution
    output_tokens: Distribution


class Reading(Struct, frozen=True, kw_only=True):
    """A job so far: its summary, and the same by model.

    ``started_at`` and ``at`` are seconds since the epoch. ``exit_code`` is None while it runs,
    ``pulse`` when it is over.
    """

    command: str
    summary: Summary
    models: Sequence[ModelReading]
    started_at: float
    at: float
    exit_code: int | None = None
    pulse: Pulse | None = None


class Counts:
    """The observer that counts by model.

    Answers that nobody was asked for count for no model, as in a summary.
    """

    def __init__(self, *, streams: bool) -> None:
        self._streams = streams
        self._models: dict[Key, _Model] = {}
        self._known: dict[Key, _Model] = {}  # by the names as they came

    def __call__(self, event: Event) -> None:
        if isinstance(event, RowFinished):
            result = event.result
            if result.provider is not None and reuse(result) is None:
                self._model(result, result.provider).add(result, streams=self._streams)

    def _model(self, result: Result, provider: str) -> _Model:
        raw = (result.endpoint or "chat", provider, result.model or "")
        model = self._known.get(raw)
        if model is None:
            key = (OPERATIONS[raw[0]], label(provider), label(raw[2]))
            if key not in self._models and len(self._models) >= MOST:
                key = (key[0], OTHER, OTHER)
            model = self._models.setdefault(key, _Model())
            if len(self._known) < MOST:
                self._known[raw] = model
        return model

    def read(self) -> tuple[ModelReading, ...]:
        """Every model as it is now."""
        return tuple(model.read(*key) for key, model in self._models.items())

    def __repr__(self) -> str:
        return f"<Counts of {len(self._models)} models>"


class _Model:
    """The counts of one model."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.usage = Usage()
        self.cost: float | None = None
        self.durations: dict[str, Buckets] = {}
        self.answered = Buckets(SECONDS_BUCKETS)
        self.first_chunk = Buckets(SECONDS_BUCKETS)
        self.per_chunk = Buckets(SECONDS_BUCKETS)
        self.input_tokens = Buckets(TOKEN_BUCKETS)
        self.output_tokens = Buckets(TOKEN_BUCKETS)

    def add(self, result: Result, *, streams: bool) -> None:
        self.rows[result.status] += 1
        if result.cost_usd is not None:
            self.cost = (self.cost or 0.0) + result.cost_usd
        if result.usage is not None:
            self.usage += result.usage
            self.input_tokens.add(result.usage.input_tokens)
            self.output_tokens.add(result.usage.output_tokens)
        if result.metrics is not None:
            error = "" if result.error is None else result.error.type
            self._timed(result.metrics, error, answered=result.status != "error", streams=streams)

    def _timed(self, metrics: Metrics, error: str, *, answered: bool, streams: bool) -> None:
        durations = self.durations.get(error)
        if durations is None:
            durations = self.durations[error] = Buckets(SECONDS_BUCKETS)
        durations.add(metrics.latency_s)
        if answered:
            self.answered.add(metrics.latency_s)
        if streams and metrics.ttft_s is not None:
            self.first_chunk.add(metrics.ttft_s)
        if streams and metrics.itl_mean_s is not None:
            self.per_chunk.add(metrics.itl_mean_s)

    def read(self, operation: str, provider: str, model: str) -> ModelReading:
        return ModelReading(
            operation=operation,
            provider=provider,
            model=model,
            rows=dict(self.rows),
            usage=self.usage,
            cost_usd=None if self.cost is None else round(self.cost, DIGITS),
            durations={error: each.read() for error, each in self.durations.items()},
            answered=self.answered.read(),
            first_chunk=self.first_chunk.read(),
            per_chunk=self.per_chunk.read(),
            input_tokens=self.input_tokens.read(),
            output_tokens=self.output_tokens.read(),
        )
