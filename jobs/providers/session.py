"""The exchange as aiohttp offers it: the way that does not depend on its inner parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from .exchange import CONNECT_TIMEOUT, KNOWN_PATHS, LONGEST_FIELD, Answer, connector
from .proxies import TOLD


class ThroughSession:
    """Asks for everything through a session."""

    __slots__ = ("_base", "_headers", "_session", "_urls")

    def __init__(self, base_url: str, headers: CIMultiDict[str], proxy: str | None) -> None:
        self._base = base_url
        # They go with each request: those of a session, and so the key, aiohttp shows to the proxy.
        self._headers = headers
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=connector(),
            cookie_jar=aiohttp.DummyCookieJar(),  # no cookie is ever sent back
            proxy=proxy,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            max_line_size=LONGEST_FIELD,
            max_field_size=LONGEST_FIELD,
        )

    def __repr__(self) -> str:
        return f"ThroughSession({self._base!r})"

    async def post(self, path: str, body: bytes) -> Answer:
        url = self._urls.get(path)
        if url is None:
            if len(self._urls) >= KNOWN_PATHS:
                self._urls.clear()
            url = self._urls[path] = URL(self._base + path)
        response = await self._session.post(
            url, data=body, headers=self._headers, proxy_headers=TOLD, allow_redirects=False
        )
        return _Response(response)

    async def aclose(self) -> None:
        await self._session.close()


class _Response:
    """An answer that a session gave."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = cast(Mapping[str, str], response.headers)

    def __repr__(self) -> str:
        return f"_Response({self.status})"

    @property
    def ended(self) -> bool:
        return self._response.content.at_eof()

    def ready(self) -> bytes:
        content = self._response.content
        failure = content.exception()
        if failure is None:
            return content.read_nowait()
        content.set_exception(None)  # type: ignore[arg-type]  # it would raise, and hand out nothing
        data = content.read_nowait()
        content.set_exception(failure)
        return data

    def hold(self) -> None:
        pass  # aiohttp does, where it has read too far ahead

    async def read(self) -> bytes:
        return await self._response.content.readany()

    def close(self) -> None:
        if not self._response.content.is_eof():
            self._response.close()
