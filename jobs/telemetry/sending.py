"""One HTTP request from a thread of its own: nothing is followed, shown or waited for long."""

from __future__ import annotations

import base64
import gzip
import http.client
import ssl
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct, field

from ..errors import ConfigError

MOST = 1 << 16
"""Bytes of an answer that are read."""

PASSING = frozenset({408, 429, 502, 503, 504})
"""Statuses after which the same may be sent again (OTLP 1.5, and 408)."""


class Undelivered(Exception):
    """``reason`` in a few words, none of them a server's.

    ``passing`` says that the same may be taken later, ``retry_after`` in how many seconds.
    """

    def __init__(
        self, reason: str, *, passing: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing
        self.retry_after = retry_after


class Target(Struct, frozen=True, kw_only=True):
    """Where to send, and how; ``timeout`` in seconds. Headers may hold secrets."""

    url: str
    headers: Mapping[str, str] = {}
    timeout: float = 10.0
    compression: str = "none"
    opener: urllib.request.OpenerDirector = field(default_factory=lambda: opener_for(None))

    @property
    def shown(self) -> str:
        """The address alone."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def __repr__(self) -> str:
        return f"Target({self.shown!r})"


def checked_url(url: str, setting: str) -> tuple[str, dict[str, str]]:
    """A URL without its user, and the header that stands for the user.

    Raises ConfigError, which does not repeat the URL: a password may be in it.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in ("http", "https") or not url.isprintable():
        raise ConfigError(f"{setting}: is no address; write it as http://HOST:PORT")
    named = f"[{host}]" if ":" in host else host
    bare = parts._replace(netloc=named if port is None else f"{named}:{port}", fragment="")
    if parts.username is None:
        return bare.geturl(), {}
    return bare.geturl(), basic_auth(f"{unquote(parts.username)}:{unquote(parts.password or '')}")


def basic_auth(user: str) -> dict[str, str]:
    """The header for ``user:password``."""
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def below(url: str, path: str) -> str:
    """The address of a path below another one, whose query stays."""
    parts = urlsplit(url)
    return parts._replace(path=parts.path.rstrip("/") + path).geturl()


def check_headers(headers: Mapping[str, str], setting: str) -> None:
    """Raises ConfigError, without its value, for a header that HTTP can't carry."""
    for name, value in headers.items():
        fit = all(char.isprintable() and ord(char) < 256 for char in name + value)
        if not (name and fit):
            raise ConfigError(f"{setting}: holds a header that HTTP can't carry")


def send(target: Target, body: bytes, *, method: str = "POST", timeout: float) -> bytes:
    """The answer of a server that took the body. It blocks; raises :class:`Undelivered`."""
    headers = {"User-Agent": "llmbatch", **target.headers}
    if target.compression in _COMPRESS:
        body = _COMPRESS[target.compression](body)
        headers["Content-Encoding"] = target.compression
    request = urllib.request.Request(target.url, body, headers, method=method)  # noqa: S310 - checked
    try:
        with target.opener.open(request, timeout=timeout) as answer:
            return answer.read1(MOST)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        with error:
            after = _seconds(error.headers.get("Retry-After"))
        reason = f"it answered with status {error.code}"
        raise Undelivered(reason, passing=error.code in PASSING, retry_after=after) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Undelivered(_reason(error, timeout)) from None


def opener_for(tls: ssl.SSLContext | None) -> urllib.request.OpenerDirector:
    """To be made before the job begins: reading certificates holds the interpreter for long."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if tls is not None:
        handlers.append(urllib.request.HTTPSHandler(context=tls))
    return urllib.request.build_opener(*handlers)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What a job tells goes to the address that was named, or nowhere."""

    def redirect_request(self, *_: object) -> None:
        return None


_COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6),
    "deflate": zlib.compress,
}


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, min(float(value or ""), 3600.0))
    except ValueError:
        return None


def _reason(error: Exception, timeout: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout:.0f} s"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason or 'no certificate that is trusted'}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror[0].lower() + cause.strerror[1:]
    return "it speaks no HTTP" if isinstance(cause, http.client.HTTPException) else "not sent"
