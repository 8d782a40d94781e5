"""No exception of aiohttp, ssl, asyncio or the operating system slips through."""

from __future__ import annotations

import asyncio
import errno
import inspect
import socket
import ssl
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions

from llmbatch.jobs import errors
from llmbatch.jobs.providers.breaks import FOREIGN, before_answer, within_answer
from llmbatch.jobs.providers.failures import Failures

SECRET = "sk-secret-1234"
FAILURES = Failures("acme", [SECRET])
KEY: Any = SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)
INFO: Any = SimpleNamespace(real_url=f"http://h/{SECRET}", headers={"Authorization": SECRET})


def made(kind: type[BaseException]) -> BaseException:
    """An instance, however the class wants to be made."""
    if issubclass(kind, client_exceptions.ClientConnectorCertificateError):
        return kind(KEY, ssl.SSLCertVerificationError(1, SECRET))
    if issubclass(kind, client_exceptions.UnixClientConnectorError):
        return kind("/path", KEY, OSError(1, SECRET))
    if issubclass(kind, client_exceptions.ClientConnectorError):
        return kind(KEY, OSError(111, SECRET))
    if issubclass(kind, client_exceptions.ClientResponseError):
        return kind(INFO, (), status=407, message=SECRET)
    if issubclass(kind, client_exceptions.ServerFingerprintMismatch):
        return kind(b"a", b"b", "h", 1)
    if issubclass(kind, http_exceptions.BadStatusLine | http_exceptions.InvalidHeader):
        return kind(SECRET)
    if issubclass(kind, http_exceptions.LineTooLong):
        return kind(b"x", 8190)
    if issubclass(kind, http_exceptions.HttpProcessingError):
        return kind(message=SECRET)
    if issubclass(kind, asyncio.IncompleteReadError):
        return kind(b"", 1)
    return kind(SECRET)


def everything() -> Iterator[type[BaseException]]:
    for module in (client_exceptions, http_exceptions):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Exception) and not kind.__name__.startswith("WS"):  # WebSockets
                yield kind
    yield from (OSError, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
    yield from (ConnectionRefusedError, TimeoutError, asyncio.TimeoutError, socket.gaierror)
    yield from (ssl.SSLError, ssl.SSLZeroReturnError, ssl.SSLEOFError, ssl.SSLCertVerificationError)
    yield from (asyncio.IncompleteReadError, EOFError, RuntimeError, ValueError, UnicodeError)


ALL = sorted(set(everything()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_foreign_exception_is_translated_and_leaks_nothing(kind: type[BaseException]) -> None:
    exc = made(kind)
    assert isinstance(exc, FOREIGN)
    for error in (before_answer(exc, FAILURES, "h:1"), within_answer(exc, FAILURES, 200)):
        assert isinstance(error, errors.ProviderError)
        assert error.provider == "acme"
        assert SECRET not in f"{error} {error!r} {error.__cause__!r}"


def test_the_list_is_not_empty() -> None:
    assert len(ALL) > 40
    assert aiohttp.ClientPayloadError in ALL


def test_a_certificate_that_is_not_trusted_is_not_asked_again() -> None:
    error = before_answer(ssl.SSLCertVerificationError(1, "x"), FAILURES, "h:443")
    assert isinstance(error, errors.Untrusted)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EMFILE, "as many files open as it may (ulimit -n); lower --concurrency"),
        (errno.ENFILE, "this machine has as many files open as it may (fs.file-max)"),
        (errno.EADDRNOTAVAIL, "no port left for another one to that address"),
    ],
)
def test_a_machine_that_can_open_no_more_connections_says_so(code: int, said: str) -> None:
    exc = aiohttp.ClientConnectorError(KEY, OSError(code, SECRET))
    error = before_answer(exc, FAILURES, "api.acme.com:443")
    assert isinstance(error, errors.OutOfConnections)
    assert error.retryable
    assert str(error).startswith("no connection to api.acme.com:443: ")
    assert said in str(error)


def test_an_address_that_this_machine_has_no_way_to_is_another_matter() -> None:
    exc = aiohttp.ClientConnectorError(KEY, OSError(errno.EADDRNOTAVAIL, SECRET))
    error = before_answer(exc, FAILURES, "::1:8000")
    assert type(error) is errors.ConnectionFailed
