"""From what the user typed to the inputs of a job: files, globs, standard input."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from ..errors import ConfigError, SourceError
from .formats import FORMATS, JSONL, Format
from .globs import expand_pattern, is_pattern, no_match
from .lines import LineReader, Lines, NotLines
from .stored import STDIN, explain, faults, is_regular, open_raw, suffixes, unpack

_RESULTS = ".results"


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

    def blocks(self) -> Iterator[Lines]:
        """Numbered lines, block by block. Raises SourceError with the line reached."""
        reader: LineReader | None = None
        expected: tuple[type[Exception], ...] = (*faults(self.compression), NotLines)
        try:
            with open_raw(self.path) as raw:
                reader = LineReader(unpack(raw, self.compression))
                yield from reader
        except expected as error:
            line = None if reader is None else reader.reached
            why = str(error) if isinstance(error, NotLines) else explain(error, self.compression)
            raise SourceError(why, path=self.path, line=line) from error


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
    if not is_pattern(pattern):
        return [pattern]
    paths = expand_pattern(pattern)
    if f"{_RESULTS}." not in pattern:
        paths = [path for path in paths if f"{_RESULTS}." not in Path(path).name]
    if not paths:
        raise no_match(pattern)
    return paths


def _input(path: str) -> Input:
    if path == STDIN:
        return Input(path, rereadable=False)
    suffix, compression = suffixes(path)
    try:
        return Input(path, suffix, compression, rereadable=is_regular(path))
    except IsADirectoryError:
        raise SourceError(
            f"is a folder: name its files, as in {path.rstrip('/')}/*.jsonl", path=path
        ) from None
