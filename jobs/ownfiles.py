"""The files of a job are told apart before one of them takes another's place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .errors import ConfigError


def same_file(one: str, other: str) -> bool:
    """Whether two paths lead to one file, also where it is not there yet."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return Path(one).absolute() == Path(other).absolute()


def check_own(names: Mapping[str, str | None]) -> None:
    """Raises ConfigError where two flags name the same file."""
    given = [(flag, name) for flag, name in names.items() if name is not None]
    for index, (flag, name) in enumerate(given):
        for other, another in given[:index]:
            if same_file(name, another):
                raise ConfigError(f"{flag} {name}: is the file of {other} too; name another file")
