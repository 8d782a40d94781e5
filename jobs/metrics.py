"""The times of one row and of its attempts, as its result says them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType


class Try(Struct, frozen=True):
    """One attempt of a row: ``at_s`` seconds after its first send, it took ``took_s`` seconds.

    ``route`` is who was asked, ``error`` the type of what it failed with, None where it answered.
    """

    at_s: float
    took_s: float
    route: str
    error: str | None


class Metrics(Struct, frozen=True):
    """Times of one row, in seconds.

    ``queue_s``: from reading the row to its first send; ``limiter_s``: the part of all waits that
    the gate caused, or a budget; ``ttft_s``: from the last send to its first token;
    ``latency_s``: from the first send to the last byte, waits between attempts included;
    ``itl_*``: between chunks with text.
    ``retried`` names the error type of each attempt that was tried again. ``cached`` says that the
    answer came out of the cache, ``same_as`` is the id of the row of this job that asked the same
    and whose answer this is; either costs nothing. ``tried`` are all attempts where there was more
    than one.
    """

    started_at: str
    queue_s: float
    limiter_s: float
    ttft_s: float | None
    itl_mean_s: float | None
    itl_max_s: float | None
    latency_s: float
    output_tokens_per_s: float | None
    attempts: int
    retried: Sequence[str]
    cached: bool | UnsetType = UNSET
    same_as: str | UnsetType = UNSET
    tried: Sequence[Try] | UnsetType = UNSET
