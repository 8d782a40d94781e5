"""A POST out, an answer in; only this project's errors come out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from multidict import CIMultiDict

from ..errors import ConfigError, ProviderError, Stalled, TimedOut
from ..keys import Key
from ..model import Quota
from ..ports import Hear
from .breaks import FOREIGN, before_answer, within_answer
from .certificates import read_certificates
from .direct import open_exchange
from .exchange import Answer, Exchange
from .failures import SHAPE, Failures
from .googleerrors import quota_of_error
from .proxies import proxy_for
from .quota import no_quota
from .turns import Turns
from .watchdog import JUST_HEARD, Flight, Watchdog

LAST_BYTES = 1.0
"""Seconds that the end of the body may take after the stream has said that it is over."""

ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are read."""

LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes of an answer in one piece; a list of embeddings has a tenth of that at most."""

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
        if "https:" in (self._base[:6].lower(), (self._proxy or "")[:6].lower()):
            read_certificates()
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
        self._exchange: Exchange | None = None
        self._watchdog: Watchdog | None = None

    def __repr__(self) -> str:
        return f"Http({self._base!r}, {self.failures.provider!r})"

    async def post(self, path: str, body: bytes, hear: Hear | None = None) -> Incoming:
        """Send, and return once the head of a good answer is there.

        ``hear`` is told what the server says of its limits. The caller closes what is returned. A
        status other than 2xx is raised as the error it is.
        """
        exchange = self._exchange or self._open()
        assert self._watchdog is not None  # noqa: S101 -- opened together
        flight = self._watchdog.start()
        try:
            answer = await exchange.post(path, body)
        except BaseException as exc:
            self._watchdog.end(flight)
            failure = self.translate(exc, flight, None)
            if failure is None:
                raise
        else:
            flight.waiting = False
            if hear is not None and (quota := self._quota(answer.headers)) is not None:
                hear(quota)
                hear = None  # an error's body has nothing to add
            incoming = Incoming(self, answer, flight, self._turns)
            if 200 <= answer.status < 300:
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
        exchange, watchdog = self._exchange, self._watchdog
        self._exchange = self._watchdog = None
        if watchdog is not None:
            watchdog.close()
        if exchange is not None:
            await exchange.aclose()

    def _open(self) -> Exchange:
        # Made at the first request, because aiohttp wants a running loop.
        loop = asyncio.get_running_loop()
        self._watchdog = Watchdog(loop, self._timeout, self._stall)
        self._turns = Turns(loop)
        self._exchange = open_exchange(self._base, self._headers, self._proxy)
        return self._exchange


class Incoming:
    """An answer that has begun."""

    __slots__ = ("_answer", "_flight", "_http", "_pending", "_turns")

    def __init__(self, http: Http, answer: Answer, flight: Flight, turns: Turns) -> None:
        self._http = http
        self._turns = turns
        self._answer = answer
        self._flight = flight
        self._pending: ProviderError | None = None

    def __repr__(self) -> str:
        return f"Incoming(HTTP {self._answer.status}, {self._flight!r})"

    @property
    def content_type(self) -> str:
        return self._answer.headers.get("Content-Type", "")

    async def read(self) -> bytes:
        """The next bytes, as soon as there are any; empty at the end."""
        if self._pending is not None:
            raise self._pending
        flight = self._flight
        flight.waiting = True
        try:
            data = await self._answer.read()
        except BaseException as exc:
            failure = self._http.translate(exc, flight, self._answer.status)
            if failure is None:
                raise
        else:
            flight.waiting = False
            flight.silent_since = JUST_HEARD
            if self._turns.over(len(data)):
                self._answer.hold()
                await self._turns.later()
                data += self._answer.ready()
            return data
        rescued = self._answer.ready()
        if not rescued:
            raise failure
        self._pending = failure
        return rescued

    async def rest(self, limit: int | None = None) -> bytes:
        """Everything that is left, or its first ``limit`` bytes."""
        if self._pending is None and self._answer.ended:
            return b""
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
        answer = self._answer
        try:
            body = await self.rest(ERROR_BODY)
        except ProviderError:
            body = b""  # the status alone says what is wrong
        finally:
            self.close()
        if hear is not None and answer.status == 429 and (quota := quota_of_error(body)):
            hear(quota)
        return self._http.failures.response(answer.status, answer.headers, body)

    def close(self) -> None:
        """Give the connection back to the pool, or end it where the body has not been read."""
        self._http.landed(self._flight)
        self._answer.close()


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
