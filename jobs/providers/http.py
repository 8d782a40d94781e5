"""The one boundary to aiohttp: a POST out, an answer in; only this project's errors come out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from ..errors import ConfigError, ProviderError, Stalled, TimedOut
from ..keys import Key
from ..model import Quota
from ..ports import Hear
from .breaks import FOREIGN, before_answer, within_answer
from .failures import SHAPE, Failures
from .googleerrors import quota_of_error
from .proxies import TOLD, proxy_for
from .quota import no_quota
from .watchdog import JUST_HEARD, Flight, Watchdog

CONNECT_TIMEOUT = 30.0
"""Seconds for one TCP connection to stand; the first token may take much longer."""

KEEP_ALIVE = 30.0
"""Seconds an idle connection is kept; most load balancers keep it for a minute or more."""

LAST_BYTES = 1.0
"""Seconds that the end of the body may take after the stream has said that it is over."""

ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are read."""

LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes of an answer in one piece; a list of embeddings has a tenth of that at most."""

KNOWN_PATHS = 64
"""Paths whose URL is kept; where the model stands in the path, rows may bring any number."""

_SECRET_HEADER = re.compile("auth|key|token|secret|cookie", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class _Masked(str):
    """A header's value that shows up as stars where headers are printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Http:
    """One server: a pool of connections, its headers, its timeouts (seconds)."""

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        key: Key | None = None,
        header: str = "authorization",
        shape: str = SHAPE,
        headers: Mapping[str, str] | None = None,
        quota: Callable[[Mapping[str, str]], Quota | None] = no_quota,
        timeout: float = 600.0,
        stall_timeout: float = 30.0,
    ) -> None:
        """Raises :class:`ConfigError` for an address, proxy or header that can't work.

        ``header`` carries the key; ``shape`` says in messages how ``base_url`` is to look;
        ``quota`` reads the limits in an answer's headers.
        """
        self._base = base_url.rstrip("/")
        self._host = _host(self._base)
        self._proxy = proxy_for(self._base)
        self._timeout = timeout
        self._stall = stall_timeout
        own = dict(headers or {})
        if key is not None and not any(n.lower() == header for n in own):
            bearer = header == "authorization"
            own[header] = f"Bearer {key.reveal()}" if bearer else key.reveal()
        self._quota = quota
        self._headers = _headers(own)
        secrets = [value for n, value in own.items() if _SECRET_HEADER.search(n)]
        secrets += [value.split()[-1] for value in secrets if value.split()]
        if key is not None:
            secrets.append(key.reveal())
        self.failures = Failures(name, secrets, shape=shape)
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self._watchdog: Watchdog | None = None

    def __repr__(self) -> str:
        return f"Http({self._base!r}, {self.failures.provider!r})"

    async def post(self, path: str, body: bytes, hear: Hear | None = None) -> Incoming:
        """Send, and return once the head of a good answer is there.

        ``hear`` is told what the server says of its limits. The caller closes what is returned. A
        status other than 2xx is raised as the error it is.
        """
        session = self._session or self._open()
        assert self._watchdog is not None  # noqa: S101 -- opened together
        url = self._urls.get(path)
        if url is None:
            if len(self._urls) >= KNOWN_PATHS:
                self._urls.clear()
            url = self._urls[path] = URL(self._base + path)
        flight = self._watchdog.start()
        try:
            response = await session.post(
                url,
                data=body,
                headers=self._headers,
                proxy_headers=TOLD,
                allow_redirects=False,
            )
        except BaseException as exc:
            self._watchdog.end(flight)
            failure = self.translate(exc, flight, None)
            if failure is None:
                raise
        else:
            flight.waiting = False
            if hear is not None and (quota := self._quota(response.headers)) is not None:
                hear(quota)
                hear = None  # an error's body has nothing to add
            incoming = Incoming(self, response, flight)
            if 200 <= response.status < 300:
                return incoming
            failure = await incoming.refusal(hear)
        # Raised out here so that the foreign exception does not hang on to it as its context.
        raise failure

    def translate(
        self, exc: BaseException, flight: Flight, status: int | None
    ) -> ProviderError | None:
        """What ``exc`` is in this project's words; None for what has to pass as it is."""
        flight.waiting = False
        name = self.failures.provider
        expired = flight.took_back()
        if expired == "total":
            text = f"no complete answer within {self._timeout:g} s"
            return TimedOut(text, provider=name, http_status=status)
        if expired == "stall":
            text = f"no byte for {self._stall:g} s in the middle of the answer"
            return Stalled(text, provider=name, http_status=status)
        if not isinstance(exc, FOREIGN):
            return None
        if status is None:
            return before_answer(exc, self.failures, self._host)
        return within_answer(exc, self.failures, status)

    def landed(self, flight: Flight) -> None:
        """The request is over."""
        if self._watchdog is not None:
            self._watchdog.end(flight)

    async def aclose(self) -> None:
        """Close every connection. Safe to call twice."""
        session, watchdog = self._session, self._watchdog
        self._session = self._watchdog = None
        if watchdog is not None:
            watchdog.close()
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        # Made at the first request, because aiohttp wants a running loop. Limits are the gate's
        # business, so the pool has none of its own; and no cookie is ever sent back. The headers
        # go with each request: those of a session, and so the key, aiohttp shows to the proxy too.
        self._watchdog = Watchdog(asyncio.get_running_loop(), self._timeout, self._stall)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            max_line_size=32 * 1024,
            max_field_size=32 * 1024,
        )
        return self._session


class Incoming:
    """An answer that has begun."""

    __slots__ = ("_content", "_flight", "_http", "_pending", "_response")

    def __init__(self, http: Http, response: aiohttp.ClientResponse, flight: Flight) -> None:
        self._http = http
        self._response = response
        self._content = response.content
        self._flight = flight
        self._pending: ProviderError | None = None

    def __repr__(self) -> str:
        return f"Incoming(HTTP {self._response.status}, {self._flight!r})"

    @property
    def content_type(self) -> str:
        return self._response.headers.get("Content-Type", "")

    async def read(self) -> bytes:
        """The next bytes, as soon as there are any; empty at the end."""
        if self._pending is not None:
            raise self._pending
        flight = self._flight
        flight.waiting = True
        try:
            data = await self._content.readany()
        except BaseException as exc:
            failure = self._http.translate(exc, flight, self._response.status)
            if failure is None:
                raise
        else:
            flight.waiting = False
            flight.silent_since = JUST_HEARD
            return data
        rescued = self._rescue()
        if not rescued:
            raise failure
        self._pending = failure
        return rescued

    async def rest(self, limit: int | None = None) -> bytes:
        """Everything that is left, or its first ``limit`` bytes."""
        parts = []
        size = 0
        while data := await self.read():
            parts.append(data)
            size += len(data)
            if limit is not None and size >= limit:
                break
            if size > LARGEST_ANSWER:
                raise self._http.failures.malformed("the answer has no end", retry=False)
        return b"".join(parts)[:limit]

    def hurry(self) -> None:
        """What matters has come; wait only a moment more for the end of the body."""
        soon = asyncio.get_running_loop().time() + LAST_BYTES
        self._flight.deadline = min(self._flight.deadline, soon)

    async def refusal(self, hear: Hear | None = None) -> ProviderError:
        """The error that this answer is; closes it. ``hear`` is told what a 429 says of limits."""
        response = self._response
        try:
            body = await self.rest(ERROR_BODY)
        except ProviderError:
            body = b""  # the status alone says what is wrong
        finally:
            self.close()
        if hear is not None and response.status == 429 and (quota := quota_of_error(body)):
            hear(quota)
        return self._http.failures.response(response.status, response.headers, body)

    def close(self) -> None:
        """Give the connection back to the pool, or end it where the body has not been read."""
        self._http.landed(self._flight)
        if not self._content.is_eof():
            self._response.close()

    def _rescue(self) -> bytes:
        # aiohttp keeps what arrived before the failure, but raises instead of handing it out.
        self._content.set_exception(None)  # type: ignore[arg-type]  # takes the failure back
        return self._content.read_nowait()


def _host(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        if parts.hostname and "@" not in parts.netloc and not parts.query:
            return f"{parts.hostname}:{port}"
    except (ValueError, KeyError):
        pass
    raise ConfigError("the base URL is not one: it must look like https://HOST")


def _headers(own: Mapping[str, str]) -> CIMultiDict[str]:
    headers = CIMultiDict(
        {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            # Compression holds tokens back at the server, and costs time here.
            "Accept-Encoding": "identity",
            "User-Agent": "llmbatch",
        }
    )
    for name, value in own.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigError("a header's name holds a character that no header can have")
        if not value.isprintable():
            raise ConfigError(f"the header {name} holds a control character")
        headers[name] = _Masked(value) if _SECRET_HEADER.search(name) else value
    return headers
