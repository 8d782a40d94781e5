"""From what a server said went wrong to an error of this project. Pure, no I/O."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from ..errors import (
    AuthFailed,
    BadRequest,
    ContextTooLong,
    ErrorInStream,
    MalformedResponse,
    NoStreaming,
    NotFound,
    Overloaded,
    PermanentError,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Refused,
    StreamBroken,
    TooLarge,
    TransientError,
)
from .googleerrors import STATUSES, delay_of, words_of
from .retryafter import retry_after, should_retry

LONGEST_MESSAGE = 400
"""Characters of a server's own words that an error repeats."""

SHORTEST_SECRET = 4
"""A placeholder such as "x" is no secret, and would tear holes into ordinary words."""

SHAPE = "it ends in /v1"
"""How a base URL looks that nothing else is known of."""

_QUOTA = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "quota_exceeded",
        "billing_error",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
    }
)
_CONTEXT = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max"})
_CODES: Mapping[str, int] = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "billing_error": 402,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "not_found_error": 404,
    "invalid_prompt": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "insufficient_quota": 429,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "overloaded": 529,
    "overloaded_error": 529,
    "service_unavailable": 503,
    "api_error": 500,
    "timeout_error": 504,
    **STATUSES,
}
"""The status that a word inside a stream would have had as an HTTP answer."""

_TOO_LONG = re.compile(
    r"context[ _-]?(length|window|size|limit)|maximum context|prompt is too long|input is too long"
    r"|too many (input )?tokens|reduce the length|input token count",
    re.IGNORECASE,
)
# Sentences that stand for a code: Anthropic's (HTTP 400), xAI's (403, 429) and OpenRouter's (403)
# about money, and xAI's about a key (400). They open the message; further on, it may be a prompt's.
_UNPAID = re.compile(
    r"your credit balance is too low|you have reached your specified (workspace )?api usage limits"
    r"|your team \S+ has either used all available credits"
    r"|your newly created team doesn't have any credits|key limit exceeded\b",
    re.IGNORECASE,
)
_WRONG_KEY = re.compile(r"incorrect api key provided", re.IGNORECASE)
_POLICY = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_STREAM = re.compile(r"\bstream(ing|ed|_options)?\b", re.IGNORECASE)
# A refusal that quotes a prompt about keys is not about the key: the word alone stops no job.
_BAD = "invalid|incorrect|wrong|missing|expired|revoked|disabled|unknown"
_KEY = re.compile(
    rf"api[ _-]?key|\b(?:{_BAD}) (?:key|credentials?)\b"
    rf"|\b(?:key|credentials?) (?:is |has |was )?(?:{_BAD})\b"
    r"|authenticat|bearer token|access token",
    re.IGNORECASE,
)


class Said(Struct, frozen=True):
    """What a server's error object says; ``code`` and ``kind`` in lower case.

    ``words`` and ``delay`` (seconds) are what Google's details add.
    """

    message: str = ""
    code: str = ""
    kind: str = ""
    words: frozenset[str] = frozenset()
    delay: float | None = None


def said(value: Any) -> Said:
    """Read an error in any of the usual shapes: OpenAI's, vLLM's, FastAPI's, a bare string."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and value.get("error"):
        value = value["error"]
    if isinstance(value, str):
        return Said(value)
    if not isinstance(value, dict):
        return Said()
    message = value.get("message") or value.get("detail") or value.get("msg") or ""
    if isinstance(message, list) and message and isinstance(message[0], dict):
        message = message[0].get("msg") or ""
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
        message = f"{message}: {metadata['raw']}"
    details = value.get("details")
    code = value.get("code") or (details.get("error_code") if isinstance(details, dict) else "")
    kind = value.get("type") or value.get("status")
    code, kind = (_words(word or "").lower() for word in (code, kind))
    return Said(_words(message), code, kind, words_of(value), delay_of(value))


def _words(value: Any) -> str:
    try:
        return str(value)
    except RecursionError:  # nested a thousand levels deep
        return ""


def error_class(status: int, error: Said) -> type[ProviderError]:
    """The one place that says what an HTTP status means here."""
    words = {error.code, error.kind, *error.words}
    if status == 402 or words & _QUOTA:
        return QuotaExhausted
    if status in (400, 403, 429) and _UNPAID.match(error.message):
        return QuotaExhausted
    if status == 401 or "invalid_api_key" in words or (status == 403 and about_key(error)):
        return AuthFailed
    if status == 400 and _WRONG_KEY.match(error.message):
        return AuthFailed
    if status == 403:
        return Refused
    if status == 404:
        return NotFound
    if status == 429:
        too_large = error.message.lower().startswith("request too large")
        return TooLarge if too_large else RateLimited
    if status in (408, 409, 499) or (status >= 500 and status != 501):  # 501: it never will
        return Overloaded
    if words & _CONTEXT or _TOO_LONG.search(error.message):
        return ContextTooLong
    if words & _POLICY:
        return Refused
    return NoStreaming if _STREAM.search(error.message) else BadRequest


def about_key(error: Said) -> bool:
    return bool(_KEY.search(error.message) or _KEY.search(error.kind))


class Failures:
    """Builds the errors of one route: names the route, and takes the secrets out of every text.

    ``shape`` says how the route's base URL is to look.
    """

    __slots__ = ("_address", "_secrets", "provider")

    def __init__(self, provider: str, secrets: Iterable[str] = (), *, shape: str = SHAPE) -> None:
        self.provider = provider
        self._address = f"is the base URL right ({shape})?"
        kept = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        longest_first = sorted(kept, key=len, reverse=True)
        # In any case of letters: a server may shout a key, and codes are read in lower case.
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or "$^", re.IGNORECASE)

    def __repr__(self) -> str:
        return f"Failures({self.provider!r})"

    def clean(self, text: str) -> str:
        """One printable line of sane length, without the secrets."""
        text = self._secrets.sub("***", text)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"

    def response(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """The error that an HTTP answer other than success is."""
        if 300 <= status < 400:
            return self._redirect(status, headers.get("Location", ""))
        page = looks_like_html(headers.get("Content-Type", ""), body)
        error = Said() if page else said(decoded(body))
        kind = error_class(status, error)
        told = self.clean(error.message) or _phrase(status)
        if page:
            told = self._page() if status < 500 else f"{_phrase(status)} (a web page)"
        elif kind is NotFound and not error.message:
            told += f"; {self._address}"
        return self._build(kind, f"HTTP {status}: {told}", status, headers, error.delay)

    def reported(self, value: Any) -> ProviderError:
        """The error object that came inside a stream, after HTTP 200."""
        error = said(value)
        told = self.clean(error.message) or self.clean(error.code) or "no reason given"
        status = int(error.code) if re.fullmatch("[45][0-9][0-9]", error.code) else None
        status = status or _CODES.get(error.code) or _CODES.get(error.kind)
        if status is None:
            text = f"the server reported an error inside the stream: {told}"
            return ErrorInStream(text, provider=self.provider, http_status=200)
        kind = error_class(status, error)
        return self._build(kind, f"inside the stream: {told}", status, {}, error.delay)

    def malformed(self, what: str, *, retry: bool | None = None) -> MalformedResponse:
        """HTTP 200, but not what the wire format promises."""
        return MalformedResponse(
            self.clean(what), provider=self.provider, http_status=200, should_retry=retry
        )

    def web_page(self) -> MalformedResponse:
        """HTTP 200 with HTML. Asking again would only bring the page again."""
        return self.malformed(self._page(), retry=False)

    def unfinished(self) -> StreamBroken:
        """The stream ended by itself, and its finish never came."""
        text = "the stream ended before its finish"
        return StreamBroken(text, provider=self.provider, http_status=200)

    def unsendable(self, reason: str) -> BadRequest:
        """The request can't be written as JSON; nothing was sent."""
        return BadRequest(
            f"the request can't be sent: {self.clean(reason)}", provider=self.provider
        )

    def _page(self) -> str:
        return f"this is a web page, {self._address}"

    def _redirect(self, status: int, location: str) -> PermanentError:
        where = self.clean(location) or "somewhere else"
        text = f"HTTP {status}: the server redirects to {where}; if you trust that, set --base-url"
        return PermanentError(text, provider=self.provider, http_status=status)

    def _build(
        self,
        kind: type[ProviderError],
        text: str,
        status: int,
        headers: Mapping[str, str],
        delay: float | None = None,
    ) -> ProviderError:
        if not issubclass(kind, TransientError):
            return kind(text, provider=self.provider, http_status=status)
        return kind(
            text,
            provider=self.provider,
            http_status=status,
            retry_after=delay if (wait := retry_after(headers, time.time())) is None else wait,
            should_retry=should_retry(headers),
        )


def looks_like_html(content_type: str, body: bytes) -> bool:
    return body[:64].lstrip().startswith(b"<") or (
        "html" in content_type.lower() and not body[:64].lstrip().startswith(b"{")
    )


def decoded(body: bytes) -> Any:
    """JSON where it is that; else the text as it stands."""
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
