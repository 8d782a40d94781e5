"""When a server wants to be asked again. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", re.ASCII)
_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, never negative; None where the server says nothing that makes sense.

    ``retry-after-ms`` comes first, then ``retry-after`` in seconds (a fraction is allowed) or as an
    HTTP date. A date is counted from the server's own ``date``, so that a wrong clock on this side
    does no harm; without one from ``now``, in seconds since the epoch. Lookup in ``headers`` must
    ignore case.
    """
    for name in _MILLISECONDS:
        wait = _number(headers.get(name))
        if wait is not None:
            return wait / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None:
        return seconds
    when = _date(value)
    if when is None:
        return None
    sent = _date(headers.get("date"))
    return max(0.0, when - (now if sent is None else sent))


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's word on it (``x-should-retry``), or None."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _number(value: str | None) -> float | None:
    value = (value or "").strip()
    if not _NUMBER.fullmatch(value):
        return None
    number = float(value)  # which takes less for a blank than strip does
    return number if math.isfinite(number) else None


def _date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        when = parsedate_to_datetime(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
