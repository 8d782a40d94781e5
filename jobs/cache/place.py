"""Where the cache lives, and how large it may become."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError

FILE = "llmbatch-cache.sqlite3"
LEAST = 1_000_000
"""Bytes; a smaller cache would hold next to nothing."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) *(?:([kMGT])(i?))?B?")
_POWER = {"k": 1, "M": 2, "G": 3, "T": 4}
_WORD = (
    "--cache takes the next word as its folder: write --cache=DIR, or put --cache last for the "
    "user's own"
)


def cache_folder(named: str, environ: Mapping[str, str]) -> Path:
    """``auto`` is ``llmbatch/answers`` in the user's cache, anything else a folder.

    The user's cache is ``XDG_CACHE_HOME`` where that is absolute, else ``~/.cache`` (XDG Base
    Directory Specification 0.8). Raises ConfigError where there is no home.
    """
    if named != "auto":
        return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - "~nobody" stays as it is
    cache = Path(environ.get("XDG_CACHE_HOME", ""))
    if cache.is_absolute():
        return cache / "llmbatch" / "answers"
    try:
        home = Path(environ.get("HOME") or "~").expanduser().absolute()
    except RuntimeError:
        raise ConfigError(
            "there is no home directory to keep the cache in: name a folder, --cache=DIR"
        ) from None
    return home / ".cache" / "llmbatch" / "answers"


def check_folder(named: str, environ: Mapping[str, str], inputs: bool = True) -> None:
    """Raise ConfigError where what stands after --cache was not meant to be a folder.

    ``inputs`` says that the job has some.
    """
    folder = cache_folder(named, environ)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--cache {named}: is a file, not a folder: {_WORD}")
    if not inputs and named != "auto":
        raise ConfigError(f"--cache {named}: and there is no input: {_WORD}")


def make_folder(folder: Path) -> None:
    """Create it for its owner alone, as answers are private; one that is there stays as it is.

    Raises ConfigError.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{folder}: can't be made a cache: {error.strerror}: name another folder, --cache=DIR"
        ) from None


def bytes_of(size: str) -> int:
    """``1GB`` is 1,000,000,000 bytes, ``1GiB`` 1,073,741,824. Raises ConfigError."""
    found = _SIZE.fullmatch(size.strip())
    if found is None:
        raise ConfigError(f"--cache-size {size}: is no size: write it as 500MB or 2GB")
    number, unit, binary = found.groups()
    count = int(float(number) * (1024 if binary else 1000) ** _POWER.get(unit, 0))
    if count < LEAST:
        raise ConfigError(f"--cache-size {size}: is too small: at least 1MB")
    return count
