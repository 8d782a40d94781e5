"""From an exception of LiteLLM to an error of this project. Pure; nothing of it is imported.

LiteLLM wraps what went wrong, sometimes twice, and calls whatever it can't place a failed
connection. So the whole chain of exceptions is read, by the names of their classes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..errors import (
    AuthFailed,
    BadRequest,
    ConnectionFailed,
    ContextTooLong,
    FatalError,
    MalformedResponse,
    NotFound,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    Refused,
    StreamBroken,
    TimedOut,
    TransientError,
    Unanswered,
)
from ..keys import redact
from .failures import Failures, Said, about_key, decoded, error_class, said
from .retryafter import retry_after, should_retry

_KINDS: Mapping[str, type[ProviderError]] = {
    "ContextWindowExceededError": ContextTooLong,
    "ContentPolicyViolationError": Refused,
    "GuardrailRaisedException": Refused,
    "BudgetExceededError": QuotaExhausted,
    "PaymentRequiredError": QuotaExhausted,
    "LiteLLMUnknownProvider": NotFound,
    "UnsupportedParamsError": BadRequest,
    "AuthenticationError": AuthFailed,
    "NotFoundError": NotFound,
    "Timeout": TimedOut,
    "ServiceUnavailableError": Overloaded,
}
"""Classes that say more than their status does."""

_STATUSES: Mapping[str, int] = {
    "AuthenticationError": 401,
    "NotFoundError": 404,
    "PermissionDeniedError": 403,
    "RateLimitError": 429,
    "BadRequestError": 400,
    "UnprocessableEntityError": 422,
    "InternalServerError": 500,
    "BadGatewayError": 502,
    "ServiceUnavailableError": 503,
}

_TRANSPORT = frozenset(
    {"TransportError", "ClientConnectionError", "ClientPayloadError", "ConnectionError"}
)
"""What httpx, aiohttp and Python itself call a connection that failed."""

_UNMADE = frozenset(
    {"ConnectError", "ConnectTimeout", "ClientConnectorError", "ConnectionRefusedError"}
)
"""The same for one that never came to be."""

_PREFIX = re.compile(r"(?:litellm\.)?\w*(?:Error|Exception|Timeout)\s*(?::|-)\s*")
_UNKNOWN_PROVIDER = "LLM Provider NOT provided"
_NO_FINISH = "Stream ended before a finish_reason"
_PAGE = re.compile(r"<(?:!doctype html|html\b)", re.IGNORECASE)
_DEEPEST = 24


def translate(exc: BaseException, failures: Failures, *, begun: bool) -> ProviderError:
    """What ``exc`` means here; ``begun`` says that the answer had begun.

    The error keeps nothing of the exception but words, with every known secret taken out.
    """
    chain = list(_chain(exc))
    name = failures.provider
    if any(isinstance(each, ImportError) for each in chain):
        text = f"LiteLLM needs another package for this model: {_words(exc, failures)}"
        return FatalError(text, provider=name)
    if (redirect := _redirect(chain, failures)) is not None:
        return redirect
    if any(_names(each) & _TRANSPORT or _is_sdk_break(each) for each in chain):
        return _broken(chain, failures, begun)
    if begun:
        return _within(exc, chain, failures)
    return _answered(_cause(exc), failures)


def _redirect(chain: list[BaseException], failures: Failures) -> ProviderError | None:
    """The server wants to be asked elsewhere, for which LiteLLM has no word."""
    found: tuple[int, str] | None = None
    for each in chain:
        response = getattr(each, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int) and 300 <= status < 400:
            location = getattr(response, "headers", {}).get("location", "")
            if found is None or location:  # some of them are made up, without a head
                found = status, location
    return None if found is None else failures.response(found[0], {"Location": found[1]}, b"")


async def release(exc: BaseException) -> None:
    """Close the answers that hang on to ``exc``: LiteLLM leaves some of them open."""
    for each in _chain(exc):
        close = getattr(getattr(each, "response", None), "aclose", None)
        if close is not None:
            with suppress(Exception):  # it is being thrown away
                await close()


def _cause(exc: BaseException) -> BaseException:
    """What LiteLLM wrapped when a stream failed."""
    cause = getattr(exc, "original_exception", None)
    return cause if isinstance(cause, BaseException) else exc


def _broken(chain: list[BaseException], failures: Failures, begun: bool) -> ProviderError:
    name = failures.provider
    if any("Timeout" in type(each).__name__ for each in chain):
        return TimedOut("LiteLLM waited too long for the server", provider=name)
    if begun:
        text = "the connection was cut in the middle of the answer"
        return StreamBroken(text, provider=name, http_status=200)
    words = next((_words(each, failures) for each in chain if _names(each) & _TRANSPORT), "")
    unmade = any(_names(each) & _UNMADE for each in chain)
    kind = ConnectionFailed if unmade else Unanswered
    return kind(f"no answer: {words or 'the connection failed'}", provider=name)


def _within(exc: BaseException, chain: list[BaseException], failures: Failures) -> ProviderError:
    """Inside a stream that had begun with success."""
    for each in chain:
        body = getattr(each, "body", None)
        if isinstance(body, dict):
            return failures.reported({"error": body})
    if any(
        isinstance(each, ValueError | LookupError | TypeError | AttributeError) for each in chain
    ):
        text = "LiteLLM can't read a part of the answer"
        return MalformedResponse(text, provider=failures.provider, http_status=200)
    cause = _cause(exc)
    if _NO_FINISH in str(cause):
        return failures.unfinished()
    if _status(cause) in (None, 500, 503):  # its way to say that it does not know
        return failures.reported({"message": redact(_said(cause).message)})
    return _answered(cause, failures)


def _answered(exc: BaseException, failures: Failures) -> ProviderError:
    """The server's answer was an error, or LiteLLM refused to ask it."""
    error = _said(exc)
    status = _status(exc)
    headers = _headers(exc)
    sent = status is not None and bool(headers)
    if not sent and _PAGE.search(error.message):
        return failures.web_page()
    kind = _kind(exc, error, status)
    if not sent and kind is Overloaded and about_key(error):
        kind = AuthFailed
    told = failures.clean(redact(_plain(error.message))) or type(exc).__name__
    text = f"HTTP {status}: {told}" if sent else f"LiteLLM: {told}"
    http_status = status if sent else None
    if not issubclass(kind, TransientError):
        return kind(text, provider=failures.provider, http_status=http_status)
    return kind(
        text,
        provider=failures.provider,
        http_status=http_status,
        retry_after=retry_after(headers, time.time()),
        should_retry=should_retry(headers),
    )


def _plain(message: str) -> str:
    """Without LiteLLM's advice, which speaks of its own settings."""
    if _UNKNOWN_PROVIDER in message:
        return "it knows no such provider; write litellm/PROVIDER/MODEL in its own words"
    message, advice, _ = message.partition(" To drop these")
    return f"{message} (--drop-params leaves them out)" if advice else message


def _kind(exc: BaseException, error: Said, status: int | None) -> type[ProviderError]:
    if _UNKNOWN_PROVIDER in error.message:
        return NotFound
    by_status = None if status is None else error_class(status, error)
    if by_status is QuotaExhausted:
        return by_status
    for cls in type(exc).__mro__:
        kind = _KINDS.get(cls.__name__)
        if kind is not None:
            return kind
    return by_status or MalformedResponse


def _status(exc: BaseException) -> int | None:
    for cls in type(exc).__mro__:
        if cls.__name__ in _STATUSES:
            status = getattr(exc, "status_code", None)
            return status if isinstance(status, int) else _STATUSES[cls.__name__]
    status = getattr(exc, "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 600 else None


def _headers(exc: BaseException) -> Mapping[str, str]:
    """The head of the server's answer, in lower case; LiteLLM's own refusals have an empty one."""
    for each in _chain(exc):
        response = getattr(each, "response", None)
        for found in (
            getattr(each, "litellm_response_headers", None),
            getattr(response, "headers", None),
            getattr(each, "headers", None),
        ):
            if isinstance(found, Mapping) and found:
                return {str(key).lower(): str(value) for key, value in found.items()}
    return {}


def _said(exc: BaseException) -> Said:
    """The server's words: from its JSON where that can be found, else LiteLLM's sentence."""
    body = getattr(exc, "body", None)
    if isinstance(body, dict):
        return said(body)
    message = str(getattr(exc, "message", None) or exc)
    message = _stripped(message)
    start = message.find("{")
    found = decoded(message[start:].encode("utf-8", "replace")) if start >= 0 else None
    if not isinstance(found, dict):
        found = _first_object(message[start:]) if start >= 0 else None
    told = said(found) if found else Said()
    return told if told.message else Said(message, told.code, told.kind)


def _first_object(text: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _stripped(message: str) -> str:
    """Without the names of classes that LiteLLM puts before it, one for each layer."""
    message = message.strip()
    while (found := _PREFIX.match(message)) and found.end() < len(message):
        message = message[found.end() :]
    return message


def _words(exc: BaseException, failures: Failures) -> str:
    return failures.clean(redact(_stripped(str(exc)))) or type(exc).__name__


def _is_sdk_break(exc: BaseException) -> bool:
    """The OpenAI SDK's own class; LiteLLM's of that name stands for anything."""
    cls = type(exc)
    return cls.__module__.startswith("openai") and "APIConnectionError" in _names(exc)


def _names(exc: BaseException) -> frozenset[str]:
    return frozenset(cls.__name__ for cls in type(exc).__mro__)


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """``exc`` and everything that led to it, each once."""
    waiting: list[Any] = [exc]
    seen: set[int] = set()
    while waiting and len(seen) < _DEEPEST:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "original_exception", None), each.__cause__, each.__context__]
