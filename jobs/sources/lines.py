"""A binary stream cut into numbered lines: linear in time, flat in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from .stored import read_some

BLOCK = 1 << 18
LONGEST = 1 << 30
"""Bytes; a longer line is taken for a file that has no lines."""

LONG = 4096
"""Bytes of a first line of a block, from which on its lines are looked for one by one."""

Lines = list[tuple[int, bytes]]
"""(1-based number, line without its end), blank lines left out."""

FOREIGN = {
    b"\x1f\x8b": "it is gzip data: give the file a name that ends in .gz, or pipe it through zcat",
    b"\x28\xb5\x2f\xfd": "it is zstd data: give the file a name that ends in .zst, "
    "or pipe it through zstdcat",
    b"\xff\xfe": "it is UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16 text: save it as UTF-8",
    b"PAR1": "it is Parquet data: give the file a name that ends in .parquet",
}
"""How files begin that hold no lines of text, and what to do with them."""


class NotLines(ValueError):
    """The stream is no text in lines; ``str()`` says what it seems to be."""


class LineReader:
    """Iterates over the blocks of a stream as lists of numbered lines.

    A block is handed over as soon as it arrives, so a slow pipe delays nothing. Lines end in LF or
    CR LF; a BOM at the start is dropped; blank lines are counted but not handed over.
    ``reached`` is the number of the line that is being read.
    """

    __slots__ = ("_block", "_longest", "_stream", "reached")

    def __init__(self, stream: BinaryIO, *, block: int = BLOCK, longest: int = LONGEST) -> None:
        self._stream = stream
        self._block = block
        self._longest = longest
        self.reached = 1

    def __repr__(self) -> str:
        return f"LineReader(at line {self.reached})"

    def __iter__(self) -> Iterator[Lines]:
        begun: list[bytes] = []  # the pieces of a line whose end has not arrived
        size = 0
        for data in self._blocks():
            end = data.rfind(b"\n")
            if end < 0:
                begun.append(data)
                size += len(data)
                if size > self._longest:
                    raise NotLines(f"the line is longer than {self._longest >> 20} MB")
                continue
            begun.append(data[:end])
            if lines := self._cut(b"".join(begun)):
                yield lines
            begun = [data[end + 1 :]]
            size = len(begun[0])
        if lines := self._cut(b"".join(begun)):
            yield lines

    def _blocks(self) -> Iterator[bytes]:
        data = self._first()
        for magic, advice in FOREIGN.items():
            if data.startswith(magic):
                raise NotLines(advice)
        data = data.removeprefix(b"\xef\xbb\xbf")
        while data:
            yield data
            data = self._read()

    def _first(self) -> bytes:
        """The first block, long enough to tell a BOM."""
        data = piece = self._read()
        while piece and len(data) < 4:
            piece = self._read()
            data += piece
        return data

    def _read(self) -> bytes:
        return read_some(self._stream, self._block)

    def _cut(self, text: bytes) -> Lines:
        parts = _split(text)
        first = self.reached
        self.reached += len(parts)
        if b"\r" in text:
            parts = [part.removesuffix(b"\r") for part in parts]
        if all(parts) and not any(map(bytes.isspace, parts)):
            return list(enumerate(parts, first))
        return [
            (number, part)
            for number, part in enumerate(parts, first)
            if part and not part.isspace()
        ]


def _split(text: bytes) -> list[bytes]:
    """The same as splitting at each LF, which of long lines takes several times as long."""
    end = text.find(b"\n")
    if end < LONG:
        return text.split(b"\n")
    parts = []
    begin = 0
    while end >= 0:
        parts.append(text[begin:end])
        begin = end + 1
        end = text.find(b"\n", begin)
    parts.append(text[begin:])
    return parts
