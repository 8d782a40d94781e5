"""One HTTP exchange with one server: a POST out, the head of its answer back, then its body.

There are two ways to do it. :class:`.direct.Direct` does only what a request needs, and leans on
inner parts of aiohttp for that. Where those are not as it knows them, aiohttp's session is asked
(:class:`.session.ThroughSession`), which costs more than twice as much. On the wire there is no
difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import aiohttp

CONNECT_TIMEOUT = 30.0
"""Seconds for one TCP connection to stand; the first token may take much longer."""

KEEP_ALIVE = 30.0
"""Seconds an idle connection is kept; most load balancers keep it for a minute or more."""

LONGEST_FIELD = 32 * 1024
"""Bytes of a status line, and of a header, in an answer."""

KNOWN_PATHS = 64
"""Paths whose URL is kept; where the model stands in the path, rows may bring any number."""


class Answer(Protocol):
    """The head of an answer, and its body as it comes. Raises aiohttp's errors."""

    status: int
    headers: Mapping[str, str]

    @property
    def ended(self) -> bool:
        """Whether the body came to its end, and all of it was handed out."""
        ...

    def ready(self) -> bytes:
        """What has come and was not handed out yet, also where the connection broke behind it."""
        ...

    def hold(self) -> None:
        """Take nothing more from the connection until :meth:`ready` or :meth:`read` is called."""
        ...

    async def read(self) -> bytes:
        """The next bytes, as soon as there are any; empty at the end."""
        ...

    def close(self) -> None:
        """End the connection, unless the body came to its end: then it is in the pool again."""
        ...


class Exchange(Protocol):
    """A server, and the connections to it; see :func:`.direct.open_exchange`."""

    async def post(self, path: str, body: bytes) -> Answer:
        """Send, and return once the head of the answer is there. ``path`` follows the base URL.

        The caller closes what is returned. Raises aiohttp's errors, and ValueError for a path that
        can't be asked for.
        """
        ...

    async def aclose(self) -> None: ...


def connector() -> aiohttp.TCPConnector:
    """A pool of connections. Limits are the gate's business, so it has none of its own."""
    return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
