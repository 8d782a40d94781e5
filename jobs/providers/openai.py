"""The provider for every OpenAI-compatible server: chat, completions, embeddings, responses."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from ..errors import TransientError
from ..model import Delta, Request
from . import chat, completions, embeddings, responses
from .http import Http, Incoming
from .sse import BOM, SseParser
from .wire import Reader

_encode = msgspec.json.Encoder().encode
_ODD = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)


class OpenAI:
    """One server. ``stream`` asks for streams; either kind of answer is understood anyway."""

    __slots__ = ("_http", "_stream", "name")

    def __init__(self, http: Http, *, name: str, stream: bool = True) -> None:
        self._http = http
        self._stream = stream
        self.name = name

    def __repr__(self) -> str:
        return f"OpenAI({self.name!r}, {self._http!r}, stream={self._stream})"

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """One attempt. Raises only :class:`..errors.ProviderError`; ends only after a finish."""
        path, body, reader = self._prepare(request)
        incoming = await self._http.post(path, body)
        odd: str
        try:
            data = await _opening(incoming)
            shape = data[:64].removeprefix(BOM).lstrip()[:1]
            if shape in (b"{", b"["):
                yield reader.whole(data + await incoming.rest())
                return
            if shape == b"<" or "html" in incoming.content_type:
                raise self._http.failures.web_page()
            feed, add = SseParser().feed, reader.add
            while data:
                for event in feed(data):
                    delta = add(event.data)
                    if delta is not None:
                        yield delta
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
        except _ODD as error:  # a shape that no reader foresaw is one row's trouble, not the job's
            odd = type(error).__name__
        finally:
            incoming.close()
        raise self._http.failures.malformed(f"the answer has a shape that can't be read ({odd})")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _prepare(self, request: Request) -> tuple[str, bytes, Reader]:
        """Where to send which bytes, and who reads the answer."""
        failures = self._http.failures
        reader: Reader
        if request.endpoint == "embeddings":
            values = embeddings.body(request)
            reader = embeddings.EmbeddingsReader(failures, embeddings.several(request.input))
        elif request.endpoint == "responses":
            values = responses.body(request, self._stream)
            reader = responses.ResponsesReader(failures)
        else:
            wire = chat if request.endpoint == "chat" else completions
            values = wire.body(request, self._stream)
            reader = chat.ChatReader(failures)
        try:
            return _PATHS[request.endpoint], _encode(values), reader
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            reason = type(error).__name__
        raise failures.unsendable(f"it can't be written as JSON ({reason})")


_PATHS = {
    "chat": chat.PATH,
    "completions": completions.PATH,
    "embeddings": embeddings.PATH,
    "responses": responses.PATH,
}


async def _opening(incoming: Incoming) -> bytes:
    """The first bytes that are more than blanks: some servers send blanks to stay connected."""
    data = await incoming.read()
    while data and len(data) < 64 and not data.strip():
        more = await incoming.read()
        data = data + more if more else b""
    return data
