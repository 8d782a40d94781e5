"""From what the user typed to the inputs of a job: files, globs, standard input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from ..errors import ConfigError, SourceError
from .formats import JSONL, TEXT, Format
from .globs import expand_pattern, is_pattern, no_match
from .lines import LineReader, Lines, NotLines
from .stored import STDIN, explain, faults, is_regular, open_raw, suffixes, unpack
from .tables.delimited import DelimitedReader
from .tables.parquet import ParquetReader, parquet_columns
from .tables.row import CSV, PARQUET, TSV

FORMATS: Mapping[str, Format] = {
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".json": JSONL,
    ".txt": TEXT,
    ".csv": CSV,
    ".tsv": TSV,
    ".parquet": PARQUET,
}
"""The format of a suffix; any other suffix is JSONL."""

_RESULTS = ".results"
_MANIFEST = ".manifest.json"
_JOURNALS = (".csv.jsonl", ".tsv.jsonl", ".parquet.jsonl")


_DELIMITED: Mapping[str, Callable[[BinaryIO], DelimitedReader]] = {
    "csv": lambda stream: DelimitedReader(stream, ","),
    "tsv": lambda stream: DelimitedReader(stream, "\t"),
}
_SUFFIXES: Mapping[str, str] = {"text": ".txt"}


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
        return FORMATS.get(self.suffix.lower(), JSONL)

    def columns(self) -> Sequence[str]:
        """The names of a table's columns; none of what is no table. Raises SourceError."""
        if not self.format.table:
            return ()
        expected: tuple[type[Exception], ...] = (*faults(self.compression), NotLines)
        try:
            if self.format is PARQUET:
                return parquet_columns(self.path)
            with open_raw(self.path) as raw:
                return _DELIMITED[self.format.name](unpack(raw, self.compression)).header()
        except expected as error:
            why = str(error) if isinstance(error, NotLines) else explain(error, self.compression)
            line = None if self.format is PARQUET or not isinstance(error, NotLines) else 1
            raise SourceError(why, path=self.path, line=line) from error

    def blocks(self) -> Iterator[Lines]:
        """Numbered lines, block by block. Raises SourceError with the line reached."""
        reader: LineReader | DelimitedReader | ParquetReader | None = None
        expected: tuple[type[Exception], ...] = (*faults(self.compression), NotLines)
        try:
            if self.format is PARQUET:
                reader = ParquetReader(self.path)
                yield from reader
                return
            with open_raw(self.path) as raw:
                stream = unpack(raw, self.compression)
                reader = _DELIMITED.get(self.format.name, LineReader)(stream)
                yield from reader
        except expected as error:
            line = None if reader is None else reader.reached
            why = str(error) if isinstance(error, NotLines) else explain(error, self.compression)
            raise SourceError(why, path=self.path, line=line) from error


def expand(patterns: Sequence[str], form: str | None = None) -> tuple[Input, ...]:
    """The inputs that ``patterns`` (files, globs, ``-``) name, in order, each once.

    ``form`` is the format of all of them, whatever their names say.

    Raises ConfigError where there are none, and SourceError for what can't be read: a folder, a
    missing or unreadable file, a glob without a match. A glob leaves out ``*.results.*``,
    ``*.csv.jsonl`` and its like (what a table was made of) and ``*.manifest.json``, the outputs of
    earlier runs, unless it names them.
    """
    found: dict[str, Input] = {}
    for pattern in patterns:
        for path in _matches(pattern):
            source = _input(path, form)
            found.setdefault(path if path == STDIN else os.path.realpath(path), source)
    if not found:
        raise ConfigError("no input: name a file, a glob, or - for standard input")
    return tuple(found.values())


def default_output(inputs: Sequence[Input], form: str = "jsonl") -> str | None:
    """``prompts.results.jsonl`` beside ``prompts.jsonl``; ``-`` for a pipe; None for several."""
    if len(inputs) != 1:
        return None
    (only,) = inputs
    if not only.rereadable:
        return STDIN
    suffix, compression = suffixes(only.path)
    stem = only.path.removesuffix(compression)
    if suffix.lower() in FORMATS:
        stem = stem.removesuffix(suffix)
    return f"{stem}{_RESULTS}.{form}"


def _matches(pattern: str) -> list[str]:
    if not is_pattern(pattern):
        return [pattern]
    paths = expand_pattern(pattern)
    if f"{_RESULTS}." not in pattern:
        paths = [path for path in paths if f"{_RESULTS}." not in Path(path).name]
    if not pattern.endswith(_JOURNALS):
        paths = [path for path in paths if not path.endswith(_JOURNALS)]
    if _MANIFEST not in pattern:
        paths = [path for path in paths if not path.endswith(_MANIFEST)]
    if not paths:
        raise no_match(pattern)
    return paths


def _input(path: str, form: str | None) -> Input:
    given = None if form is None else _SUFFIXES.get(form, f".{form}")
    if path == STDIN:
        source = Input(path, given or ".jsonl", rereadable=False)
    else:
        suffix, compression = suffixes(path)
        try:
            source = Input(path, given or suffix, compression, rereadable=is_regular(path))
        except IsADirectoryError:
            raise SourceError(
                f"is a folder: name its files, as in {path.rstrip('/')}/*.jsonl", path=path
            ) from None
    if source.format is PARQUET and (source.compression or not source.rereadable):
        why = "is compressed as a whole: unpack it" if source.compression else "can't be piped"
        raise SourceError(f"a Parquet file {why}: save it to a file ending in .parquet", path=path)
    return source
