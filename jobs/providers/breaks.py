"""From an exception of aiohttp or the operating system to an error of this project.

Nothing of the exception is kept but a reason in words: its own text and attributes can hold the
request's headers, and with them the key.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl

import aiohttp
from aiohttp import http_exceptions

from ..errors import (
    BadRequest,
    ConnectionFailed,
    MalformedResponse,
    OutOfConnections,
    ProviderError,
    StreamBroken,
    Unanswered,
    Untrusted,
)
from .failures import Failures

FOREIGN = (
    aiohttp.ClientError,
    http_exceptions.HttpProcessingError,
    OSError,  # with it TimeoutError, ssl.SSLError, ConnectionError, socket.gaierror
    EOFError,
    RuntimeError,  # "Connection closed.", "Session is closed"
    ValueError,  # host names and headers that can't be encoded
)
"""Everything that a request through aiohttp may raise, cancellation apart."""


def before_answer(exc: BaseException, failures: Failures, host: str) -> ProviderError:
    """No status line came. ``host`` is who was asked, as ``name:port``."""
    name = failures.provider
    if isinstance(exc, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        inner = getattr(exc, "certificate_error", exc)
        reason = getattr(inner, "verify_message", "") or "it does not fit the name"
        text = failures.clean(f"the TLS certificate of {host} is not trusted: {reason}")
        return Untrusted(text, provider=name)
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        text = failures.clean(f"the proxy answered HTTP {exc.status}: {exc.message}")
        again = None if exc.status >= 500 else False
        return ConnectionFailed(text, provider=name, should_retry=again)
    if isinstance(exc, aiohttp.ClientResponseError | http_exceptions.HttpProcessingError):
        return MalformedResponse(f"the answer of {host} is not HTTP", provider=name)
    if isinstance(exc, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | ValueError):
        text = f"no request can be made for {host}: check the base URL and the headers"
        return BadRequest(text, provider=name)
    if _was_open(exc):
        return Unanswered(f"{host} closed the connection before it answered", provider=name)
    if why := _out_of_connections(exc, host):
        return OutOfConnections(f"no connection to {host}: {why}", provider=name)
    return ConnectionFailed(failures.clean(_connecting(exc, host)), provider=name)


def _was_open(exc: BaseException) -> bool:
    """Whether there was a connection, so that the request may have reached the server."""
    if isinstance(exc, aiohttp.ClientConnectorError | ssl.SSLError | TimeoutError):
        return False
    return isinstance(exc, aiohttp.ClientConnectionError | ConnectionError)


def _out_of_connections(exc: BaseException, host: str) -> str | None:
    """Why this machine itself can open no more connections; None where that is not the reason."""
    code = getattr(getattr(exc, "os_error", exc), "errno", None)
    if code == errno.EMFILE:
        return "this process has as many files open as it may (ulimit -n); lower --concurrency"
    if code == errno.ENFILE:
        return "this machine has as many files open as it may (fs.file-max); lower --concurrency"
    # Of an IPv6 address it may mean that this machine has none itself.
    if code == errno.EADDRNOTAVAIL and host.count(":") == 1:
        return (
            "this machine has no port left for another one to that address (on Linux"
            " net.ipv4.ip_local_port_range says how many there are); lower --concurrency"
        )
    return None


def _connecting(exc: BaseException, host: str) -> str:
    reason = _reason(exc)
    if isinstance(exc, aiohttp.ClientProxyConnectionError):
        return f"can't connect to the proxy for {host}: {reason}"
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return f"can't find the host of {host}: {reason}"
    if isinstance(exc, ssl.SSLError):
        return f"TLS with {host} failed: {reason} (does it speak https?)"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return f"can't connect to {host}: {reason}"
    if isinstance(exc, TimeoutError):
        return f"no connection to {host}: it took too long"
    return f"no answer from {host}: {reason}"


def within_answer(exc: BaseException, failures: Failures, status: int) -> ProviderError:
    """The answer had begun."""
    name = failures.provider
    cause = exc.__cause__ or exc
    if isinstance(cause, http_exceptions.ContentEncodingError):
        text = "the answer's compression is broken"
        return MalformedResponse(text, provider=name, http_status=status)
    text = "the connection was cut in the middle of the answer"
    return StreamBroken(text, provider=name, http_status=status)


def _reason(exc: BaseException) -> str:
    inner = getattr(exc, "os_error", exc)
    if isinstance(inner, ssl.SSLError):
        return (getattr(inner, "reason", None) or "unknown").lower().replace("_", " ")
    if isinstance(inner, OSError):
        if inner.errno and not isinstance(inner, socket.gaierror):
            return os.strerror(inner.errno)  # asyncio's own words repeat the address instead
        return inner.strerror or str(inner) or type(inner).__name__
    return type(exc).__name__
