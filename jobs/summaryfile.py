"""``--summary FILE``: the summary as JSON, whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from .errors import ConfigError, SinkError
from .summary import Summary


def check_summary_path(path: str) -> None:
    """Find out before the job what would spoil its end. Raises :class:`ConfigError`."""
    target = Path(path)
    if target.is_dir():
        raise ConfigError(f"--summary {path}: is a folder; name a file")
    if _is_special(target):
        return
    if not target.parent.is_dir():
        raise ConfigError(f"--summary {path}: the folder {target.parent} does not exist")
    if not os.access(target.parent, os.W_OK):
        raise ConfigError(f"--summary {path}: no permission to write into {target.parent}")


def drop_old_summary(path: str) -> None:
    """Take an earlier run's summary away: it must not be read as this one's."""
    if not _is_special(Path(path)):
        with suppress(OSError):
            os.unlink(os.path.realpath(path))  # noqa: PTH108 - as _write: a link stays one


def write_summary(summary: Summary, path: str, exit_code: int) -> None:
    """Write ``summary`` with the exit code. Raises :class:`SinkError`; the output is safe then."""
    values: dict[str, Any] = {"exit_code": exit_code, **msgspec.to_builtins(summary)}
    try:
        _write(Path(path), msgspec.json.format(msgspec.json.encode(values)) + b"\n")
    except OSError as error:
        raise SinkError(
            f"can't write the summary to {path}: {error.strerror}; the results are safe"
        ) from error


def _write(path: Path, data: bytes) -> None:
    if _is_special(path):
        with path.open("ab") as file:
            file.write(data)
        return
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    """Whether it is to be written to, not to be replaced: a pipe, /dev/null, /dev/stderr."""
    try:
        return path.is_relative_to("/dev") or not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # it is not there yet
        return False
