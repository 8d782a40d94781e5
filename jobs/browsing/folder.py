"""The results files of a folder, and what their manifests say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ..manifest.manifest import LARGEST, MAKER, SUFFIX, Manifest, manifest_path
from ..records import read
from .below import NotThere, open_below, read_below

DEEPEST = 6
MOST_ENTRIES = 50_000
MOST_FILES = 2_000
HEAD = 64 << 10
"""Bytes of a file that are looked at to see whether it holds results."""

_LIKE_A_RESULT = re.compile(rb'\s*\{\s*"id"\s*:.*"(fingerprint|custom_id)"\s*:', re.DOTALL)


class ResultsFile(Struct, frozen=True, kw_only=True):
    """A file of results: ``file`` is its path below the folder, ``mtime`` in seconds of the epoch.

    ``manifest`` is that of its job, None where there is none that can be read.
    """

    file: str
    path: str
    bytes: int
    mtime: float
    manifest: Manifest | None

    @property
    def running(self) -> bool:
        """Whether its job is still at it, as far as the manifest knows."""
        found = self.manifest
        return found is not None and found.state in ("running", "tidying") and found.alive


class Listing(Struct, frozen=True):
    """What was found; ``note`` says what was not looked at."""

    files: list[ResultsFile]
    note: str | None = None


class Folder:
    """A folder and what was found in it so far, so that looking again costs little.

    Hidden files and folders are no results, and no link is followed. It is for one thread at a
    time, except :meth:`open`.
    """

    __slots__ = ("_heads", "_manifests", "root")

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self._heads: dict[str, tuple[tuple[int, ...], bool]] = {}
        self._manifests: dict[str, tuple[tuple[int, ...], Manifest | None]] = {}

    def __repr__(self) -> str:
        return f"Folder({str(self.root)!r})"

    def open(self, file: str) -> int:
        """The descriptor of that results file. Raises NotThere, for a file of anything else too."""
        fd = open_below(self.root, file)
        try:
            if not _holds_results(os.pread(fd, HEAD, 0)) and self.manifest(file) is None:
                raise NotThere(f"{file!r} holds no results")
        except OSError as error:
            os.close(fd)
            raise NotThere(f"can't read {file!r}: {error.strerror}") from None
        except BaseException:
            os.close(fd)
            raise
        return fd

    def manifest(self, file: str) -> Manifest | None:
        """What was written beside that results file; None where there is none to be read."""
        beside = manifest_path(self.root / file).name
        place = "/".join([*file.split("/")[:-1], beside])
        try:
            return _manifest(read_below(self.root, place, LARGEST))
        except NotThere:
            return None

    def results(self) -> Listing:
        """All that are there by now, the newest first. It blocks."""
        files: list[ResultsFile] = []
        walk = _Walk(self.root)
        for place, entry, beside in walk:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            manifest = self._manifest_of(place, beside)
            if manifest is None and not self._is_results(place, status):
                continue
            path = str(self.root / place)
            files.append(
                ResultsFile(
                    file=place,
                    path=path,
                    bytes=status.st_size,
                    mtime=status.st_mtime,
                    manifest=manifest,
                )
            )
        files.sort(key=lambda each: each.mtime, reverse=True)
        note = walk.note
        if len(files) > MOST_FILES:
            note = f"only the newest {MOST_FILES:,} of {len(files):,} results files are shown"
        return Listing(files[:MOST_FILES], note)

    def _manifest_of(self, place: str, beside: Mapping[str, os.DirEntry[str]]) -> Manifest | None:
        entry = beside.get(manifest_path(self.root / place).name)
        if entry is None:
            return None
        try:
            mark = _mark(entry.stat(follow_symlinks=False))
        except OSError:
            return None
        known = self._manifests.get(place)
        if known is None or known[0] != mark:
            known = self._manifests[place] = (mark, self.manifest(place))
        return known[1]

    def _is_results(self, place: str, status: os.stat_result) -> bool:
        """What holds results once, does so until it is another file."""
        if not place.endswith(".jsonl"):
            return False
        known = self._heads.get(place)
        mark = _mark(status)
        if known is None or (known[0] != mark and not (known[1] and known[0][0] == mark[0])):
            try:
                found = _holds_results(read_below(self.root, place, HEAD))
            except NotThere:
                found = False
            known = self._heads[place] = (mark, found)
        return known[1]


class _Walk:
    """The plain files below a folder, as deep and as many as may be; ``note`` says what is not."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._left = MOST_ENTRIES
        self.note: str | None = None

    def __iter__(self) -> Iterator[tuple[str, os.DirEntry[str], Mapping[str, os.DirEntry[str]]]]:
        """Path below the folder, the file, and what is beside it by name."""
        waiting = [("", 0)]
        while waiting:
            place, depth = waiting.pop()
            here = dict(self._entries(place))
            for name, entry in here.items():
                if name.startswith(".") or not _utf8(name):
                    continue
                if entry.is_file(follow_symlinks=False):
                    if not name.endswith(SUFFIX):
                        yield place + name, entry, here
                elif entry.is_dir(follow_symlinks=False):
                    if depth < DEEPEST:
                        waiting.append((f"{place}{name}/", depth + 1))
                    else:
                        self.note = f"folders more than {DEEPEST} levels down are not looked at"

    def _entries(self, place: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        try:
            with os.scandir(self._root / place) as entries:
                for entry in entries:
                    if not self._left:
                        self.note = f"only the first {MOST_ENTRIES:,} files were looked at"
                        return
                    self._left -= 1
                    yield entry.name, entry
        except OSError:  # gone meanwhile, or not ours to read
            return


def _holds_results(head: bytes) -> bool:
    line, feed, _ = head.partition(b"\n")
    if feed:
        return read(line) is not None
    return _LIKE_A_RESULT.match(line) is not None  # its first line is longer, or not whole yet


def _manifest(data: bytes) -> Manifest | None:
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError):
        return None
    return found if found.manifest.startswith(MAKER) else None


def _mark(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
