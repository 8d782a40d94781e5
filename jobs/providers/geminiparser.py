"""The events of Gemini's streams, and the bare JSON that comes between them as an error."""

from __future__ import annotations

import json

from .sse import SseParser

LONGEST_ERROR = 16 * 1024
"""Bytes of bare JSON that are waited for; an error has a few hundred."""


class GeminiParser(SseParser):
    """Events, and the bare JSON over several lines in which an error comes between them."""

    __slots__ = ("_bare", "_fresh")

    def __init__(self) -> None:
        super().__init__()
        self._bare = b""
        self._fresh = True

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that ``data`` completes; bare JSON is one of them."""
        starts = self._fresh and data.startswith((b"{", b"["))
        if self._bare or starts or (_suspect(data) and (b"\n{" in data or b"\n[" in data)):
            return self._outside(data)
        self._fresh = data.endswith(b"\n")
        return SseParser.feed(self, data)

    def _outside(self, data: bytes) -> list[bytes]:
        events: list[bytes] = []
        if not self._bare and not (self._fresh and data.startswith((b"{", b"["))):
            found = (data.find(opening) for opening in (b"\n{", b"\n["))
            start = min(at for at in found if at >= 0) + 1
            events, data = SseParser.feed(self, data[:start]), data[start:]
        self._bare += data
        text = self._bare.decode("utf-8", "surrogateescape")
        try:
            end = json.JSONDecoder().raw_decode(text)[1]
        except (ValueError, RecursionError):
            if len(self._bare) <= LONGEST_ERROR:
                return events
            end = len(text)
        self._bare = b""
        self._fresh = False
        events.append(text[:end].encode("utf-8", "surrogateescape"))
        rest = text[end:].encode("utf-8", "surrogateescape")
        return events + self.feed(rest) if rest else events


def _suspect(data: bytes) -> bool:
    """Whether bare JSON may begin within: not where whole events and no error are all there is."""
    return b'"error"' in data or not data.endswith((b"\r\n\r\n", b"\n\n"))
