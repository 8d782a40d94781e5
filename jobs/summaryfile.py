"""``--summary FILE``: the summary as JSON, whole or not at all."""

from __future__ import annotations

import os
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
    if not target.parent.is_dir():
        raise ConfigError(f"--summary {path}: the folder {target.parent} does not exist")
    if not os.access(target.parent, os.W_OK):
        raise ConfigError(f"--summary {path}: no permission to write into {target.parent}")


def write_summary(summary: Summary, path: str, exit_code: int) -> None:
    """Write ``summary`` with the exit code. Raises :class:`SinkError`; the output is safe then."""
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    values: dict[str, Any] = {"exit_code": exit_code, **msgspec.to_builtins(summary)}
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(values)) + b"\n")
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SinkError(
            f"can't write the summary to {path}: {error.strerror}; the results are safe"
        ) from error
