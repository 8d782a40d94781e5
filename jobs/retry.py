"""What to do after a failed attempt. Pure: no clock, no sleep, no state."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from .errors import FatalError, ProviderError, TransientError

NEVER = frozenset({400, 401, 403, 404, 422})
"""Statuses that are not tried again, whatever else the answer says."""

SPREAD = 0.1
"""A wait that the server asks for is stretched by up to this share (and ``base``), so that rows
which were refused together don't come back together."""

_DOUBLINGS = 64


class RetryPolicy(Struct, frozen=True):
    """``retries`` after the first attempt; ``max_wait``, ``base`` and ``cap`` in seconds.

    The n-th wait is drawn between 0 and ``base`` x 2^(n-1), at most ``cap``.
    """

    retries: int = 5
    max_wait: float = 120.0
    base: float = 0.5
    cap: float = 60.0


class Retry(Struct, frozen=True):
    """Try again in ``wait`` seconds, through the gate."""

    wait: float


class GiveUp(Struct, frozen=True):
    """The row fails on this route."""

    reason: str


class Stop(Struct, frozen=True):
    """Every other row would fail on this route too."""

    reason: str


Decision = Retry | GiveUp | Stop


def decide(
    error: ProviderError, attempt: int, policy: RetryPolicy, random: Callable[[], float]
) -> Decision:
    """What follows the failure of the ``attempt``-th try (from 1); ``random`` draws from [0, 1).

    Exponential backoff with full jitter. The server's ``retry_after`` is a minimum; one that is
    longer than ``max_wait`` is not waited for.
    """
    if isinstance(error, FatalError):
        return Stop(str(error))
    if not isinstance(error, TransientError) or error.http_status in NEVER:
        return GiveUp("trying again would not help")
    if error.should_retry is False:
        return GiveUp("trying again would not help")
    asked = error.retry_after if error.retry_after is not None and error.retry_after > 0 else 0.0
    if asked > policy.max_wait:
        return GiveUp(
            f"the server asks to wait {asked:g} s, more than --max-wait {policy.max_wait:g} allows"
        )
    if attempt > policy.retries:
        return GiveUp(f"given up after {attempt} attempt{'s' if attempt > 1 else ''}")
    return Retry(_wait(asked, attempt, policy, random()))


def _wait(asked: float, attempt: int, policy: RetryPolicy, drawn: float) -> float:
    ceiling = min(policy.cap, policy.base * 2.0 ** min(attempt - 1, _DOUBLINGS))
    spread = min(policy.base + SPREAD * asked, ceiling) if asked else 0.0
    return min(policy.max_wait, max(drawn * ceiling, asked + drawn * spread))
