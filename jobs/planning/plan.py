"""What a run would do and cost: the value that ``llmbatch plan --json`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct


class Changed(Struct, frozen=True):
    """Rows that were done, and would run again. ``why`` names the settings that differ.

    ``row`` is a row that changed itself, ``unknown`` one of an output without a manifest,
    ``version`` one that this version of llmbatch would ask in another way.
    """

    why: Sequence[str]
    rows: int


class Rows(Struct, frozen=True, kw_only=True):
    """The rows of the input by what would happen to them.

    ``total`` is ``new`` + ``changed`` + ``again`` (by the status they have now) + ``done`` (by
    status) + ``invalid``, which would become a result without being sent. Of those that would run,
    ``duplicates`` ask what another row asks, and ``requests`` are sent. ``kept`` are results in the
    output whose rows are not in the input any more.
    """

    total: int
    new: int = 0
    changed: Sequence[Changed] = ()
    again: Mapping[str, int] = {}
    done: Mapping[str, int] = {}
    invalid: int = 0
    first_invalid: Sequence[str] = ()
    duplicates: int = 0
    requests: int = 0
    kept: int = 0


class Chunks(Struct, frozen=True, kw_only=True):
    """The chunks of an analysis, and its folds, whose number is about.

    ``done`` and ``folds_done`` are answered in the results file; ``blank`` ones hold white space
    alone. ``text_tokens`` are those of the documents, by our count, overlaps twice.
    """

    documents: int
    total: int
    done: int = 0
    blank: int = 0
    text_tokens: int = 0
    folds: int = 0
    folds_done: int = 0
    fold_levels: int = 0
    requests: int = 0
    skipped: Mapping[str, str] = {}


class Tokens(Struct, frozen=True, kw_only=True):
    """Of all requests that would be sent.

    ``input_exact`` says that the model's own vocabulary counted; ``input_basis`` and
    ``output_basis`` say in words what the figures are made of. ``output_worst`` is None where
    nobody knows how long an answer can get.
    """

    input: int
    input_exact: bool
    input_basis: str
    output: int
    output_basis: str
    output_worst: int | None


class Cost(Struct, frozen=True, kw_only=True):
    """USD. None is not known: ``unpriced`` says of which models, and what to do.

    ``prices`` says where each model's price is from.
    """

    expected_usd: float | None
    worst_usd: float | None
    prices: Mapping[str, str] = {}
    unpriced: Sequence[str] = ()


class Cap(Struct, frozen=True, kw_only=True):
    """What a budget would leave undone. ``spent_*`` is what earlier runs of the output used up.

    ``left_undone`` is how many requests would not fit any more, if they use what is expected.
    """

    max_cost: float | None = None
    max_tokens_total: int | None = None
    spent_usd: float | None = None
    spent_tokens: int = 0
    left_undone: int = 0


class Time(Struct, frozen=True, kw_only=True):
    """Seconds at least, by each limit; None where it is not known. ``expected_s`` is the longest.

    ``latency_s`` is what answers took so far, spread over ``concurrency`` at once.
    """

    rpm_s: float | None = None
    tpm_s: float | None = None
    latency_s: float | None = None
    concurrency: int | None = None
    expected_s: float | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """What would happen. Of ``rows`` and ``chunks`` that one is set which the job is made of."""

    job: Literal["run", "analyze"]
    output: str
    model: str
    inputs: Sequence[str]
    running: int | None = None
    """The process that is at this output now."""
    rows: Rows | None = None
    chunks: Chunks | None = None
    tokens: Tokens
    cost: Cost
    budget: Cap | None = None
    time: Time
    notes: Sequence[str] = ()
