"""From what the user typed to documents: files, folders, globs, standard input."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from ...errors import ConfigError, SourceError
from ..globs import expand_pattern, is_folder, is_pattern, walk
from ..stored import STDIN, is_regular
from .document import Document
from .encoding import check_encoding
from .forms import File, text_size

_OWN = re.compile(r"\.(?:analysis|results)\.|\.manifest\.json$")


class Skipped(Struct, frozen=True):
    """A file of a folder or a glob that is no document, and why."""

    path: str
    reason: str


class Found(Struct, frozen=True):
    """Every document once, in the order of the paths; and what was left out."""

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...] = ()


def find(
    paths: Sequence[str], *, encoding: str | None = None, outputs: Sequence[str] = ()
) -> Found:
    """The documents that ``paths`` (files, folders, globs, ``-``) name.

    ``encoding`` is the user's word for all of them. Folders and globs leave out hidden files, and
    what earlier runs wrote (``*.analysis.*``, ``*.results.*``, ``*.manifest.json``, and
    ``outputs``, the paths of this run), unless a pattern names it. Each file is opened and its
    beginning is read: what can't be is an error where the user named it, else it is skipped.

    Raises ConfigError where there are no paths, the encoding is none, or an extra is missing; and
    SourceError for what can't be read, and for a folder or a pattern without a document.
    """
    if encoding is not None:
        check_encoding(encoding)
    if not paths:
        raise ConfigError("no document: name a file, a folder, a glob, or - for standard input")
    finder = _Finder(encoding, outputs)
    for path in paths:
        finder.take(path)
    return Found(tuple(finder.documents.values()), tuple(finder.skipped.values()))


class _Finder:
    __slots__ = ("_encoding", "_outputs", "documents", "skipped")

    def __init__(self, encoding: str | None, outputs: Sequence[str]) -> None:
        self._encoding = encoding
        self._outputs = {os.path.realpath(path) for path in outputs}
        self.documents: dict[str, File] = {}
        self.skipped: dict[str, Skipped] = {}

    def __repr__(self) -> str:
        return f"<_Finder, {len(self.documents)} documents, {len(self.skipped)} skipped>"

    def take(self, path: str) -> None:
        if path == STDIN:
            self.documents[STDIN] = File(STDIN, encoding=self._encoding)
        elif is_pattern(path):
            own = bool(_OWN.search(path))
            self._many(path, (p for p in expand_pattern(path) if own or not self._is_own(p)))
        elif is_folder(path):
            self._many(path, (p for p in self._walk(path) if not self._is_own(p)))
        else:
            self._add(path)

    def _walk(self, folder: str) -> Iterator[str]:
        def refused(path: str, error: OSError) -> None:
            if path == folder:
                raise SourceError(f"can't be listed: {error.strerror}", path=path) from error
            self._skip(path, f"can't be listed: {error.strerror}")

        return walk(folder, refused=refused)

    def _many(self, where: str, paths: Iterator[str]) -> None:
        taken, before = 0, len(self.skipped)
        for path in paths:
            try:
                self._add(path, named=False)
                taken += 1
            except SourceError as error:
                self._skip(path, str(error).removeprefix(f"{path}: "))
        if not taken:
            skipped = list(self.skipped.values())[before:]
            why = "" if not skipped else f": {len(skipped):,} skipped, {_first(skipped)}"
            raise SourceError(f"there is no document in it{why}", path=where)

    def _add(self, path: str, *, named: bool = True) -> None:
        regular = is_regular(path)
        real = os.path.realpath(path)
        if real in self.documents:
            return
        if not regular and not named:
            raise SourceError("is no regular file", path=path)
        document = File(path, encoding=self._encoding)
        if regular:
            with document.open() as reading:
                next(reading.blocks(), None)
                document.size = text_size(path, reading)
        self.documents[real] = document
        self.skipped.pop(real, None)

    def _skip(self, path: str, reason: str) -> None:
        self.skipped[os.path.realpath(path)] = Skipped(path, reason)

    def _is_own(self, path: str) -> bool:
        return bool(_OWN.search(Path(path).name)) or os.path.realpath(path) in self._outputs


def _first(skipped: Sequence[Skipped]) -> str:
    return f"the first is {skipped[0].path} ({skipped[0].reason})"
