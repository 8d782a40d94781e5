"""The provider for every wire format that goes over HTTP: one attempt, from request to finish."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from ..errors import TransientError
from ..model import Delta, Request
from ..ports import Hear
from .http import Http
from .reading import Piece, gathered
from .sse import BOM, EventTooLarge
from .wire import Prepared, Wire

_encode = msgspec.json.Encoder().encode
_ODD = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)


class Native:
    """One server and its wire format; a stream and a whole answer are understood, either way."""

    __slots__ = ("_http", "_wire", "name")

    start = None
    """Nothing has to be waited for before a request."""

    def __init__(self, http: Http, wire: Wire, *, name: str) -> None:
        self._http = http
        self._wire = wire
        self.name = name

    def __repr__(self) -> str:
        return f"Native({self.name!r}, {self._wire!r}, {self._http!r})"

    async def stream(
        self, request: Request, *, whole: bool = False, hear: Hear | None = None
    ) -> AsyncGenerator[Delta, None]:
        """One attempt; see :class:`..ports.Provider`."""
        prepared, body = self._prepare(request, stream=not whole)
        reader = prepared.reader
        incoming = await self._http.post(prepared.path, body, hear)
        try:
            data = await incoming.read()
            while data and data.isspace():  # DeepSeek sends empty lines while it thinks
                data = await incoming.read()
            shape = data.removeprefix(BOM).lstrip()[:1]
            if shape in (b"{", b"["):
                yield reader.whole(data + await incoming.rest())
                return
            if shape == b"<" or "html" in incoming.content_type:
                raise self._http.failures.web_page()
            feed, take = prepared.parser.feed, reader.read
            while data:
                said: list[Piece] = []
                try:
                    if not reader.done:  # what follows the end is nobody's business
                        take(feed(data), said)
                except Exception:
                    if said:  # what came before the failure has come
                        yield gathered(said) or Delta()
                    raise
                if said:
                    yield gathered(said) or Delta()
                if reader.done:
                    incoming.hurry()
                try:
                    data = await incoming.read()
                except TransientError:
                    if not reader.finished:
                        raise
                    break  # all that is missing is the usage
            yield reader.end()
            return
        except EventTooLarge:
            failure = self._http.failures.malformed(
                "an event of the answer has no end", retry=False
            )
        except _ODD as error:  # a shape that no reader foresaw is one row's trouble, not the job's
            odd = type(error).__name__
            failure = self._http.failures.malformed(
                f"the answer has a shape that can't be read ({odd})"
            )
        finally:
            incoming.close()
        raise failure

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _prepare(self, request: Request, *, stream: bool) -> tuple[Prepared, bytes]:
        """What to send where, and who reads the answer."""
        try:
            prepared = self._wire.prepare(request, stream)
            return prepared, _encode(prepared.values)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            reason = type(error).__name__
        raise self._http.failures.unsendable(f"it can't be written as JSON ({reason})")
