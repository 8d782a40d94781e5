"""``--prometheus FILE``: figures for the node exporter's textfile collector.

https://github.com/prometheus/node_exporter#textfile-collector reads all ``*.prom`` of a folder, at
any moment: the file is replaced whole, and may be read by others whatever the umask says.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ConfigError
from ..wholefile import check_writable, write_whole
from .exposition import exposition
from .reading import Reading
from .sending import Undelivered

EVERY = 15.0
"""Seconds between two versions of the file."""

MODE = 0o644
SUFFIX = ".prom"


def check_textfile(path: str) -> None:
    """Find out before the job what would spoil its end. Raises :class:`ConfigError`."""
    if not path.endswith(SUFFIX):
        raise ConfigError(
            f"--prometheus {path}: must end in {SUFFIX}: the collector reads no other files"
        )
    if problem := check_writable(path, "--prometheus"):
        raise ConfigError(problem)


class TextFile:
    """Writes each reading."""

    every = EVERY

    def __init__(self, path: str, version: str) -> None:
        self._path = Path(path)
        self._version = version

    def take(self, reading: Reading, timeout: float) -> None:  # noqa: ARG002 - a disk knows none
        text = exposition(reading, self._version, output_of(reading))
        try:
            write_whole(self._path, [text], MODE)
        except OSError as error:
            raise Undelivered(error.strerror or "can't be written") from None

    def __str__(self) -> str:
        return f"the file {self._path}"


def output_of(reading: Reading) -> str:
    """The job's output by its full path, which no other job of the host has."""
    output = reading.summary.output
    return os.path.abspath(output) if output not in ("", "-") else output  # noqa: PTH100
