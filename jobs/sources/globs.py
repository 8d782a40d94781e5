"""Patterns and folders to files: sorted, and finite whatever links there are."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import SourceError
from .stored import STDIN

Refused = Callable[[str, OSError], None]


def is_pattern(path: str) -> bool:
    """Whether it has to be expanded; a file whose name looks like a pattern is a file."""
    return path != STDIN and glob.has_magic(path) and not os.path.lexists(path)


def is_folder(path: str) -> bool:
    """False also where the system will not say: a name too long, no permission on the way."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises then


def expand_pattern(pattern: str) -> list[str]:
    """The files that it matches, sorted, without the folders; hidden ones only where it says so.

    Raises SourceError where there are none.
    """
    if "**" in pattern.split("/"):
        paths = sorted(_deep(pattern))
    else:
        paths = [path for path in sorted(glob.glob(pattern)) if not is_folder(path)]  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not paths:
        raise no_match(pattern)
    return paths


def no_match(pattern: str) -> SourceError:
    return SourceError("no file matches: check the pattern", path=pattern)


def walk(folder: str, *, hidden: bool = False, refused: Refused | None = None) -> Iterator[str]:
    """The paths of all that is no folder, in the order of their names, each folder once.

    Links are followed. ``refused`` is told which folder can't be listed.
    """
    seen: set[tuple[int, int]] = set()
    left = [folder]
    while left:
        path = left.pop()
        if not is_folder(path or "."):
            yield path
            continue
        try:
            there = Path(path or ".").stat()
            if (there.st_dev, there.st_ino) in seen:
                continue
            seen.add((there.st_dev, there.st_ino))
            names = sorted(os.listdir(path or "."), reverse=True)  # noqa: PTH208 - names alone
        except OSError as error:
            if refused is not None:
                refused(path, error)
            continue
        left += [os.path.join(path, name) for name in names if hidden or name[0] != "."]  # noqa: PTH118 - Path would drop a leading "./"


def _deep(pattern: str) -> Iterator[str]:
    """As glob does with ``**``, which for two links in a circle would not end in this life."""
    parts = pattern.split("/")
    plain = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    base = "/".join(parts[:plain]) + ("/" if plain else "")
    hidden = any(part.startswith(".") for part in parts[plain:])
    if base and not is_folder(base):
        return
    for path in walk(base, hidden=hidden):
        names = path.removeprefix(base).replace(os.sep, "/").split("/")
        if _fits(names, parts[plain:]):
            yield path


def _fits(names: list[str], parts: list[str]) -> bool:
    if not names or not parts:
        return not names and not parts
    part, *rest = parts
    if part != "**":
        return (
            _shown(names[0], part)
            and fnmatch.fnmatchcase(names[0], part)
            and _fits(names[1:], rest)
        )
    if not rest:
        return not any(name.startswith(".") for name in names)
    return _fits(names, rest) or (not names[0].startswith(".") and _fits(names[1:], parts))


def _shown(name: str, part: str) -> bool:
    return not name.startswith(".") or part.startswith(".")
