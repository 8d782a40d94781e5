"""What each model was asked and gave, as families of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric

from .families import Families
from .reading import ModelReading

BY_MODEL = ("operation", "provider", "model")


def models(readings: Sequence[ModelReading], made: Families) -> Iterator[Metric]:
    """Rows, tokens, cost and times of each model."""
    by = {(each.operation, each.provider, each.model): each for each in readings}
    rows = {(*who, how): count for who, each in by.items() for how, count in each.rows.items()}
    yield made.counter(
        "llmbatch_model_rows",
        "Rows that were asked, by who was asked last.",
        (*BY_MODEL, "status"),
        rows.items(),
    )
    tokens: dict[tuple[str, ...], float] = {}
    for who, each in by.items():
        tokens[(*who, "input")] = each.usage.input_tokens
        tokens[(*who, "output")] = each.usage.output_tokens
    yield made.counter(
        "llmbatch_model_tokens",
        "Tokens by who answered.",
        (*BY_MODEL, "type"),
        tokens.items(),
    )
    costs = {who: each.cost_usd for who, each in by.items() if each.cost_usd is not None}
    yield made.counter(
        "llmbatch_model_cost_usd",
        "USD by who answered.",
        BY_MODEL,
        costs.items(),
    )
    for name, text, found in (
        (
            "llmbatch_request_duration_seconds",
            "From the first send of a row to its last byte, of rows that have an answer.",
            {who: each.answered for who, each in by.items()},
        ),
        (
            "llmbatch_time_to_first_token_seconds",
            "From the last send of a row to its first token.",
            {who: each.first_chunk for who, each in by.items()},
        ),
        (
            "llmbatch_time_per_chunk_seconds",
            "Between two chunks of an answer: the mean of each row.",
            {who: each.per_chunk for who, each in by.items()},
        ),
    ):
        yield made.histogram(name, text, BY_MODEL, found.items())
