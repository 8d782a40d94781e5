"""The form of a job's answers: the schema that ``--schema`` names, and what rows are told of it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from .config import JobConfig
from .drain import Drain
from .ports import Clock, Observer, Worker
from .providers.registry import Route
from .sources.defaults import AnswerForm

if TYPE_CHECKING:
    from .structured.schema import Schema


def schema_of(config: JobConfig) -> Schema | None:
    """Raises ConfigError where it names none, or the extra is missing."""
    if config.schema is None:
        return None
    from .structured.schema import Schema  # the extra `schema`

    return Schema.of(config.schema)


def form_of(schema: Schema, config: JobConfig, routes: Sequence[Route]) -> AnswerForm:
    """The provider's own request where every route has one, else words in the system message."""
    from .structured.request import instruction, needs_words, params_for

    told = [(route.dialect, route.model) for route in routes]
    params = {} if "response_format" in config.params else params_for(schema, told)
    return AnswerForm(
        mark=blake2b(schema.text.encode(), digest_size=16).hexdigest(),
        params=params,
        words=instruction(schema) if needs_words(schema, params, told) else None,
    )


def validated(
    worker: Worker, schema: Schema | None, *, clock: Clock, observer: Observer, drain: Drain
) -> Worker:
    """The worker, whose answers are checked where there is a schema to check them by."""
    if schema is None:
        return worker
    from .structured.asking import Validated  # the extra `schema`

    return Validated(
        worker,
        schema,
        clock=clock,
        observer=observer,
        ending=lambda: drain.stop is not None,
    )
