"""``llmbatch cache``: what the cache of answers holds, and how it is emptied."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .terminal import printable, put

if TYPE_CHECKING:
    from llmbatch.jobs.cache.shelf import Stats

DIR = click.option(
    "--cache",
    "named",
    metavar="DIR",
    help="The folder (default: the one of the settings, else the user's own).",
)


@click.group()
def cache() -> None:
    """Answers that jobs with --cache keep for each other."""


@cache.command()
@DIR
def stats(named: str | None) -> None:
    """Say what the cache holds."""
    from llmbatch.jobs.cache.shelf import stats as stats_of

    folder = _folder(named)
    found = stats_of(folder)
    put("".join(f"{line}\n" for line in _described(folder, found)))


@cache.command()
@DIR
def clear(named: str | None) -> None:
    """Take all answers out of the cache, at once."""
    from llmbatch.jobs.cache.shelf import clear as empty

    folder = _folder(named)
    entries, size = empty(folder)
    if entries is None:
        said = f"removed a cache that can't be read, of {size:,} bytes"
    else:
        said = f"removed {_count(entries)}, {size:,} bytes"
    put(f"{said}: {printable(str(folder))}\n")


def _folder(named: str | None) -> Path:
    """Where the cache is: by the flag, the settings, or else in the user's own place."""
    from llmbatch.jobs.cache.place import cache_folder, check_folder

    if named is None:
        from llmbatch.jobs.settings import load

        named = load({}, environ=os.environ, cwd=Path()).config.cache
    named = "auto" if named in (None, "", "off") else named
    check_folder(named, os.environ)
    return cache_folder(named, os.environ)


def _described(folder: Path, found: Stats | None) -> list[str]:
    where = f"folder   {printable(str(folder))}"
    if found is None:
        return [where, "entries  none: there is no cache yet"]
    lines = [
        where,
        f"entries  {found.entries:,}",
        f"bytes    {found.bytes:,}",
        f"hits     {found.hits:,}",
    ]
    if found.oldest is not None:
        lines.append(f"oldest   {datetime.fromtimestamp(found.oldest, UTC):%Y-%m-%d %H:%M} UTC")
    return lines


def _count(entries: int) -> str:
    return f"{entries:,} {'answer' if entries == 1 else 'answers'}"
