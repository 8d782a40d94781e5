"""From what the user typed to the inputs of a job: files, globs, standard input."""

from __future__ import annotations

import glob
import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from msgspec import Struct

from ..errors import ConfigError, SourceError
from .formats import FORMATS, JSONL, Format
from .lines import LineReader, Lines, NotLines

STDIN = "-"
_RESULTS = ".results"


def _zstd() -> Any:
    """The zstd module: in the standard library since Python 3.14, a backport before."""
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # new in 3.14
    except ImportError:
        from backports import zstd
    return zstd


def _open_gzip(raw: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))


def _open_zstd(raw: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, _zstd().ZstdFile(raw, mode="rb"))


COMPRESSIONS: Mapping[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": _open_gzip,
    ".zst": _open_zstd,
}


class Input(Struct, frozen=True):
    """One input. ``path`` is as the user gave it, ``-`` is standard input.

    ``suffix`` names the format, ``compression`` is ``.gz``, ``.zst`` or empty. ``rereadable`` is
    False for what can be read only once: standard input, a named pipe.
    """

    path: str
    suffix: str = ".jsonl"
    compression: str = ""
    rereadable: bool = True

    @property
    def format(self) -> Format:
        return FORMATS.get(self.suffix, JSONL)

    def open(self) -> BinaryIO:
        """The bytes as stored, unbuffered: a read returns what is there. Raises OSError."""
        if self.path == STDIN:
            # Not sys.stdin: a thread that waits in its buffer would abort the interpreter's exit.
            return cast(BinaryIO, open(0, "rb", buffering=0, closefd=False))
        return cast(BinaryIO, open(self.path, "rb", buffering=0))

    def blocks(self) -> Iterator[Lines]:
        """Numbered lines, block by block. Raises SourceError with the line reached."""
        reader: LineReader | None = None
        try:
            with self.open() as raw:
                unpack = COMPRESSIONS.get(self.compression)
                reader = LineReader(raw if unpack is None else unpack(raw))
                yield from reader
        except self._errors() as error:
            line = None if reader is None else reader.reached
            raise SourceError(self._explain(error), path=self.path, line=line) from error

    def _errors(self) -> tuple[type[Exception], ...]:
        known = (OSError, EOFError, NotLines, zlib.error)
        return (*known, _zstd().ZstdError) if self.compression == ".zst" else known

    def _explain(self, error: Exception) -> str:
        if isinstance(error, NotLines):
            return str(error)
        if isinstance(error, EOFError):
            return f"the {self.compression} data ends too early: the file was cut short"
        if isinstance(error, OSError) and error.errno is not None:
            return f"can't be read: {error.strerror}"
        return f"the {self.compression} data is damaged ({error}): make the file again"


def expand(patterns: Sequence[str]) -> tuple[Input, ...]:
    """The inputs that ``patterns`` (files, globs, ``-``) name, in order, each once.

    Raises ConfigError where there are none, and SourceError for what can't be read: a folder, a
    missing or unreadable file, a glob without a match. A glob leaves out ``*.results.*``, the
    outputs of earlier runs, unless it names them.
    """
    found: dict[str, Input] = {}
    for pattern in patterns:
        for path in _matches(pattern):
            source = _input(path)
            found.setdefault(path if path == STDIN else os.path.realpath(path), source)
    if not found:
        raise ConfigError("no input: name a file, a glob, or - for standard input")
    return tuple(found.values())


def default_output(inputs: Sequence[Input]) -> str | None:
    """``prompts.results.jsonl`` beside ``prompts.jsonl``; ``-`` for a pipe; None for several."""
    if len(inputs) != 1:
        return None
    (only,) = inputs
    if not only.rereadable:
        return STDIN
    stem = only.path.removesuffix(only.compression)
    if only.suffix in FORMATS:
        stem = stem.removesuffix(only.suffix)
    return f"{stem}{_RESULTS}.jsonl"


def _matches(pattern: str) -> list[str]:
    if pattern == STDIN or os.path.lexists(pattern) or not glob.has_magic(pattern):
        return [pattern]
    every = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    paths = [path for path in sorted(every) if not Path(path).is_dir()]
    if f"{_RESULTS}." not in pattern:
        paths = [path for path in paths if f"{_RESULTS}." not in Path(path).name]
    if not paths:
        raise SourceError("no file matches: check the pattern", path=pattern)
    return paths


def _input(path: str) -> Input:
    if path == STDIN:
        return Input(path, rereadable=False)
    name = Path(path)
    compression = name.suffix if name.suffix in COMPRESSIONS else ""
    suffix = (name.with_suffix("") if compression else name).suffix
    return Input(path, suffix, compression, rereadable=_is_regular(path))


def _is_regular(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(
                f"is a folder: name its files, as in {path.rstrip('/')}/*.jsonl", path=path
            )
        if not stat.S_ISREG(mode):
            return False
        with open(path, "rb"):
            return True
    except FileNotFoundError:
        raise SourceError("no such file: check the name and the folder", path=path) from None
    except PermissionError:
        raise SourceError("no permission to read it: check its owner and mode", path=path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"can't be read: {reason}", path=path) from None
