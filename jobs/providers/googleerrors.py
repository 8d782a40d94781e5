"""What Google adds to an error beside its message: reasons, waits, quotas. Pure.

The shapes are those of google.rpc.ErrorInfo, RetryInfo and QuotaFailure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..model import Quota
from .wire import loads

STATUSES: Mapping[str, int] = {
    "invalid_argument": 400,
    "failed_precondition": 400,
    "out_of_range": 400,
    "unauthenticated": 401,
    "permission_denied": 403,
    "not_found": 404,
    "aborted": 409,
    "already_exists": 409,
    "resource_exhausted": 429,
    "cancelled": 503,
    "internal": 500,
    "data_loss": 500,
    "unimplemented": 400,
    "unavailable": 503,
    "deadline_exceeded": 504,
}
"""The HTTP status of a ``status`` word (google.rpc.Code); a cancelled call may be tried again."""

_KEY_REASON = re.compile(
    "api_key_|access_token_|consumer_|credentials_missing|service_disabled|account_state_invalid"
)
"""Reasons (google.api.ErrorReason) about the key or its project, and so about every row."""

_NOT_HERE = re.compile("location is not supported|not available in your country", re.IGNORECASE)
_NO_MONEY = re.compile("credits are depleted|spend(ing)? cap", re.IGNORECASE)
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s", re.ASCII)


def words_of(error: Mapping[str, Any]) -> frozenset[str]:
    """What the details say, in the words that OpenAI has for it."""
    named = (one.get("reason") for one in _details(error))
    reasons = [reason.lower() for reason in named if isinstance(reason, str)]
    message = error.get("message")
    text = message if isinstance(message, str) else ""
    spent = any(_spent(violation) for violation in _violations(error))
    found = set()
    if (
        spent
        or "billing_disabled" in reasons
        or _said(error, "RESOURCE_EXHAUSTED", _NO_MONEY, text)
    ):
        found.add("quota_exceeded")
    if any(map(_KEY_REASON.match, reasons)) or _said(error, "FAILED_PRECONDITION", _NOT_HERE, text):
        found.add("invalid_api_key")
    return frozenset(found)


def delay_of(error: Mapping[str, Any]) -> float | None:
    """Seconds to wait, from RetryInfo ("22s", "1.5s"); None where it says nothing."""
    for one in _details(error):
        delay = one.get("retryDelay")
        if isinstance(delay, str) and (found := _SECONDS.fullmatch(delay)):
            return float(found[1])
    return None


def quota_of_error(body: bytes) -> Quota | None:
    """The limits a minute that the body of a 429 names as broken; None where it names none."""
    value = loads(body)
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    learned: dict[str, float] = {}
    for violation in _violations(error) if isinstance(error, dict) else ():
        quota, limit = violation.get("quotaId"), _limit(violation)
        if isinstance(quota, str) and "PerMinute" in quota and limit:
            name = "tpm" if "token" in quota.lower() else "rpm"
            learned[name] = min(limit, learned.get(name, limit))
    return msgspec.convert(learned, Quota) if learned else None


def _said(error: Mapping[str, Any], status: str, pattern: re.Pattern[str], text: str) -> bool:
    return error.get("status") == status and pattern.search(text) is not None


def _spent(violation: Mapping[str, Any]) -> bool:
    quota = violation.get("quotaId")
    # A limit of 0: this key may not use this model at all.
    return (isinstance(quota, str) and "PerDay" in quota) or _limit(violation) == 0


def _limit(violation: Mapping[str, Any]) -> float | None:
    """Google writes 64-bit numbers as strings."""
    value = violation.get("quotaValue")
    text = str(value) if type(value) is int else value
    return float(text) if isinstance(text, str) and re.fullmatch("[0-9]{1,15}", text) else None


def _violations(error: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in _details(error):
        listed = one.get("violations")
        if isinstance(listed, list):
            yield from (violation for violation in listed if isinstance(violation, dict))


def _details(error: Mapping[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
