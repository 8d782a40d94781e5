"""What the headers of an answer say of a server's limits. Pure."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from multidict import istr

from ..dialects import Dialect
from ..model import Quota

Headers = Mapping[str, str]
QuotaReader = Callable[[Headers], Quota | None]
"""From an answer's headers; lookup in them must ignore case. None where they say nothing."""

Said = tuple[int, int | None, float | None]
"""A limit, what is left of it, and the seconds until its reset."""

LONGEST = 90.0
"""A limit whose reset is further away, in seconds, is not a minute's but an hour's or a day's."""

_DURATION = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?", re.ASCII
)
_UNITS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d*)?", re.ASCII)
_COUNT = re.compile(r"\d{1,15}", re.ASCII)


def _names(pattern: str) -> tuple[istr, istr, istr]:
    # istr is what the headers compare in the end; made once, it is not made for each lookup
    limit, remaining, reset = (istr(pattern.format(n)) for n in ("limit", "remaining", "reset"))
    return limit, remaining, reset


_REQUESTS = _names("x-ratelimit-{}-requests")
_TOKENS = _names("x-ratelimit-{}-tokens")
"""OpenAI's, which most others use too."""

_TOKENS_MINUTE = _names("x-ratelimit-{}-tokens-minute")
_REQUESTS_MINUTE = (_names("x-ratelimit-{}-req-minute"), _names("x-ratelimit-{}-requests-minute"))
"""Mistral's and Cerebras', which name the minute (and count days and months beside it)."""

_ANTHROPIC_REQUESTS = _names("anthropic-ratelimit-requests-{}")
_ANTHROPIC_TOKENS = _names("anthropic-ratelimit-tokens-{}")
_ANTHROPIC_INPUT = _names("anthropic-ratelimit-input-tokens-{}")
_ANTHROPIC_OUTPUT = _names("anthropic-ratelimit-output-tokens-{}")
_DATE = istr("date")


def quota_reader(dialect: Dialect) -> QuotaReader:
    """What reads the limits of a provider."""
    if dialect.wire == "anthropic":
        return anthropic_quota
    if dialect.wire in ("openai", "openai-responses"):
        return daily_quota if dialect.daily else openai_quota
    return no_quota


def no_quota(headers: Headers) -> Quota | None:  # noqa: ARG001 - stands for the others
    """For servers that say nothing of their limits in headers."""
    return None


def openai_quota(headers: Headers) -> Quota | None:
    """OpenAI's headers (platform.openai.com/docs/guides/rate-limits), or those of a minute.

    Limits of 0 and -1, as Azure sends them, say nothing, and neither does what is left of them.
    """
    if _REQUESTS[0] in headers or _TOKENS[0] in headers:
        return _quota(_said(headers, _REQUESTS), _said(headers, _TOKENS))
    if _TOKENS_MINUTE[0] not in headers:
        return None
    mistral, cerebras = _REQUESTS_MINUTE
    requests = _said(headers, mistral) or _said(headers, cerebras)
    return _quota(requests, _said(headers, _TOKENS_MINUTE))


def daily_quota(headers: Headers) -> Quota | None:
    """As :func:`openai_quota`, where the requests are a day's (Groq): its tokens are a minute's."""
    return _quota(None, _said(headers, _TOKENS)) if _TOKENS[0] in headers else None


def anthropic_quota(headers: Headers, wall: Callable[[], float] = time.time) -> Quota | None:
    """Anthropic's headers (docs.anthropic.com/en/api/rate-limits); resets are RFC 3339 times.

    There is one budget here for input and output together. Where the server names no limit of
    both, it is the smaller one of the two, which keeps both whatever their mix. What is left is
    the share that is left of the scarcest of them, so that a limit of the output alone slows down,
    too.
    """
    if (
        _ANTHROPIC_TOKENS[0] not in headers
        and _ANTHROPIC_REQUESTS[0] not in headers
        and _ANTHROPIC_INPUT[0] not in headers
    ):
        return None
    now = _server_time(headers.get(_DATE)) or wall()
    requests = _said(headers, _ANTHROPIC_REQUESTS, now)
    all_tokens = _said(headers, _ANTHROPIC_TOKENS, now)
    parts = (
        all_tokens,
        _said(headers, _ANTHROPIC_INPUT, now),
        _said(headers, _ANTHROPIC_OUTPUT, now),
    )
    known = [said for said in parts if said is not None]
    if not known:
        return _quota(requests, None)
    limit = min(said[0] for said in known) if all_tokens is None else all_tokens[0]
    scarcest = min(known, key=_share)
    left = None if scarcest[1] is None else int(_share(scarcest) * limit)
    return _quota(requests, (limit, left, scarcest[2]))


def _share(said: Said) -> float:
    return math.inf if said[1] is None else said[1] / said[0]


def _quota(requests: Said | None, tokens: Said | None) -> Quota | None:
    if requests is None and tokens is None:
        return None
    rpm, requests_left, requests_reset = requests or (None, None, None)
    tpm, tokens_left, tokens_reset = tokens or (None, None, None)
    return Quota(rpm, tpm, requests_left, tokens_left, requests_reset, tokens_reset)


def _said(headers: Headers, names: tuple[str, str, str], now: float | None = None) -> Said | None:
    """What three headers say of one limit; resets are times where ``now`` is given."""
    limit = _count(headers.get(names[0]))
    if not limit:
        return None
    reset = headers.get(names[2])
    seconds: float | None
    if reset is None:
        seconds = None
    elif now is None:
        seconds = _seconds(reset)
    else:
        when = _time(reset)
        seconds = None if when is None else max(0.0, when - now)
    if seconds is not None and seconds > LONGEST:
        return None
    return limit, _count(headers.get(names[1])), seconds


@lru_cache(maxsize=4096)
def _count(value: str | None) -> int | None:
    return int(value) if value is not None and _COUNT.fullmatch(value) else None


@lru_cache(maxsize=1024)
def _seconds(value: str) -> float | None:
    """A duration as Go writes it (``12ms``, ``1s``, ``6m0s``, ``1h2m``), or plain seconds."""
    value = value.strip()
    if _NUMBER.fullmatch(value):
        return float(value)
    match = _DURATION.fullmatch(value)
    if match is None or not value:
        return None
    return sum(float(part) * unit for part, unit in zip(match.groups("0"), _UNITS, strict=True))


@lru_cache(maxsize=64)
def _time(value: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time."""
    try:
        when = datetime.fromisoformat(value.strip())
        return when.timestamp() if when.tzinfo else None
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=8)
def _server_time(value: str | None) -> float | None:
    """The server's own clock, so that a wrong one on this side does no harm."""
    try:
        return None if value is None else parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
