"""From ``-o`` and its flags to a sink: lock, look, drop a torn line, append."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ..errors import ConfigError, SinkError
from ..model import Result
from ..records import ENCODERS, Format, read
from ..spans import SpanTable
from .done import TableFull
from .file import FileSink
from .held import HeldFile
from .ordered import OrderedSink
from .outputlines import OutputLines
from .problems import unopened
from .resume import ResumeIndex
from .stream import StreamSink
from .tidy import InputOrder

Output = FileSink | StreamSink | OrderedSink
"""What :func:`open_output` gives: a Sink that is told of each row, and when the job is done."""

BEGIN = b'{"id":"'
"""How every result line begins."""


def open_output(
    path: str,
    *,
    line_format: Format = "jsonl",
    encode: Callable[[Result], bytes] | None = None,
    order: Literal["finish", "input"] = "finish",
    fresh: bool = False,
    force: bool = False,
    room: int = 1024,
    first: Sequence[int] = (),
    asked: SpanTable | None = None,
) -> Output:
    """Open an output, ``-`` for standard output; takes seconds where a million lines are in it.

    ``encode`` is the way of a stream to write a result, where it is another one.
    ``room`` is the number of rows that a stream in the input's order may have open, ``first`` are
    the places in the input, from 0, of rows that a file is told of before all others.
    ``asked`` is filled with where answers stand, in a file whose lines can be read back.
    Raises ConfigError where the flags and what the file holds do not agree, OutputLocked and
    SinkError.
    """
    place = Path(path)
    asked = asked if line_format == "jsonl" else None
    encode = encode or ENCODERS[line_format]
    if path == "-":
        stream = StreamSink(1, "standard output", encode)
    elif is_special(place):
        try:
            fd = os.open(place, os.O_WRONLY)
        except OSError as error:
            raise unopened(error, place) from error
        stream = StreamSink(fd, path, encode, owned=True)
    elif path.endswith("/") and not place.is_dir():
        raise SinkError(
            f"{path}: names a folder: name a file in it, such as {place / 'results.jsonl'}"
        )
    else:
        file = HeldFile(place)
        try:
            index = ResumeIndex(asked, numbered=order == "input")
            if fresh:
                start_over(file, force)
            else:
                take_up(file, line_format, index)
        except BaseException:
            file.close()
            raise
        return FileSink(file, index, encode, InputOrder(first) if order == "input" else None)
    return OrderedSink(stream, room) if order == "input" else stream


def is_special(path: Path) -> bool:
    """Whether it is a pipe or a device: nothing that can be locked, synced or resumed."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_stream(path: str) -> bool:
    """Whether what is written there stays as it is: standard output, a pipe or a device."""
    return path == "-" or is_special(Path(path))


def start_over(file: HeldFile, force: bool) -> None:
    """Empty the file. Raises ConfigError where it holds something and ``force`` is not given."""
    if file.size:
        if not force:
            raise ConfigError(
                f"{file.path}: --fresh would overwrite {file.size:,} bytes that it holds: "
                "add --force to do so, or leave out --fresh to go on where it stopped"
            )
        file.replace(())


def take_up(file: HeldFile, line_format: Format, index: OutputLines) -> None:
    """Read what the file holds already, and drop the line that was torn when a run was killed.

    Raises SinkError where that is not results, ConfigError where they are of another format.
    """
    try:
        index.read(file.fd)
    except TableFull as error:
        raise SinkError(
            f"{file.path}: another program adds lines to it while they are read: stop that one, "
            "or name another output (-o)"
        ) from error
    torn = agrees(index, file.path, line_format)
    if torn:
        file.replace([(0, index.size)])
    elif index.tail:
        file.append(b"\n")
        index.end_tail()


def agrees(index: OutputLines, path: Path, line_format: Format) -> bool:
    """Whether an unended last line is a torn one, of a file that this run can go on with.

    Raises SinkError where what it holds is not results, ConfigError where they are of another
    format.
    """
    torn = bool(index.tail) and is_torn(index.tail)
    whole = read(index.tail) is not None  # but for its line feed
    if not (index.readable or whole) and (index.unreadable or (index.tail and not torn)):
        raise SinkError(
            f"{path}: exists, but no line of it is a result: name another output (-o), "
            "or overwrite it with --fresh --force"
        )
    if index.formats - {line_format}:
        other = ", ".join(sorted(index.formats - {line_format}))
        raise ConfigError(
            f"{path}: holds lines in --format {other}, and this run writes {line_format}: "
            "use the same format, or name another output (-o)"
        )
    return torn


def is_torn(tail: bytes) -> bool:
    """Whether an unended last line is the beginning of one that this tool wrote, or only zeros.

    Zeros are what a file system may leave after a power failure.
    """
    if not tail.strip(b"\0"):
        return True
    return BEGIN.startswith(tail[: len(BEGIN)]) and not _is_json(tail)


def _is_json(tail: bytes) -> bool:
    if read(tail) is not None:
        return True
    try:
        msgspec.json.decode(tail)
    except (ValueError, RecursionError):
        return False
    return True
