"""Text of any size, block by block: prose, Markdown, source code, JSON, logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...errors import SourceError
from ...model import DocumentFacts
from .coding import Decoder, lost
from .document import Block, Kind
from .encoding import SAMPLE, Found, NotText, check_nuls, declared, detect
from .stream import Stream

BLOCK = 1 << 17
"""Bytes of a block."""

EMPTY = "there is no text in it"

Label = Callable[[bytes], str | None]
"""What the beginning of a document says of its own encoding."""


class Decoded:
    """A stream's text, with all that is known of its encoding. Raises SourceError."""

    __slots__ = (
        *("_block", "_nuls", "_sample", "_stream", "_whole", "bytes", "first_lost", "found"),
        "lost",
    )

    def __init__(
        self, stream: Stream, given: str | None, *, label: Label = declared, block: int = BLOCK
    ) -> None:
        self._stream = stream
        self._block = block
        self._nuls = 0
        self.bytes = 0
        self.lost = 0
        self.first_lost: int | None = None
        self._sample = stream.fill(SAMPLE)
        self._whole = len(self._sample) < SAMPLE
        try:
            self.found: Found = detect(
                self._sample, whole=self._whole, given=given, label=label(self._sample)
            )
        except NotText as error:
            raise SourceError(str(error), path=stream.name) from None

    def __repr__(self) -> str:
        return f"Decoded({self._stream.name}, {self.found.coding.name}, {self.bytes:,} bytes)"

    def beginning(self) -> str:
        """The text of the sample, before :meth:`text` is asked."""
        decoder = self.found.coding.decoder()
        return decoder.decode(self._sample[self.found.mark :], self._whole).text

    def text(self) -> Iterator[str]:
        """In order, once; a CR LF is never parted."""
        decoder = self.found.coding.decoder()
        held = ""
        for data in self._pieces():
            held = held + self._decode(decoder, data, final=False)
            keep = held.endswith("\r")
            text, held = held[: len(held) - keep], held[len(held) - keep :]
            if text:
                yield text
        if held := held + self._decode(decoder, b"", final=True):
            yield held

    def _pieces(self) -> Iterator[bytes]:
        at = self.found.mark
        self._nuls = self._sample.count(0)
        while at < len(self._sample):
            yield self._sample[at : at + self._block]
            at += self._block
        place, self._sample = len(self._sample), b""
        while not self._whole and (data := self._stream.read(self._block)):
            if b"\0" in data and not self._wide:
                self._check_nuls(data, place)
            place += len(data)
            yield data

    @property
    def _wide(self) -> bool:
        return self.found.coding.name.startswith(("utf-16", "utf-32"))

    def _check_nuls(self, data: bytes, place: int) -> None:
        self._nuls += data.count(0)
        try:
            check_nuls(data, self._nuls, place + len(data), place)
        except NotText as error:
            raise SourceError(str(error), path=self._stream.name) from None

    def _decode(self, decoder: Decoder, data: bytes, *, final: bool) -> str:
        piece = decoder.decode(data, final)
        text = piece.text
        damaged = piece.damaged
        if "\0" in text and not self._wide:  # of one byte: no model is sent what C takes for an end
            text, damaged = text.replace("\0", "\udc00"), True
        if damaged and (places := lost(text)):
            self.lost += len(places)
            if self.first_lost is None:
                before = self.found.coding.width(text[: places[0]])
                self.first_lost = self.found.mark + self.bytes + before
        self.bytes += piece.width
        return text


class TextReading:
    """See :class:`.document.Reading`; the text as it stands, newlines and all."""

    __slots__ = ("_characters", "_decoded", "_format", "_path", "first_byte", "kind", "title")

    def __init__(self, decoded: Decoded, path: str, title: str, kind: Kind, form: str) -> None:
        self._decoded = decoded
        self._path = path
        self._format = form
        self._characters = 0
        self.title = title
        self.kind: Kind = kind
        self.first_byte = decoded.found.mark

    def __repr__(self) -> str:
        return f"TextReading({self._path}, {self.kind}, {self._characters:,} characters so far)"

    def blocks(self) -> Iterator[Block]:
        for text in self._decoded.text():
            self._characters += len(text)
            yield Block(text)
        if not self._characters:
            raise SourceError(EMPTY, path=self._path)

    def width(self, text: str) -> int:
        return self._decoded.found.coding.width(text)

    def facts(self) -> DocumentFacts:
        return DocumentFacts(
            path=self._path,
            title=self.title,
            format=self._format,
            bytes=self._decoded.bytes,
            characters=self._characters,
            encoding=self._decoded.found.coding.name,
            encoding_from=self._decoded.found.how,
            undecodable=self._decoded.lost,
            first_undecodable=self._decoded.first_lost,
        )
