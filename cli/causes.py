"""Why a row failed, in this program's own words: what a provider says may repeat the prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmbatch.jobs.model import Result

CAUSES: Mapping[str, str] = {
    "rate_limited": "the server allows no more requests for now",
    "overloaded": "the server is in trouble",
    "connection_failed": "the server could not be reached",
    "stream_broken": "the answer broke off",
    "stalled": "the answer stopped coming",
    "timeout": "the request took too long",
    "malformed_response": "the answer is not what the server's wire format promises",
    "error_in_stream": "the server reported an error within its answer",
    "bad_request": "the server does not take this request",
    "context_too_long": "the prompt is longer than the model can read",
    "refused": "the provider does not allow this request",
    "not_found": "the server knows no such model or address",
    "too_large": "the request is larger than all of the tokens a minute",
    "unpriced": "its model has no price, and the job a limit in USD",
    "unbounded": "nobody knows how long its answer may be, and the job has a limit",
    "invalid_output": "the answer does not fit the schema",
    "empty_answer": "the answer has no text",
    "auth_failed": "the key is refused",
    "quota_exhausted": "the account is out of credit or quota",
    "untrusted": "the server's TLS certificate is not trusted",
    "invalid_row": "the row can't be sent",
    "duplicate_id": "the id of the row is used twice",
}
"""By the type of the error."""

ENDS: Mapping[str, str] = {
    "refused": "the model refused to answer",
    "filtered": "the provider's filter took the answer away",
    "partial": "the answer broke off, and every retry with it",
    "truncated": "the answer was cut at its length limit",
}
"""By a row's status, where it has no error."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')


def cause_of(result: Result) -> str:
    """The type of the row's error, or its status where it has none."""
    return result.error.type if result.error else result.status


def in_words(cause: str) -> str:
    """What a cause means; the cause itself where nobody has a word for it."""
    return CAUSES.get(cause) or ENDS.get(cause) or cause.replace("_", " ")


def explained(result: Result) -> str:
    """Why the row failed: what is wrong with its line, else words for its cause and the status.

    Values of the row that its reason quotes are left out: the log of CI may be public.
    """
    cause = cause_of(result)
    if result.status == "invalid" and result.error is not None:
        words = _QUOTED.sub('"…"', result.error.message)
    elif result.error is None or result.status in ("refused", "filtered"):
        words = ENDS.get(result.status) or in_words(cause)
    else:
        words = in_words(cause)
    told = [cause]
    if result.error is not None and result.error.http_status is not None:
        told.append(f"HTTP {result.error.http_status}")
    attempts = result.metrics.attempts if result.metrics else 0
    if attempts > 1:
        told.append(f"{attempts} attempts")
    return f"{words} ({', '.join(told)})"
