"""What observers of a job are told; frozen values, sent as they happen."""

from __future__ import annotations

from msgspec import Struct

from .errors import ProviderError
from .model import Request, Result, Status


class JobStarted(Struct, frozen=True):
    """``total`` is the number of rows, or None where the input can't be scanned.

    ``rpm`` and ``tpm`` are the limits in force, a minute; None is unlimited.
    """

    total: int | None
    output: str
    model: str
    concurrency: int
    rpm: float | None
    tpm: float | None


class RowSkipped(Struct, frozen=True):
    """The output has this row already, with this final status."""

    id: str
    status: Status


class AttemptFailed(Struct, frozen=True):
    """``wait`` is the pause before the next attempt in seconds; None when there is none."""

    request: Request
    attempt: int
    error: ProviderError
    wait: float | None


class RowFinished(Struct, frozen=True):
    """The row's result is written."""

    result: Result


class SourceWaited(Struct, frozen=True):
    """The engine had room and waited this many seconds for the next row."""

    seconds: float


class Draining(Struct, frozen=True):
    """No more rows are taken; those in flight have ``grace`` seconds to finish."""

    reason: str
    in_flight: int
    grace: float


Event = JobStarted | RowSkipped | AttemptFailed | RowFinished | SourceWaited | Draining
