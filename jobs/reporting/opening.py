"""The lines of a results file: of a table those of its journal; unpacked; the end as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import SourceError
from ..sources.lines import LineReader, Lines, NotLines
from ..sources.stored import (
    STDIN,
    explain,
    faults,
    is_regular,
    open_raw,
    read_some,
    suffixes,
    unpack,
)

TABLES = (".csv", ".tsv", ".parquet")


def lines_of(path: str) -> str:
    """Where the result lines of that output stand: for a table in the file it was made of.

    Raises SourceError where that is not there.
    """
    if not path.lower().endswith(TABLES):
        return path
    journal = f"{path}.jsonl"
    if Path(journal).is_file():
        return journal
    raise SourceError(
        f"is a table, which has no times; {journal}, which it was made of, is not there: "
        "report a file of result lines",
        path=path,
    )


class ResultLines:
    """The numbered lines of ``path`` (``-``: standard input), block by block, in flat memory.

    ``torn`` says after the last block that the last line has no end. ``bytes`` were read,
    unpacked. Raises SourceError while it is iterated over.
    """

    __slots__ = ("_stream", "compression", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.compression = ""
        self._stream: _Ending | None = None
        if path != STDIN:
            self.compression = suffixes(path)[1]
            try:
                is_regular(path)
            except IsADirectoryError:
                raise SourceError("is a folder: name a results file in it", path=path) from None

    def __repr__(self) -> str:
        return f"<ResultLines of {self.path}, {self.bytes} bytes read>"

    @property
    def bytes(self) -> int:
        return self._stream.size if self._stream else 0

    @property
    def torn(self) -> bool:
        return self._stream is not None and self._stream.size > 0 and self._stream.last != b"\n"

    def __iter__(self) -> Iterator[Lines]:
        reader: LineReader | None = None
        expected: tuple[type[Exception], ...] = (*faults(self.compression), NotLines)
        try:
            with open_raw(self.path) as raw:
                self._stream = _Ending(unpack(raw, self.compression))
                reader = LineReader(cast(BinaryIO, self._stream))
                yield from reader
        except expected as error:
            why = str(error) if isinstance(error, NotLines) else explain(error, self.compression)
            line = None if reader is None else reader.reached
            raise SourceError(why, path=self.path, line=line) from error


class _Ending:
    """A stream that knows how much of it was read, and what the last byte was."""

    __slots__ = ("_stream", "last", "size")

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.last = b""
        self.size = 0

    def read(self, size: int) -> bytes:
        data = read_some(self._stream, size)
        if data:
            self.last = data[-1:]
            self.size += len(data)
        return data
